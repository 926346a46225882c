//! Reads messages from a queue. Java: `DefaultMessageStore.getMessage`.

use rocketmq_remoting::protocol::ResponseCode;

use crate::broker::filters::MessageFilter;
use crate::broker::state::Broker;
use crate::store::{CommitLog, ConsumeQueue};

/// The smallest number of entries tested for one answer, matching or not.
const MIN_SCAN: usize = 800;

/// Java: `GetMessageStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Found,
    NoMatchedMessage,
    NoMessageInQueue,
    OffsetTooSmall,
    OffsetOverflowOne,
    OffsetOverflowBadly,
    /// The group was moved: the queue was not read.
    OffsetReset,
}

/// The result of reading from an offset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) status: Status,
    pub(crate) next_begin_offset: i64,
    pub(crate) min_offset: i64,
    pub(crate) max_offset: i64,
    /// Offsets in the queue, and numbers of records in the commit log.
    pub(crate) messages: Vec<(i64, usize)>,
}

impl Status {
    /// Java's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Found => "FOUND",
            Self::NoMatchedMessage => "NO_MATCHED_MESSAGE",
            Self::NoMessageInQueue => "NO_MESSAGE_IN_QUEUE",
            Self::OffsetTooSmall => "OFFSET_TOO_SMALL",
            Self::OffsetOverflowOne => "OFFSET_OVERFLOW_ONE",
            Self::OffsetOverflowBadly => "OFFSET_OVERFLOW_BADLY",
            Self::OffsetReset => "OFFSET_RESET",
        }
    }
}

impl Found {
    /// The code of the answer to a pull from this offset.
    pub(crate) fn code(&self, offset: i64) -> ResponseCode {
        match self.status {
            Status::Found => ResponseCode::SUCCESS,
            Status::NoMatchedMessage => ResponseCode::PULL_RETRY_IMMEDIATELY,
            Status::OffsetOverflowOne => ResponseCode::PULL_NOT_FOUND,
            Status::NoMessageInQueue if offset == 0 => ResponseCode::PULL_NOT_FOUND,
            _ => ResponseCode::PULL_OFFSET_MOVED,
        }
    }
}

/// Sends the group to the offset to which it was moved, even outside the queue.
pub(crate) fn moved(queue: &ConsumeQueue, next_begin_offset: i64) -> Found {
    Found {
        status: Status::OffsetReset,
        next_begin_offset,
        min_offset: queue.min_offset(),
        max_offset: queue.max_offset(),
        messages: Vec::new(),
    }
}

/// The room in one answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// The number of messages in the request.
    pub(crate) wanted: usize,
    /// Java: `maxTransferCountOnMessageInMemory`.
    pub(crate) max_count: usize,
    /// Unless a single message has more. Java: `maxTransferBytesOnMessageInMemory`.
    pub(crate) max_bytes: usize,
}

impl Room {
    /// The room in an answer of this broker.
    pub(crate) fn new(broker: &Broker, wanted: i32) -> Self {
        let obeyed = broker.obeyed();
        Self {
            wanted: usize::try_from(wanted).unwrap_or(0),
            max_count: obeyed.max_transfer_count,
            max_bytes: obeyed.max_transfer_bytes,
        }
    }
}

/// Reads the messages from this offset on that pass the filter.
pub(crate) fn read(
    queue: &ConsumeQueue,
    log: &CommitLog,
    offset: i64,
    room: Room,
    filter: &MessageFilter,
) -> Found {
    let (min_offset, max_offset) = (queue.min_offset(), queue.max_offset());
    let nothing = |status, next_begin_offset| Found {
        status,
        next_begin_offset,
        min_offset,
        max_offset,
        messages: Vec::new(),
    };
    if max_offset == 0 {
        return nothing(Status::NoMessageInQueue, 0);
    }
    if offset < min_offset {
        return nothing(Status::OffsetTooSmall, min_offset);
    }
    if offset == max_offset {
        return nothing(Status::OffsetOverflowOne, offset);
    }
    if offset > max_offset {
        return nothing(Status::OffsetOverflowBadly, max_offset);
    }
    let Taken { messages, next } = take(queue, log, offset, room, filter);
    if messages.is_empty() {
        return nothing(Status::NoMatchedMessage, next);
    }
    Found { messages, ..nothing(Status::Found, next) }
}

struct Taken {
    messages: Vec<(i64, usize)>,
    /// The offset after the last tested entry.
    next: i64,
}

fn take(queue: &ConsumeQueue, log: &CommitLog, offset: i64, room: Room, filter: &MessageFilter) -> Taken {
    let Room { wanted, max_count, max_bytes } = room;
    let start = queue.start_of_record(offset);
    let mut taken = Taken { messages: Vec::with_capacity(wanted.min(max_count).min(32)), next: start };
    let (mut count, mut bytes) = (0, 0);
    let records = queue.entries_from(start).filter(|entry| entry.index == 0);
    // Bounded, like in Java: a filter that matches nothing must not scan the whole queue.
    for entry in records.take(MIN_SCAN.max(wanted)) {
        // The first record always goes out, whatever its size and the requested count.
        let is_full =
            count + usize::from(entry.count) > wanted.min(max_count) || bytes + entry.size > max_bytes;
        if count > 0 && is_full {
            break;
        }
        if filter.matches_record(entry.tags_code, log.record(entry.record)) {
            taken.messages.push((taken.next, entry.record));
            count += usize::from(entry.count);
            bytes += entry.size;
        }
        taken.next += i64::from(entry.count);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::filters::TagFilter;
    use crate::store::QueueEntry;

    fn all() -> MessageFilter {
        MessageFilter::Tags(TagFilter::All.into())
    }

    fn queue(tags_and_sizes: impl Iterator<Item = (i32, usize)>) -> ConsumeQueue {
        let mut queue = ConsumeQueue::default();
        for (record, (tags_code, size)) in tags_and_sizes.enumerate() {
            queue.push(QueueEntry { record, size, tags_code, index: 0, count: 1, store_timestamp: 0 });
        }
        queue
    }

    /// As an answer of Apache's broker has by default.
    fn room(wanted: usize) -> Room {
        Room { wanted, max_count: 32, max_bytes: 256 * 1024 }
    }

    fn outcome(queue: &ConsumeQueue, offset: i64) -> (i32, &'static str, i64) {
        let found = read(queue, &CommitLog::new(0), offset, room(32), &all());
        (found.code(offset).0, found.status.name(), found.next_begin_offset)
    }

    fn taken(queue: &ConsumeQueue, wanted: usize, filter: &MessageFilter) -> (usize, i64) {
        let taken = take(queue, &CommitLog::new(0), 0, room(wanted), filter);
        (taken.messages.len(), taken.next)
    }

    #[test]
    fn an_offset_outside_the_queue_is_put_right() {
        let empty = ConsumeQueue::default();
        assert_eq!(outcome(&empty, 0), (19, "NO_MESSAGE_IN_QUEUE", 0));
        assert_eq!(outcome(&empty, 5), (21, "NO_MESSAGE_IN_QUEUE", 0));
        assert_eq!(outcome(&empty, -1), (21, "NO_MESSAGE_IN_QUEUE", 0));
        let three = queue([(0, 1); 3].into_iter());
        assert_eq!(outcome(&three, -1), (21, "OFFSET_TOO_SMALL", 0));
        assert_eq!(outcome(&three, 1), (0, "FOUND", 3));
        assert_eq!(outcome(&three, 3), (19, "OFFSET_OVERFLOW_ONE", 3));
        assert_eq!(outcome(&three, 4), (21, "OFFSET_OVERFLOW_BADLY", 3));
    }

    #[test]
    fn an_answer_has_at_most_32_messages_and_256_kib_but_always_one() {
        let many = queue([(0, 1); 100].into_iter());
        assert_eq!(taken(&many, 64, &all()), (32, 32));
        assert_eq!(taken(&many, 5, &all()), (5, 5));
        assert_eq!(taken(&many, 0, &all()), (1, 1));
        assert_eq!(taken(&queue([(0, 102_400); 8].into_iter()), 32, &all()), (2, 2));
        assert_eq!(taken(&queue([(0, 1 << 22); 2].into_iter()), 32, &all()), (1, 1));
    }

    #[test]
    fn a_scan_ends_after_800_entries_that_do_not_match() {
        let many = queue((0..2000).map(|index| (i32::from(index == 900), 1)));
        let filter = MessageFilter::Tags(TagFilter::Codes(vec![1]).into());
        assert_eq!(taken(&many, 1, &filter), (0, 800));
        assert_eq!(taken(&many, 1000, &filter), (1, 1000));
    }
}
