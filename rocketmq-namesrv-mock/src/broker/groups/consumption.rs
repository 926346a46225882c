//! Progress of all groups (317), store and consume times of the queues (303), and the lowest committed offset of any
//! group (308).

use std::collections::BTreeMap;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::{ConsumeStats, OffsetWrapper};
use rocketmq_remoting::protocol::header::{
    GetConsumeStatsInBrokerHeader, QueryConsumeTimeSpanFields, QueryCorrectionOffsetFields,
};
use serde::Serialize;

use super::progress::{is_consumed, progress};
use crate::broker::state::{Broker, State, Topic};
use crate::wire::{Answer, Refusal, Request, bare_numbers, java_time, json_answer, required};

/// Java: `ConsumeStatsList`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConsumeStatsList<'a> {
    broker_addr: String,
    /// For each group the progress in its topics.
    consume_stats_list: Vec<BTreeMap<&'a str, Vec<ConsumeStats>>>,
    total_diff: i64,
    total_inflight_diff: i64,
}

/// 317. The positions of the last pulls are missing, so that messages in flight count below zero, like in Java.
pub(crate) fn all_groups(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let is_order =
        request.command.header().is_ok_and(|header: GetConsumeStatsInBrokerHeader| header.is_order);
    let (broker_addr, now_ms) = (broker.address().to_string(), broker.now_ms());
    let state = &*broker.lock();
    let stats = |group: &str, topic: &Topic| {
        let name = topic.config.name.as_str();
        let of_queue = |queue_id| {
            let queue = MessageQueue::new(name, broker.name().clone(), queue_id);
            (queue, OffsetWrapper { pull_offset: 0, ..progress(state, topic, group, queue_id) })
        };
        let offset_table = (0..topic.config.write_queue_nums).map(of_queue).collect();
        ConsumeStats { consume_tps: state.figures.get_tps(now_ms, name, group), offset_table }
    };
    let mut consume_stats_list = Vec::new();
    for group in state.groups.all().keys() {
        let topics = state.offsets.topics(group).into_iter().filter_map(|topic| state.topics.get(topic));
        let topics = topics.filter(|topic| !is_order || topic.config.order);
        let topics = topics.filter(|topic| is_consumed(state, group, &topic.config.name));
        let all = topics.map(|topic| stats(group, topic)).collect();
        consume_stats_list.push(BTreeMap::from([(group.as_str(), all)]));
    }
    let sum = |difference: fn(&OffsetWrapper) -> i64| -> i64 {
        let all = consume_stats_list.iter().flat_map(BTreeMap::values).flatten();
        let queues = all.flat_map(|stats: &ConsumeStats| stats.offset_table.values());
        // Wrapping: groups may commit any offset, and Java's numbers wrap.
        queues.map(difference).fold(0, i64::wrapping_add)
    };
    let total_diff = sum(|queue| queue.broker_offset - queue.consumer_offset);
    let total_inflight_diff = sum(|queue| queue.pull_offset - queue.consumer_offset);
    let list = ConsumeStatsList { broker_addr, consume_stats_list, total_diff, total_inflight_diff };
    json_answer(&list)
}

/// Java: `QueueTimeSpan`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueTimeSpan {
    consume_time_stamp: i64,
    consume_time_stamp_str: String,
    delay_time: i64,
    max_time_stamp: i64,
    max_time_stamp_str: String,
    message_queue: MessageQueue,
    min_time_stamp: i64,
    min_time_stamp_str: String,
}

/// Java: `QueryConsumeTimeSpanBody`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TimeSpans {
    consume_time_span_set: Vec<QueueTimeSpan>,
}

/// 303. The texts are in UTC.
pub(crate) fn time_spans(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QueryConsumeTimeSpanFields<'_> = request.fields()?;
    let topic = required(fields.topic.as_deref(), "topic")?;
    let group = fields.group.as_deref().unwrap_or("null");
    let state = broker.lock();
    let found = state.topics.find(topic)?;
    let span = |queue_id| {
        let queue = MessageQueue::new(topic, broker.name().clone(), queue_id);
        time_span(&state, found, queue, group, broker.now_ms())
    };
    json_answer(&TimeSpans { consume_time_span_set: (0..found.config.write_queue_nums).map(span).collect() })
}

fn time_span(
    state: &State,
    topic: &Topic,
    message_queue: MessageQueue,
    group: &str,
    now_ms: i64,
) -> QueueTimeSpan {
    let queue = topic.queue_or_empty(message_queue.queue_id());
    let stored_at = |offset: i64| {
        let entry = (offset >= 0).then(|| queue.entries_from(offset).next()).flatten();
        entry.map_or(-1, |entry| entry.store_timestamp)
    };
    let committed = state.offsets.get(message_queue.topic(), group, message_queue.queue_id()).unwrap_or(-1);
    let (min, max) = (stored_at(queue.min_offset()), stored_at(queue.max_offset() - 1));
    let consumed = if committed > 0 { stored_at(committed - 1) } else { min };
    let waits = committed < queue.max_offset();
    QueueTimeSpan {
        consume_time_stamp: consumed,
        consume_time_stamp_str: java_time(consumed),
        delay_time: if waits { now_ms.saturating_sub(stored_at(committed)) } else { 0 },
        max_time_stamp: max,
        max_time_stamp_str: java_time(max),
        message_queue,
        min_time_stamp: min,
        min_time_stamp_str: java_time(min),
    }
}

/// 308. The groups to leave out lose all their offsets, like in Java.
pub(crate) fn correction_offsets(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QueryCorrectionOffsetFields<'_> = request.fields()?;
    let mut state = broker.lock();
    for group in fields.filter_groups.iter().flat_map(|groups| groups.split(',')) {
        state.offsets.forget_committed(group);
    }
    let topic = required(fields.topic.as_deref(), "topic")?;
    let min_offset =
        |queue_id| state.topics.get(topic).map_or(0, |topic| topic.queue_or_empty(queue_id).min_offset());
    let mut lowest = BTreeMap::<i32, i64>::new();
    for group in state.offsets.groups(topic) {
        for (queue_id, offset) in state.offsets.of_topic(topic, group) {
            if offset >= min_offset(queue_id) {
                let known = lowest.entry(queue_id).or_insert(offset);
                *known = offset.min(*known);
            }
        }
    }
    let compared = fields.compare_group.as_deref().map(|group| state.offsets.of_topic(topic, group));
    for (queue_id, offset) in compared.unwrap_or_default() {
        let lowest = required(lowest.get_mut(&queue_id), "correctionOffset")?;
        if *lowest > offset {
            *lowest = i64::MAX;
        }
    }
    Ok(Answer::success().with_body(format!(r#"{{"correctionOffsets":{}}}"#, bare_numbers(&lowest))))
}
