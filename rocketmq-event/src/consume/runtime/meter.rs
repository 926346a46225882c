use std::time::Duration;

use crate::backend::SubscriptionSpec;
use crate::event::FailureKind;

/// Counts what a consumer does, for the recorder of the `metrics` facade that the program installs.
#[derive(Debug)]
pub(super) struct Meter {
    stream: String,
    group: String,
}

impl Meter {
    pub(super) fn new(spec: &SubscriptionSpec) -> Self {
        Self { stream: spec.stream.to_string(), group: spec.group.to_string() }
    }

    /// An attempt ended: `messages_processed_total` and `message_processing_seconds`. `failed` is `None` after a success.
    pub(super) fn processed(&self, event: &str, failed: Option<FailureKind>, took: Duration) {
        let outcome = if failed.is_some() { "failed" } else { "succeeded" };
        let labels = [
            ("stream", self.stream.clone()),
            ("group", self.group.clone()),
            ("event", event.to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        metrics::counter!("messages_processed_total", &labels).increment(1);
        metrics::histogram!("message_processing_seconds", &labels).record(took.as_secs_f64());
    }

    /// An event comes again: `messages_retried_total`.
    pub(super) fn retried(&self, event: &str, kind: FailureKind) {
        metrics::counter!("messages_retried_total", &self.failure_labels(event, kind)).increment(1);
    }

    /// An event became a dead letter: `messages_dead_lettered_total`.
    pub(super) fn dead_lettered(&self, event: &str, kind: FailureKind) {
        metrics::counter!("messages_dead_lettered_total", &self.failure_labels(event, kind)).increment(1);
    }

    fn failure_labels(&self, event: &str, kind: FailureKind) -> [(&'static str, String); 4] {
        [
            ("stream", self.stream.clone()),
            ("group", self.group.clone()),
            ("event", event.to_owned()),
            ("kind", kind.as_str().to_owned()),
        ]
    }
}
