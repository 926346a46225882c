use std::collections::BTreeMap;

use rocketmq_remoting::protocol::body::{AckBits, BatchAck};

use super::PopHandle;

/// Acknowledges many messages of a group and topic in one request (200151): handles of one pop and one queue go together. The request
/// names the topic itself for messages of retry topics, too. Java: `MQClientAPIImpl.batchAckMessageAsync`.
pub(crate) fn merge(group: &str, topic: &str, handles: impl IntoIterator<Item = PopHandle>) -> Vec<BatchAck> {
    let mut merged: BTreeMap<_, BatchAck> = BTreeMap::new();
    for handle in handles {
        let Some(distance) = distance(&handle) else { continue };
        let PopHandle { start, pop_time, invisible, revive_queue, kind, queue_id, .. } = handle;
        let ack = merged.entry((kind, queue_id, start, pop_time)).or_insert_with(|| BatchAck {
            bit_set: AckBits::default(),
            consumer_group: group.to_owned(),
            invisible_time: invisible,
            pop_time,
            queue_id,
            retry: kind.mark().to_owned(),
            revive_queue_id: revive_queue,
            start_offset: start,
            topic: topic.to_owned(),
        });
        ack.bit_set.insert(distance);
    }
    merged.into_values().collect()
}

/// How far a message is behind the first of its pop; `None` if a request cannot say it, and the message is acknowledged alone.
pub(super) fn distance(handle: &PopHandle) -> Option<u16> {
    u16::try_from(handle.offset.checked_sub(handle.start)?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::handle::TopicKind;
    use super::*;

    fn handle(kind: TopicKind, queue_id: i32, start: i64, offset: i64) -> PopHandle {
        PopHandle { start, pop_time: 1_000, invisible: 60_000, revive_queue: 2, kind, queue_id, offset }
    }

    #[test]
    fn messages_of_one_pop_and_queue_go_together() {
        let acks = merge(
            "g",
            "T",
            [
                handle(TopicKind::Own, 0, 5, 5),
                handle(TopicKind::Retry, 0, 5, 5),
                handle(TopicKind::Own, 0, 5, 7),
                handle(TopicKind::Own, 1, 5, 6),
                handle(TopicKind::Own, 0, 5, 5 + (1 << 20)),
            ],
        );
        let found: Vec<_> = acks
            .iter()
            .map(|ack| (ack.retry.as_str(), ack.queue_id, ack.bit_set.iter().collect::<Vec<_>>()))
            .collect();
        assert_eq!(found, [("0", 0, vec![0, 2]), ("0", 1, vec![1]), ("1", 0, vec![0])]);
        assert!(acks.iter().all(|ack| ack.topic == "T"), "retry topics, too, are named by the topic itself");
    }
}
