use std::fmt;
use std::sync::Arc;

use rocketmq_common::MessageQueue;

use super::{Attempt, SendReport};

/// What the client was doing at the failure, as far as it is known: the operation, its topic, queue and group, the
/// attempts, and where the time went.
#[derive(Debug, Clone, Default)]
pub struct Context {
    pub(super) operation: Option<&'static str>,
    pub(super) topic: Option<Arc<str>>,
    pub(super) queue: Option<MessageQueue>,
    pub(super) group: Option<Arc<str>>,
    pub(super) report: SendReport,
}

impl Context {
    /// The operation in a word or two: `send`, `pull`, `max offset`.
    pub fn operation(&self) -> Option<&'static str> {
        self.operation
    }

    /// The topic, under its name at brokers.
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_deref().or_else(|| self.queue().map(MessageQueue::topic))
    }

    /// The queue; of several attempts, the queue of the last attempt.
    pub fn queue(&self) -> Option<&MessageQueue> {
        self.queue.as_ref().or_else(|| self.attempts().last().map(|attempt| &attempt.queue))
    }

    /// The producer or consumer group.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The attempts, in order. Empty if no broker was asked.
    pub fn attempts(&self) -> &[Attempt] {
        self.report.attempts()
    }

    /// How far a send got, and where its time went.
    pub fn report(&self) -> &SendReport {
        &self.report
    }

    /// A context with only a report.
    pub(crate) fn of(report: SendReport) -> Box<Self> {
        Box::new(Self { report, ..Self::default() })
    }

    /// Appends in parentheses the parts that `line` does not contain yet.
    pub(super) fn append_to(&self, line: &mut String) {
        let mut parts = Vec::new();
        parts.extend(self.operation.map(str::to_owned));
        parts
            .extend(self.topic().filter(|topic| !line.contains(topic)).map(|topic| format!("topic {topic}")));
        parts.extend(
            self.queue().map(|queue| format!("queue {} of {}", queue.queue_id(), queue.broker_name())),
        );
        parts.extend(self.group().map(|group| format!("group {group}")));
        match self.attempts().len() {
            0 | 1 => {}
            attempts => parts.push(format!("{attempts} attempts")),
        }
        if !parts.is_empty() {
            *line = format!("{line} ({})", parts.join(", "));
        }
    }
}

impl From<SendReport> for Box<Context> {
    fn from(report: SendReport) -> Self {
        Context::of(report)
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        self.append_to(&mut line);
        f.write_str(line.trim_start())
    }
}
