use std::time::Duration;

use rocketmq_common::MessageQueue;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

/// Brokers register again within this time: a NameServer that still lacks a broker then means it.
const CONFIRM: Duration = Duration::from_secs(30);

/// Knows the queues of one topic. A route answer that lacks a broker drops its queues only when another NameServer agrees,
/// or a later answer of this NameServer; a route without any queue drops nothing.
#[derive(Debug, Default)]
pub(crate) struct RouteWatch {
    queues: Vec<MessageQueue>,
    /// Brokers that an answer lacked: when, and which NameServer.
    missing: FxHashMap<String, (Instant, String)>,
}

/// The effect of a route answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RouteChange {
    /// The queues are others than before.
    pub(crate) changed: bool,
    /// A broker or the whole topic is missing, and not confirmed: worth an event, and another look.
    pub(crate) doubtful: bool,
}

impl RouteWatch {
    /// The queues, sorted.
    pub(crate) fn queues(&self) -> &[MessageQueue] {
        &self.queues
    }

    /// The brokers that the last answer lacked.
    pub(crate) fn missing(&self) -> Vec<std::sync::Arc<str>> {
        let mut brokers: Vec<_> = self.missing.keys().map(|broker| broker.as_str().into()).collect();
        brokers.sort_unstable();
        brokers
    }

    /// Notes the readable queues of a route answer that came at `now`.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        name_server: &str,
        queues: impl IntoIterator<Item = MessageQueue>,
    ) -> RouteChange {
        let mut next: Vec<MessageQueue> = queues.into_iter().collect();
        if next.is_empty() {
            return RouteChange { changed: false, doubtful: !self.queues.is_empty() };
        }
        let has = |queues: &[MessageQueue], broker: &str| queues.iter().any(|q| q.broker_name() == broker);
        self.missing.retain(|broker, _| !has(&next, broker));
        let mut kept = Vec::new();
        for queue in &self.queues {
            let broker = queue.broker_name();
            if !has(&next, broker) && !self.is_confirmed(now, name_server, broker) {
                kept.push(queue.clone());
            }
        }
        for queue in &kept {
            let since = || (now, name_server.to_owned());
            self.missing.entry(queue.broker_name().to_owned()).or_insert_with(since);
        }
        let doubtful = !kept.is_empty();
        next.append(&mut kept);
        next.sort();
        next.dedup();
        let changed = next != self.queues;
        self.queues = next;
        self.missing.retain(|broker, _| has(&self.queues, broker));
        RouteChange { changed, doubtful }
    }

    /// Whether an earlier answer lacked the broker, too, and is independent of this answer.
    fn is_confirmed(&self, now: Instant, name_server: &str, broker: &str) -> bool {
        self.missing.get(broker).is_some_and(|(since, first)| first != name_server || now >= *since + CONFIRM)
    }
}
