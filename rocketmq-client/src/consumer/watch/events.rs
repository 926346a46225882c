use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::ConsumerEvent;

/// How many events a reader may be behind.
const CAPACITY: usize = 1024;

/// The events of a consumer from the moment on when it was asked for. Each reader gets each event.
///
/// A reader may be 1024 events behind; when it is slower, the oldest are dropped and it gets
/// [`ConsumerEvent::Missed`] in their place. The consumer never waits for a reader.
pub struct ConsumerEvents {
    group: Arc<str>,
    receiver: Receiver<ConsumerEvent>,
}

impl ConsumerEvents {
    /// The next event; `None` when the consumer has ended (its shutdown is over, or it was dropped) and all its events
    /// were read. No event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<ConsumerEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(count)) => Some(self.missed(count)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next event if there is one by now.
    pub fn try_next(&mut self) -> Option<ConsumerEvent> {
        match self.receiver.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(count)) => Some(self.missed(count)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    fn missed(&self, count: u64) -> ConsumerEvent {
        ConsumerEvent::Missed { group: self.group.clone(), count }
    }
}

impl Clone for ConsumerEvents {
    /// Another reader, of the events from now on.
    fn clone(&self) -> Self {
        Self { group: self.group.clone(), receiver: self.receiver.resubscribe() }
    }
}

impl fmt::Debug for ConsumerEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerEvents")
            .field("group", &self.group)
            .field("waiting", &self.receiver.len())
            .finish()
    }
}

/// Where a consumer tells its events.
#[derive(Debug)]
pub(crate) struct EventSender {
    group: Arc<str>,
    /// Users name topics without it.
    namespace: Option<Arc<str>>,
    /// `None` once the consumer has ended.
    sender: RwLock<Option<Sender<ConsumerEvent>>>,
}

impl EventSender {
    pub(crate) fn new(group: impl Into<Arc<str>>, namespace: Option<&str>) -> Self {
        let namespace = namespace.map(Arc::from);
        Self { group: group.into(), namespace, sender: RwLock::new(Some(Sender::new(CAPACITY))) }
    }

    /// The group, for making events.
    pub(crate) fn group(&self) -> Arc<str> {
        self.group.clone()
    }

    /// Logs the event and hands it to the readers. Never waits; keeps nothing while there is no reader.
    pub(crate) fn emit(&self, mut event: ConsumerEvent) {
        if let Some(namespace) = &self.namespace {
            event.leave_namespace(namespace);
        }
        event.log();
        // An error means that there is no reader.
        let _ = self.with_sender(|sender| sender.send(event));
    }

    /// Ends the events: readers get the events that were told before, then `None`. Later events are only logged.
    pub(crate) fn close(&self) {
        self.sender.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn with_sender<T>(&self, act: impl FnOnce(&Sender<ConsumerEvent>) -> T) -> Option<T> {
        self.sender.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(act)
    }

    /// A reader of the events from now on.
    pub(crate) fn reader(&self) -> ConsumerEvents {
        // The sender of a consumer that has ended is gone, so that its reader is at the end at once.
        let receiver = self.with_sender(Sender::subscribe).unwrap_or_else(|| broadcast::channel(1).1);
        ConsumerEvents { group: self.group.clone(), receiver }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MessageQueue;

    fn lost(sender: &EventSender, queue: usize) {
        let queue = MessageQueue::new("T", "b", i32::try_from(queue).unwrap());
        sender.emit(ConsumerEvent::LockLost { group: sender.group(), queue });
    }

    #[tokio::test]
    async fn a_slow_reader_loses_the_oldest_and_learns_how_many() {
        let sender = EventSender::new("g", None);
        let (mut slow, mut quick) = (sender.reader(), sender.reader());
        for queue in 0..CAPACITY + 3 {
            lost(&sender, queue);
            assert!(matches!(quick.try_next(), Some(ConsumerEvent::LockLost { .. })));
        }
        assert!(quick.try_next().is_none());
        let missed = slow.next().await;
        assert!(matches!(missed, Some(ConsumerEvent::Missed { count: 3, .. })), "{missed:?}");
        assert_eq!(slow.next().await.unwrap().queue().unwrap().queue_id(), 3, "the oldest that is left");
        drop(sender);
        for _ in 4..CAPACITY + 3 {
            assert!(slow.next().await.is_some());
        }
        assert!(slow.next().await.is_none(), "the consumer has ended");
    }

    #[test]
    fn readers_come_and_go_and_each_gets_what_is_told_from_then_on() {
        let sender = EventSender::new("g", None);
        lost(&sender, 0);
        let mut reader = sender.reader();
        assert!(reader.try_next().is_none());
        lost(&sender, 1);
        let mut late = reader.clone();
        let event = reader.try_next().unwrap();
        assert_eq!((event.group(), event.topic()), ("g", Some("T")));
        assert_eq!(
            event.to_string(),
            "consumer group g: another member has the lock of MessageQueue [topic=T, brokerName=b, queueId=1]"
        );
        assert!(late.try_next().is_none());
    }
}
