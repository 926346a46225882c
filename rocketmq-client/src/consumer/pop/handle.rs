use std::borrow::Cow;
use std::collections::VecDeque;

use rocketmq_common::message_const::PROPERTY_POP_CK;
use rocketmq_common::{MessageExt, mix_all};
use rocketmq_remoting::protocol::header::PopMessageResponseHeader;
use rustc_hash::FxHashMap;

/// The handle of a popped message, which acknowledges it or hides it for longer. Java: `ExtraInfoUtil`, the property `POP_CK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PopHandle {
    /// The first offset of its pop.
    pub(crate) start: i64,
    /// When it was popped, by the broker's clock, in milliseconds since 1970.
    pub(crate) pop_time: i64,
    /// How long it is hidden from then on, in milliseconds.
    pub(crate) invisible: i64,
    /// The queue of the broker's pop records.
    pub(crate) revive_queue: i32,
    pub(crate) kind: TopicKind,
    /// Where the message is stored: a queue of the topic or of a retry topic.
    pub(crate) queue_id: i32,
    pub(crate) offset: i64,
}

/// Which topic a popped message is stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TopicKind {
    /// The topic itself.
    Own,
    /// `%RETRY%group_topic`.
    Retry,
    /// `%RETRY%group+topic` (5.2, where a broker is told to).
    RetryV2,
}

impl TopicKind {
    /// As handles name it.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            TopicKind::Own => "0",
            TopicKind::Retry => "1",
            TopicKind::RetryV2 => "2",
        }
    }

    fn of_mark(mark: &str) -> Option<Self> {
        [TopicKind::Own, TopicKind::Retry, TopicKind::RetryV2].into_iter().find(|kind| kind.mark() == mark)
    }

    /// The kind of a topic that a message names.
    fn of_topic(topic: &str) -> Self {
        match mix_all::is_retry_topic(topic) {
            false => TopicKind::Own,
            true if topic.contains('+') => TopicKind::RetryV2,
            true => TopicKind::Retry,
        }
    }

    /// The name of the topic that the messages of a group and topic are stored in.
    pub(crate) fn topic<'a>(self, topic: &'a str, group: &str) -> Cow<'a, str> {
        match self {
            TopicKind::Own => topic.into(),
            TopicKind::Retry => pop_retry_topic(topic, group).into(),
            TopicKind::RetryV2 => format!("{}+{topic}", mix_all::retry_topic(group)).into(),
        }
    }
}

/// The topic of messages that a group has popped and not acknowledged in time. Java: `KeyBuilder.buildPopRetryTopicV1`.
pub(crate) fn pop_retry_topic(topic: &str, group: &str) -> String {
    format!("{}_{topic}", mix_all::retry_topic(group))
}

impl PopHandle {
    /// The text that brokers take.
    pub(crate) fn extra_info(&self, broker: &str) -> String {
        let Self { start, pop_time, invisible, revive_queue, kind, queue_id, offset } = self;
        let mark = kind.mark();
        format!("{start} {pop_time} {invisible} {revive_queue} {mark} {broker} {queue_id} {offset}")
    }

    /// Reads the text of a handle; `None` if it has not the eight parts of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let mut next = || parts.next();
        let (start, pop_time) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (invisible, revive_queue) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let kind = TopicKind::of_mark(next()?)?;
        let _broker = next()?;
        let (queue_id, offset) = (next()?.parse().ok()?, next()?.parse().ok()?);
        Some(Self { start, pop_time, invisible, revive_queue, kind, queue_id, offset })
    }
}

/// The handles in the answer to a pop, which its records do not hold.
#[derive(Debug)]
pub(crate) struct PopHandles {
    pop_time: i64,
    invisible: i64,
    revive_queue: i32,
    /// The first offset of each queue.
    starts: FxHashMap<(TopicKind, i32), i64>,
    /// The broker names no first offsets (before 5.0.0): that of the first message of each queue counts.
    is_old: bool,
    /// How often the messages of an ordered pop were delivered before: by queue, and by queue and offset.
    counts: FxHashMap<(i32, Option<i64>), i32>,
    /// The messages whose records were not read yet.
    unread: VecDeque<(TopicKind, i32, i64)>,
}

impl PopHandles {
    /// Reads the header of an answer, and at most this number of places of messages.
    pub(crate) fn new(header: &PopMessageResponseHeader, most: usize) -> Self {
        let starts = entries(header.start_offset_info.as_deref())
            .filter_map(|(kind, queue, offset)| Some(((kind, queue.parse().ok()?), offset.parse().ok()?)));
        let listed = entries(header.msg_offset_info.as_deref());
        let unread = listed.flat_map(|(kind, queue, offsets)| {
            let queue = queue.parse();
            offsets
                .split(',')
                .filter_map(move |offset| Some((kind, queue.clone().ok()?, offset.parse().ok()?)))
        });
        let counts = entries(header.order_count_info.as_deref()).filter_map(|(_, place, count)| {
            let place = match place.strip_prefix("qo").and_then(|place| place.split_once('%')) {
                Some((queue, offset)) => (queue.parse().ok()?, Some(offset.parse().ok()?)),
                None => (place.parse().ok()?, None),
            };
            Some((place, count.parse().ok()?))
        });
        Self {
            pop_time: header.pop_time,
            invisible: header.invisible_time,
            revive_queue: header.revive_qid,
            starts: starts.collect(),
            is_old: header.start_offset_info.is_none(),
            counts: counts.collect(),
            unread: unread.take(most).collect(),
        }
    }

    pub(crate) fn pop_time(&self) -> i64 {
        self.pop_time
    }

    /// The handle of a message of the answer. A broker writes it into messages of retry topics itself.
    pub(crate) fn of(&mut self, message: &MessageExt) -> PopHandle {
        let named = message.property(PROPERTY_POP_CK).and_then(PopHandle::parse);
        let handle = named.unwrap_or_else(|| {
            let kind = TopicKind::of_topic(message.topic());
            self.handle(kind, message.queue_id(), message.queue_offset())
        });
        let place = (handle.kind, handle.queue_id, handle.offset);
        if let Some(at) = self.unread.iter().position(|unread| *unread == place) {
            self.unread.remove(at);
        }
        handle
    }

    /// The handle of the first message whose record was not read.
    pub(crate) fn of_unread(&mut self) -> Option<PopHandle> {
        let (kind, queue_id, offset) = self.unread.pop_front()?;
        Some(self.handle(kind, queue_id, offset))
    }

    /// How often a message of an ordered pop was delivered before.
    pub(crate) fn count(&self, handle: &PopHandle) -> i32 {
        let by_offset = self.counts.get(&(handle.queue_id, Some(handle.offset)));
        by_offset.or_else(|| self.counts.get(&(handle.queue_id, None))).copied().unwrap_or(0)
    }

    fn handle(&mut self, kind: TopicKind, queue_id: i32, offset: i64) -> PopHandle {
        let start = match self.is_old {
            true => *self.starts.entry((kind, queue_id)).or_insert(offset),
            false => self.starts.get(&(kind, queue_id)).copied().unwrap_or(offset),
        };
        let Self { pop_time, invisible, revive_queue, .. } = *self;
        PopHandle { start, pop_time, invisible, revive_queue, kind, queue_id, offset }
    }
}

/// The entries `mark queue value` of a list.
fn entries(list: Option<&str>) -> impl Iterator<Item = (TopicKind, &str, &str)> {
    list.unwrap_or_default().split(';').filter_map(|entry| {
        let mut parts = entry.split(' ');
        Some((TopicKind::of_mark(parts.next()?)?, parts.next()?, parts.next()?))
    })
}

#[cfg(test)]
mod tests {
    use rocketmq_common::Message;
    use rocketmq_common::message_ext::RecordHeader;

    use super::*;

    fn message(queue_id: i32, queue_offset: i64) -> MessageExt {
        let header = RecordHeader { queue_id, queue_offset, ..RecordHeader::default() };
        MessageExt::new(Message::new("T", "x"), header)
    }

    fn answer(starts: Option<&str>) -> PopMessageResponseHeader {
        PopMessageResponseHeader {
            pop_time: 1_000,
            invisible_time: 60_000,
            revive_qid: 5,
            start_offset_info: starts.map(Into::into),
            msg_offset_info: Some("0 0 2,3;0 1 0,1,2;1 0 7".into()),
            order_count_info: Some("0 0 0;0 qo0%3 2".into()),
            ..PopMessageResponseHeader::default()
        }
    }

    #[test]
    fn the_parts_of_an_answer_make_the_handles_of_its_messages() {
        let mut handles = PopHandles::new(&answer(Some("0 0 2;0 1 0;1 0 7")), 32);
        let handle = handles.of(&message(0, 3));
        assert_eq!(handle.extra_info("broker-a"), "2 1000 60000 5 0 broker-a 0 3");
        assert_eq!(PopHandle::parse("2 1000 60000 5 0 broker-a 0 3"), Some(handle));
        assert_eq!((handles.count(&handle), handles.count(&handles_of(0, 2))), (2, 0));
        let unread: Vec<_> =
            std::iter::from_fn(|| handles.of_unread()).map(|one| (one.kind, one.offset)).collect();
        assert_eq!(unread[0], (TopicKind::Own, 2));
        assert_eq!((unread.len(), unread[4]), (5, (TopicKind::Retry, 7)));
    }

    fn handles_of(queue_id: i32, offset: i64) -> PopHandle {
        PopHandles::new(&answer(Some("")), 32).of(&message(queue_id, offset))
    }

    #[test]
    fn a_broker_names_the_handle_of_a_message_that_comes_again() {
        let mut again = message(0, 7);
        again.put_property(PROPERTY_POP_CK, "7 999 10000 3 1 broker-a 0 7");
        let handle = PopHandles::new(&answer(Some("1 0 7")), 32).of(&again);
        assert_eq!((handle.kind, handle.pop_time, handle.revive_queue), (TopicKind::Retry, 999, 3));
        assert_eq!(handle.kind.topic("T", "g"), "%RETRY%g_T");
        assert_eq!(TopicKind::RetryV2.topic("T", "g"), "%RETRY%g+T");
    }

    #[test]
    fn an_answer_that_lists_many_places_is_read_in_part() {
        let listed = vec!["7"; 100_000].join(",");
        let header = PopMessageResponseHeader {
            msg_offset_info: Some(format!("0 0 {listed}").into()),
            ..answer(Some("0 0 7"))
        };
        let mut handles = PopHandles::new(&header, 128);
        assert_eq!(std::iter::from_fn(|| handles.of_unread()).count(), 128);
    }

    #[test]
    fn without_first_offsets_the_first_message_of_a_queue_counts() {
        let mut handles = PopHandles::new(&answer(None), 32);
        assert_eq!(handles.of(&message(1, 4)).start, 4);
        assert_eq!(handles.of(&message(1, 6)).start, 4);
    }

    #[test]
    fn what_is_no_handle_is_not_taken_for_one() {
        for text in ["", "1 2 3", "a 1000 60000 5 0 b 0 3", "2 1000 60000 5 7 b 0 3"] {
            assert_eq!(PopHandle::parse(text), None, "{text}");
        }
    }
}
