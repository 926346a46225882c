//! Queues that are popped in order: one batch at a time. Java: `ConsumerOrderInfoManager`.

use std::collections::{BTreeMap, HashMap};

use super::QueueKey;

/// The last batch of each queue.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    queues: HashMap<QueueKey, Batch>,
}

/// Messages of a queue that hold back the messages after them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The attempt that popped them; the same attempt may pop them again.
    pub(crate) attempt_id: Option<String>,
    pub(crate) pop_time: i64,
    pub(crate) invisible_time: i64,
    pub(crate) messages: Vec<Hidden>,
    /// Earlier deliveries of messages, where there were any.
    counts: BTreeMap<i64, i32>,
}

/// A message of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hidden {
    pub(crate) offset: i64,
    pub(crate) is_done: bool,
    /// When it becomes visible again, if not at the end of its batch.
    until: Option<i64>,
}

/// The result of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committed {
    /// The group continues at this offset.
    Next(i64),
    /// The message belongs to no batch.
    Unknown,
    /// The message belongs to an earlier batch.
    Late,
}

impl Hidden {
    pub(crate) fn new(offset: i64) -> Self {
        Self { offset, is_done: false, until: None }
    }
}

impl Batch {
    fn ends(&self, message: &Hidden) -> i64 {
        message.until.unwrap_or(self.pop_time.saturating_add(self.invisible_time))
    }

    /// When the first hidden message becomes visible again.
    pub(crate) fn free_ms(&self, now_ms: i64) -> i64 {
        let open = self.messages.iter().filter(|message| !message.is_done);
        open.map(|message| self.ends(message)).find(|end| now_ms < *end).unwrap_or(now_ms)
    }
}

impl Orders {
    /// Whether hidden messages hold the queue back.
    pub(crate) fn is_blocked(
        &mut self,
        queue: &QueueKey,
        attempt_id: Option<&str>,
        invisible_time: i64,
        now_ms: i64,
    ) -> bool {
        let Some(batch) = self.queues.get_mut(queue) else { return false };
        if batch.attempt_id.is_some() && batch.attempt_id.as_deref() == attempt_id {
            return false;
        }
        if batch.invisible_time <= 0 {
            batch.invisible_time = invisible_time;
        }
        batch.messages.iter().any(|message| !message.is_done && now_ms < batch.ends(message))
    }

    /// Stores a batch. Returns for the answer how often its messages were delivered before: for each message with
    /// earlier deliveries, and the smallest number of all.
    pub(crate) fn update(&mut self, queue: &QueueKey, mut batch: Batch) -> (Vec<(i64, i32)>, i32) {
        let before = self.queues.remove(queue).unwrap_or_default();
        batch.counts = if batch.attempt_id.is_some() && before.attempt_id == batch.attempt_id {
            before.counts
        } else {
            let again = batch
                .messages
                .iter()
                .filter(|message| before.messages.iter().any(|other| other.offset == message.offset));
            let count = |message: &Hidden| before.counts.get(&message.offset).map_or(1, |count| count + 1);
            again.map(|message| (message.offset, count(message))).collect()
        };
        let counts: Vec<_> = batch.counts.iter().map(|(offset, count)| (*offset, *count)).collect();
        let has_new = counts.len() != batch.messages.len();
        let least = if has_new { 0 } else { counts.iter().map(|(_, count)| *count).min().unwrap_or(0) };
        self.queues.insert(queue.clone(), batch);
        (counts, least)
    }

    /// Acknowledges a message.
    pub(crate) fn commit(&mut self, queue: &QueueKey, offset: i64, pop_time: i64) -> Committed {
        let Some(batch) = self.queues.get_mut(queue) else { return Committed::Next(offset + 1) };
        if batch.messages.is_empty() {
            return Committed::Unknown;
        }
        if pop_time != batch.pop_time {
            return Committed::Late;
        }
        match batch.messages.iter_mut().find(|message| message.offset == offset) {
            Some(message) => message.is_done = true,
            None => return Committed::Unknown,
        }
        let open = batch.messages.iter().find(|message| !message.is_done);
        let end = batch.messages.last().map_or(offset, |last| last.offset) + 1;
        Committed::Next(open.map_or(end, |message| message.offset))
    }

    /// Hides a message until `until`.
    pub(crate) fn hide_until(&mut self, queue: &QueueKey, offset: i64, pop_time: i64, until: i64) {
        let batch = self.queues.get_mut(queue).filter(|batch| batch.pop_time == pop_time);
        if let Some(batch) = batch {
            let message = batch.messages.iter_mut().find(|message| message.offset == offset);
            message.into_iter().for_each(|message| message.until = Some(until));
        }
    }

    /// Removes the batch that holds a queue back.
    pub(crate) fn unblock(&mut self, queue: &QueueKey) {
        self.queues.remove(queue);
    }

    /// The last batch of a queue.
    pub(crate) fn get(&self, queue: &QueueKey) -> Option<&Batch> {
        self.queues.get(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(attempt_id: Option<&str>, pop_time: i64, offsets: &[i64]) -> Batch {
        let messages = offsets.iter().map(|offset| Hidden::new(*offset)).collect();
        let attempt_id = attempt_id.map(str::to_owned);
        Batch { attempt_id, pop_time, invisible_time: 100, messages, ..Batch::default() }
    }

    #[test]
    fn a_batch_holds_back_the_rest_until_it_is_done_or_over() {
        let (mut orders, queue) = (Orders::default(), QueueKey::new("T", "g", 0));
        assert_eq!(orders.update(&queue, batch(Some("a"), 10, &[0, 1])), (vec![], 0));
        assert!(orders.is_blocked(&queue, None, 0, 109) && orders.is_blocked(&queue, Some("b"), 0, 109));
        assert!(!orders.is_blocked(&queue, Some("a"), 0, 20) && !orders.is_blocked(&queue, None, 0, 110));
        assert_eq!(orders.commit(&queue, 1, 10), Committed::Next(0));
        assert_eq!(orders.commit(&queue, 0, 9), Committed::Late);
        assert_eq!(orders.commit(&queue, 7, 10), Committed::Unknown);
        assert_eq!(orders.commit(&queue, 0, 10), Committed::Next(2));
        assert!(!orders.is_blocked(&queue, None, 0, 20));
    }

    #[test]
    fn messages_that_come_again_are_counted() {
        let (mut orders, queue) = (Orders::default(), QueueKey::new("T", "g", 0));
        orders.update(&queue, batch(None, 10, &[0, 1]));
        assert_eq!(orders.update(&queue, batch(None, 200, &[1, 2])), (vec![(1, 1)], 0));
        assert_eq!(orders.update(&queue, batch(Some("a"), 400, &[1, 2])), (vec![(1, 2), (2, 1)], 1));
        assert_eq!(orders.update(&queue, batch(Some("a"), 401, &[1, 2])), (vec![(1, 2), (2, 1)], 1));
    }

    #[test]
    fn a_message_can_be_hidden_for_longer() {
        let (mut orders, queue) = (Orders::default(), QueueKey::new("T", "g", 0));
        orders.update(&queue, batch(None, 10, &[0]));
        orders.hide_until(&queue, 0, 11, 500);
        assert!(!orders.is_blocked(&queue, None, 0, 110));
        orders.hide_until(&queue, 0, 10, 500);
        assert!(orders.is_blocked(&queue, None, 0, 499) && !orders.is_blocked(&queue, None, 0, 500));
        assert_eq!(orders.get(&queue).map(|batch| batch.free_ms(10)), Some(500));
    }
}
