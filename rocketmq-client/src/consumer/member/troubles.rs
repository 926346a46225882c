use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Member;
use crate::consumer::watch::ConsumerEvent;
use crate::error::MQClientError;

/// Outages of servers and topics: each is told once, however many queues suffer from it.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    since: Mutex<BTreeMap<Trouble, Instant>>,
    /// Looked at for every answer.
    count: AtomicUsize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// This broker does not answer.
    Broker(Arc<str>),
    /// This topic does not exist.
    Topic(Arc<str>),
    /// The route of this topic lacks brokers.
    Route(Arc<str>),
}

impl Troubles {
    /// Notes a trouble. True: it is new, and to be told.
    pub(crate) fn begin(&self, trouble: Trouble, since: Instant) -> bool {
        let mut table = self.lock();
        let is_new = !table.contains_key(&trouble);
        table.entry(trouble).or_insert(since);
        self.count.store(table.len(), Ordering::Relaxed);
        is_new
    }

    /// Ends a trouble. Returns since when there was one.
    pub(crate) fn end(&self, trouble: &Trouble) -> Option<Instant> {
        let mut table = self.lock();
        let since = table.remove(trouble);
        self.count.store(table.len(), Ordering::Relaxed);
        since
    }

    pub(crate) fn has(&self, trouble: &Trouble) -> bool {
        self.are_any() && self.lock().contains_key(trouble)
    }

    pub(crate) fn are_any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Forgets the troubles with brokers that do not matter any more.
    pub(crate) fn keep_brokers(&self, matters: impl Fn(&str) -> bool) {
        let mut table = self.lock();
        table.retain(|trouble, _| !matches!(trouble, Trouble::Broker(broker) if !matters(broker)));
        self.count.store(table.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Trouble, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Tells, once, that a broker does not answer.
    pub(crate) fn lost_broker(&self, broker: &Arc<str>, since: Instant) {
        if self.troubles.begin(Trouble::Broker(broker.clone()), since) {
            let (group, broker) = (self.events.group(), broker.clone());
            self.events.emit(ConsumerEvent::BrokerUnreachable { group, broker, silent_for: since.elapsed() });
        }
    }

    /// A broker answers: tells so if it was lost.
    pub(crate) fn found_broker(&self, broker: &Arc<str>) {
        if self.troubles.are_any()
            && let Some(since) = self.troubles.end(&Trouble::Broker(broker.clone()))
        {
            let (group, broker) = (self.events.group(), broker.clone());
            self.events.emit(ConsumerEvent::BrokerReachable { group, broker, after: since.elapsed() });
        }
    }

    /// Tells, once, that a topic does not exist.
    pub(crate) fn lost_topic(&self, topic: &Arc<str>, error: MQClientError) {
        if self.troubles.begin(Trouble::Topic(topic.clone()), Instant::now()) {
            let (group, topic) = (self.events.group(), topic.clone());
            self.events.emit(ConsumerEvent::TopicMissing { group, topic, error });
        }
    }

    /// A topic has messages or may get them.
    pub(crate) fn found_topic(&self, topic: &Arc<str>) {
        if self.troubles.are_any() {
            self.troubles.end(&Trouble::Topic(topic.clone()));
        }
    }
}
