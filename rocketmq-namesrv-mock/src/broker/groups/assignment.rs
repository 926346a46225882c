//! Assignment of queues by the broker: 400, 401, 402. Java: `QueryAssignmentProcessor`.

use std::collections::BTreeSet;

use rocketmq_common::MessageQueue;
use rocketmq_common::mix_all::is_retry_topic;
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{
    MessageModel, MessageQueueAssignment, MessageRequestMode, QueryAssignmentRequestBody,
    QueryAssignmentResponseBody, SetMessageRequestModeRequestBody,
};
use serde::de::DeserializeOwned;

use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, decode_json, json_answer};

/// 400. The body is empty if nothing is assigned, for example to a group without members.
pub(crate) fn query_assignment(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let body: QueryAssignmentRequestBody = body(request)?;
    let (mode, share) = broker.lock().modes.get(&body.topic, &body.consumer_group);
    let queues = queues(broker, &body, &mode, share);
    let assignment =
        |message_queue| MessageQueueAssignment { attachments: None, message_queue, mode: mode.clone() };
    let assignments = queues.map(|queues| queues.into_iter().map(assignment).collect());
    json_answer(&QueryAssignmentResponseBody { message_queue_assignments: assignments })
}

/// 401.
pub(crate) fn set_mode(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let SetMessageRequestModeRequestBody { consumer_group, mode, pop_share_queue_num, topic } =
        body(request)?;
    if is_retry_topic(&topic) {
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, "retry topic is not allowed to set mode"));
    }
    let state = &mut *broker.lock();
    state.topics.find(&topic)?;
    if !state.groups.find_or_create(&consumer_group) {
        let remark = "subscription group does not exist";
        return Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    }
    state.modes.set(topic, consumer_group, mode, pop_share_queue_num);
    Ok(Answer::success())
}

/// 402. Java: `MessageRequestModeSerializeWrapper`.
pub(crate) fn request_modes(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    json_answer(&serde_json::json!({ "messageRequestModeMap": broker.lock().modes.all() }))
}

fn body<T: DeserializeOwned>(request: &Request<'_>) -> Result<T, Refusal> {
    let body = request.command.body.trim_ascii();
    if body.is_empty() {
        return Err(Refusal::null("requestBody"));
    }
    decode_json(body)
}

/// `None` if the topic, the group or the strategy is unknown.
fn queues(
    broker: &Broker,
    body: &QueryAssignmentRequestBody,
    mode: &MessageRequestMode,
    share: i32,
) -> Option<BTreeSet<MessageQueue>> {
    let all = readable(broker, &body.topic)?;
    if body.message_model == MessageModel::Broadcasting {
        return Some(all.into_iter().collect());
    }
    let mut members = broker.consumer_ids(&body.consumer_group);
    if members.is_empty() {
        return None;
    }
    members.sort_unstable();
    let allocate = match body.strategy_name.as_str() {
        "AVG" => averagely,
        "AVG_BY_CIRCLE" => by_circle,
        _ => return None,
    };
    let place = members.iter().position(|member| *member == body.client_id);
    let (count, share) = (members.len(), usize::try_from(share).unwrap_or(0));
    if *mode != MessageRequestMode::Pop {
        let own = place.map(|place| allocate(&all, place, count)).unwrap_or_default();
        return Some(own.into_iter().collect());
    }
    if share == 0 || share >= count - 1 {
        // Each member pops from all queues of each broker.
        return Some(
            all.iter().map(|queue| MessageQueue::new(queue.topic(), queue.broker_name(), -1)).collect(),
        );
    }
    let Some(place) = place else { return Some(BTreeSet::new()) };
    if count > all.len() {
        return Some([all[place % all.len()].clone()].into());
    }
    let neighbours = (place..=place + share).map(|place| place % count);
    Some(neighbours.flat_map(|place| allocate(&all, place, count)).collect())
}

/// The readable queues of a topic, in Java's order.
fn readable(broker: &Broker, topic: &str) -> Option<Vec<MessageQueue>> {
    let route = broker.name_servers.iter().find_map(|routes| routes.route(topic))?;
    let readable = route.iter().filter(|(.., queues)| queues.perm.is_readable());
    let queues = readable.flat_map(|(name, _, queues)| {
        (0..queues.read_queue_nums).map(|queue_id| MessageQueue::new(topic, name.clone(), queue_id))
    });
    let mut queues: Vec<_> = queues.collect();
    queues.sort();
    (!queues.is_empty()).then_some(queues)
}

/// Assigns a run of neighbouring queues to each member. Java: `AllocateMessageQueueAveragely`.
fn averagely(all: &[MessageQueue], place: usize, count: usize) -> Vec<MessageQueue> {
    let (each, left) = (all.len() / count, all.len() % count);
    let size = each + usize::from(place < left);
    let start = place * each + place.min(left);
    all.iter().skip(start).take(size).cloned().collect()
}

/// Assigns the queues to the members in turn. Java: `AllocateMessageQueueAveragelyByCircle`.
fn by_circle(all: &[MessageQueue], place: usize, count: usize) -> Vec<MessageQueue> {
    all.iter().skip(place).step_by(count).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_split_among_the_members() {
        let all: Vec<_> = (0..5).map(|queue_id| MessageQueue::new("T", "b", queue_id)).collect();
        let ids = |queues: Vec<MessageQueue>| queues.iter().map(MessageQueue::queue_id).collect::<Vec<_>>();
        assert_eq!([0, 1, 2].map(|place| ids(averagely(&all, place, 3))), [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!([0, 1].map(|place| ids(by_circle(&all, place, 2))), [vec![0, 2, 4], vec![1, 3]]);
        assert!(averagely(&all, 6, 7).is_empty());
    }
}
