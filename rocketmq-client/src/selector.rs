//! Selectors choose the queue of a message: messages of one queue are consumed in order.

use std::sync::atomic::{AtomicUsize, Ordering};

use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::{Message, MessageQueue};
use rocketmq_remoting::net::random;

/// Chooses the queue of a message. Java: `MessageQueueSelector`.
///
/// `queues` is never empty and sorted by broker name and queue id; `arg` is the argument of
/// [`send_with_selector`](crate::producer::Producer::send_with_selector). The selector runs on the caller's task and
/// should not block.
///
/// ```
/// use rocketmq_client::model::{Message, MessageQueue};
/// use rocketmq_client::selector::MessageQueueSelector;
///
/// /// Urgent messages go to the first queue, all others to the last.
/// struct Urgent;
///
/// impl MessageQueueSelector for Urgent {
///     fn select<'q>(&self, queues: &'q [MessageQueue], message: &Message, _: &str) -> &'q MessageQueue {
///         if message.tags() == Some("urgent") { &queues[0] } else { &queues[queues.len() - 1] }
///     }
/// }
///
/// let queues = [0, 1].map(|id| MessageQueue::new("Orders", "broker-a", id));
/// assert_eq!(Urgent.select(&queues, &Message::new("Orders", "x").with_tags("urgent"), "").queue_id(), 0);
/// ```
pub trait MessageQueueSelector: Send + Sync {
    /// The queue, one of `queues`.
    fn select<'q>(&self, queues: &'q [MessageQueue], message: &Message, arg: &str) -> &'q MessageQueue;
}

impl<S: MessageQueueSelector + ?Sized> MessageQueueSelector for &S {
    fn select<'q>(&self, queues: &'q [MessageQueue], message: &Message, arg: &str) -> &'q MessageQueue {
        (**self).select(queues, message, arg)
    }
}

impl<S: MessageQueueSelector + ?Sized> MessageQueueSelector for std::sync::Arc<S> {
    fn select<'q>(&self, queues: &'q [MessageQueue], message: &Message, arg: &str) -> &'q MessageQueue {
        (**self).select(queues, message, arg)
    }
}

/// Selects by the hash of the argument: equal arguments go to one queue while the number of queues does not change.
/// Java's `SelectMessageQueueByHash` selects the same queue for the string.
///
/// ```
/// use rocketmq_client::model::{Message, MessageQueue};
/// use rocketmq_client::selector::{MessageQueueSelector, SelectMessageQueueByHash};
///
/// let queues = [0, 1, 2, 3].map(|id| MessageQueue::new("Orders", "broker-a", id));
/// let select = |key| SelectMessageQueueByHash.select(&queues, &Message::new("Orders", "x"), key);
/// assert_eq!(select("order-7"), select("order-7"));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SelectMessageQueueByHash;

impl MessageQueueSelector for SelectMessageQueueByHash {
    fn select<'q>(&self, queues: &'q [MessageQueue], _: &Message, arg: &str) -> &'q MessageQueue {
        // Java: `value = arg.hashCode() % mqs.size()`, and its absolute value if it is negative.
        let count = i64::try_from(queues.len()).unwrap_or(i64::MAX);
        let index = (i64::from(java_string_hash(arg)) % count).unsigned_abs();
        &queues[usize::try_from(index).unwrap_or_default()]
    }
}

/// Selects at random. Java: `SelectMessageQueueByRandom`.
///
/// ```
/// use rocketmq_client::model::{Message, MessageQueue};
/// use rocketmq_client::selector::{MessageQueueSelector, SelectMessageQueueByRandom};
///
/// let queues = [0, 1].map(|id| MessageQueue::new("Orders", "broker-a", id));
/// assert!(queues.contains(SelectMessageQueueByRandom.select(&queues, &Message::new("Orders", "x"), "")));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SelectMessageQueueByRandom;

impl MessageQueueSelector for SelectMessageQueueByRandom {
    fn select<'q>(&self, queues: &'q [MessageQueue], _: &Message, _: &str) -> &'q MessageQueue {
        &queues[random() as usize % queues.len()]
    }
}

/// Selects the queues in turn.
///
/// ```
/// use rocketmq_client::model::{Message, MessageQueue};
/// use rocketmq_client::selector::{MessageQueueSelector, SelectMessageQueueByRoundRobin};
///
/// let queues = [0, 1].map(|id| MessageQueue::new("Orders", "broker-a", id));
/// let in_turn = SelectMessageQueueByRoundRobin::default();
/// let ids = [(); 3].map(|()| in_turn.select(&queues, &Message::new("Orders", "x"), "").queue_id());
/// assert_eq!(ids, [0, 1, 0]);
/// ```
#[derive(Debug, Default)]
pub struct SelectMessageQueueByRoundRobin {
    next: AtomicUsize,
}

impl MessageQueueSelector for SelectMessageQueueByRoundRobin {
    fn select<'q>(&self, queues: &'q [MessageQueue], _: &Message, _: &str) -> &'q MessageQueue {
        &queues[self.next.fetch_add(1, Ordering::Relaxed) % queues.len()]
    }
}

/// Selects in turn among the queues of brokers in the given machine rooms. A broker's room is the part of its name
/// before `@` (`room@broker`). Selects among all queues if no broker is in these rooms. (Java's
/// `SelectMessageQueueByMachineRoom` is not implemented and selects nothing.)
///
/// ```
/// use rocketmq_client::model::{Message, MessageQueue};
/// use rocketmq_client::selector::{MessageQueueSelector, SelectMessageQueueByMachineRoom};
///
/// let queues = ["east@broker-a", "west@broker-b"].map(|broker| MessageQueue::new("Orders", broker, 0));
/// let near = SelectMessageQueueByMachineRoom::new(["west"]);
/// assert_eq!(near.select(&queues, &Message::new("Orders", "x"), "").broker_name(), "west@broker-b");
/// ```
#[derive(Debug, Default)]
pub struct SelectMessageQueueByMachineRoom {
    rooms: Vec<String>,
    turn: SelectMessageQueueByRoundRobin,
}

impl SelectMessageQueueByMachineRoom {
    /// Prefers brokers in these rooms.
    pub fn new(rooms: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            rooms: rooms.into_iter().map(Into::into).collect(),
            turn: SelectMessageQueueByRoundRobin::default(),
        }
    }

    fn is_near(&self, queue: &MessageQueue) -> bool {
        let room = queue.broker_name().split_once('@').map(|(room, _)| room);
        room.is_some_and(|room| self.rooms.iter().any(|wanted| wanted == room))
    }
}

impl MessageQueueSelector for SelectMessageQueueByMachineRoom {
    fn select<'q>(&self, queues: &'q [MessageQueue], message: &Message, arg: &str) -> &'q MessageQueue {
        let near = queues.iter().filter(|queue| self.is_near(queue)).count();
        if near == 0 {
            return self.turn.select(queues, message, arg);
        }
        let place = self.turn.next.fetch_add(1, Ordering::Relaxed) % near;
        queues.iter().filter(|queue| self.is_near(queue)).nth(place).unwrap_or(&queues[0])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn queues(brokers: &[&str], count: i32) -> Vec<MessageQueue> {
        let of = |broker: &&str| (0..count).map(|id| MessageQueue::new("T", *broker, id)).collect::<Vec<_>>();
        brokers.iter().flat_map(of).collect()
    }

    fn message() -> Message {
        Message::new("T", "x")
    }

    #[test]
    fn the_hash_is_java_s() {
        let queues = queues(&["a"], 7);
        // "polygenelubricants".hashCode() is the smallest int.
        for (key, hash) in [("", 0_i64), ("a", 97), ("polygenelubricants", -2_147_483_648)] {
            let expected = (hash % 7).abs();
            let chosen = SelectMessageQueueByHash.select(&queues, &message(), key);
            assert_eq!(i64::from(chosen.queue_id()), expected, "{key}");
        }
    }

    #[test]
    fn one_key_keeps_its_queue_and_many_keys_use_all() {
        let queues = queues(&["a", "b"], 4);
        let choose = |key: &str| SelectMessageQueueByHash.select(&queues, &message(), key).clone();
        assert!((0..10).all(|_| choose("order-1") == choose("order-1")));
        let used: HashSet<MessageQueue> = (0..1000).map(|n| choose(&format!("order-{n}"))).collect();
        assert_eq!(used.len(), 8);
    }

    #[test]
    fn turns_visit_every_queue() {
        let queues = queues(&["a"], 4);
        let turn = SelectMessageQueueByRoundRobin::default();
        let used: HashSet<i32> = (0..4).map(|_| turn.select(&queues, &message(), "").queue_id()).collect();
        assert_eq!(used.len(), 4);
    }

    #[test]
    fn a_machine_room_is_preferred_while_it_has_brokers() {
        let queues = queues(&["east@a", "west@b", "c"], 2);
        let west = SelectMessageQueueByMachineRoom::new(["west"]);
        assert!((0..10).all(|_| west.select(&queues, &message(), "").broker_name() == "west@b"));
        let nowhere = SelectMessageQueueByMachineRoom::new(["north"]);
        let used: HashSet<MessageQueue> =
            (0..6).map(|_| nowhere.select(&queues, &message(), "").clone()).collect();
        assert_eq!(used.len(), 6);
    }
}
