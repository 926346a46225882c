//! The entries of a queue: 321. Java: `AdminBrokerProcessor.queryConsumeQueue`.

use serde::Serialize;

use crate::broker::state::Broker;
use crate::wire::{Answer, NOT_SET, Refusal, Request, json_answer, required};
use rocketmq_remoting::protocol::header::QueryConsumeQueueFields;

/// Java: `QueryConsumeQueueResponseBody`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueEntries {
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_data: Option<String>,
    max_queue_index: i64,
    min_queue_index: i64,
    queue_data: Vec<Entry>,
}

/// Java: `ConsumeQueueData`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    eval: bool,
    physic_offset: i64,
    physic_size: usize,
    tags_code: i32,
}

/// 321.
pub(crate) fn queue_data(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QueryConsumeQueueFields<'_> = request.fields()?;
    let topic = required(fields.topic, "topic")?;
    let (queue_id, index) = (fields.queue_id.unwrap_or(0), fields.index.unwrap_or(0));
    let state = broker.lock();
    let queue = state.topics.get(&topic).and_then(|topic| topic.queue(queue_id));
    let Some(queue) = queue.filter(|queue| queue.max_offset() > 0) else {
        let remark = format!("{queue_id}@{topic} is not exist!");
        return Err(Refusal::new(rocketmq_remoting::protocol::ResponseCode::SYSTEM_ERROR, remark));
    };
    if !(queue.min_offset()..queue.max_offset()).contains(&index) {
        let remark = format!("Index {index} of {queue_id}@{topic} is not exist!");
        return Ok(Answer { remark: Some(remark.into()), ..Answer::success() });
    }
    let count = usize::try_from(fields.count.unwrap_or(0)).unwrap_or(0);
    let entries = queue.entries_from(index).take(count).map(|entry| Entry {
        eval: false,
        physic_offset: state.log.position_of(entry.record).unwrap_or(-1),
        physic_size: entry.size,
        tags_code: entry.tags_code,
    });
    let group = fields.consumer_group.filter(|group| !group.is_empty());
    let body = QueueEntries {
        filter_data: group.map(|group| format!("{group}@{topic} is not online!")),
        max_queue_index: queue.max_offset(),
        min_queue_index: queue.min_offset(),
        queue_data: entries.collect(),
    };
    Ok(json_answer(&body)?.with_remark(NOT_SET))
}
