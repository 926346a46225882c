//! Taking messages off a queue. Java: `DefaultMessageStore.getMessage`.

use bytes::Bytes;
use rocketmq_remoting::protocol::ResponseCode;

use super::joined;
use crate::broker::filter::MessageFilter;
use crate::store::{CommitLog, ConsumeQueue};

/// The most messages of one answer. Java: `maxTransferCountOnMessageInMemory`.
const MAX_COUNT: usize = 32;

/// The most bytes of one answer, unless a single message has more. Java: `maxTransferBytesOnMessageInMemory`.
const MAX_BYTES: usize = 256 * 1024;

/// Entries that are looked at for one answer at least, whether they match or not.
const MIN_SCAN: usize = 800;

/// What a pull found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) code: ResponseCode,
    /// Java's name of the outcome.
    pub(super) remark: &'static str,
    pub(super) next_begin_offset: i64,
    pub(super) max_offset: i64,
    pub(super) topic_sys_flag: i32,
    pub(super) body: Bytes,
}

/// Reads from this offset on what the filter lets pass.
pub(super) fn read(
    queue: &ConsumeQueue,
    log: &CommitLog,
    offset: i64,
    max_msg_nums: i32,
    filter: &MessageFilter,
    topic_sys_flag: i32,
) -> Found {
    let max_offset = queue.max_offset();
    let nothing = |code, remark, next_begin_offset| Found {
        code,
        remark,
        next_begin_offset,
        max_offset,
        topic_sys_flag,
        body: Bytes::new(),
    };
    let moved = ResponseCode::PULL_OFFSET_MOVED;
    if max_offset == 0 {
        let code = if offset == 0 { ResponseCode::PULL_NOT_FOUND } else { moved };
        return nothing(code, "NO_MESSAGE_IN_QUEUE", 0);
    }
    if offset < 0 {
        return nothing(moved, "OFFSET_TOO_SMALL", 0);
    }
    if offset == max_offset {
        return nothing(ResponseCode::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE", offset);
    }
    if offset > max_offset {
        return nothing(moved, "OFFSET_OVERFLOW_BADLY", max_offset);
    }
    let taken = take(queue, log, offset, max_msg_nums, filter);
    if taken.records.is_empty() {
        return nothing(ResponseCode::PULL_RETRY_IMMEDIATELY, "NO_MATCHED_MESSAGE", taken.next);
    }
    let body = joined(taken.records.iter().filter_map(|number| log.record(*number)));
    Found { body, ..nothing(ResponseCode::SUCCESS, "FOUND", taken.next) }
}

struct Taken {
    /// Numbers of records in the commit log.
    records: Vec<usize>,
    /// The offset behind the last entry that was looked at.
    next: i64,
}

fn take(
    queue: &ConsumeQueue,
    log: &CommitLog,
    offset: i64,
    max_msg_nums: i32,
    filter: &MessageFilter,
) -> Taken {
    let wanted = usize::try_from(max_msg_nums).unwrap_or(0);
    let mut taken = Taken { records: Vec::new(), next: offset };
    let mut bytes = 0;
    for entry in queue.entries_from(offset).iter().take(MIN_SCAN.max(wanted)) {
        let count = taken.records.len();
        // The first message always goes out, however large it is and however few were asked for.
        let is_full = count >= wanted.min(MAX_COUNT) || bytes + entry.size > MAX_BYTES;
        if count > 0 && is_full {
            break;
        }
        taken.next += 1;
        if filter.matches_record(entry.tags_code, log.record(entry.record)) {
            taken.records.push(entry.record);
            bytes += entry.size;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::filter::TagFilter;
    use crate::store::QueueEntry;

    fn all() -> MessageFilter {
        MessageFilter::Tags(TagFilter::All.into())
    }

    fn queue(tags_and_sizes: impl Iterator<Item = (i32, usize)>) -> ConsumeQueue {
        let mut queue = ConsumeQueue::default();
        for (record, (tags_code, size)) in tags_and_sizes.enumerate() {
            queue.push(QueueEntry { record, size, tags_code, store_timestamp: 0 });
        }
        queue
    }

    fn outcome(queue: &ConsumeQueue, offset: i64) -> (i32, &'static str, i64) {
        let found = read(queue, &CommitLog::new(0), offset, 32, &all(), 0);
        (found.code.0, found.remark, found.next_begin_offset)
    }

    fn taken(queue: &ConsumeQueue, max_msg_nums: i32, filter: &MessageFilter) -> (usize, i64) {
        let taken = take(queue, &CommitLog::new(0), 0, max_msg_nums, filter);
        (taken.records.len(), taken.next)
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
        assert_eq!([taken(&many, 0, &all()), taken(&many, -1, &all())], [(1, 1); 2]);
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
