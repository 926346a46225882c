//! Progress of groups, and which groups and topics belong together: 208, 300, 314, 343, 345.

use std::collections::BTreeSet;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::{
    ConsumeStats, GroupList, OffsetWrapper, QuerySubscriptionResponseBody, TopicList,
};
use rocketmq_remoting::protocol::header::{
    CloneGroupOffsetFields, GetConsumeStatsFields, QuerySubscriptionByConsumerFields,
};

use crate::broker::state::{Broker, State, Subscribed, Topic};
use crate::wire::{Answer, Refusal, Request, json_answer, required};

/// 208. Leaves out unknown topics.
pub(crate) fn consume_stats(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: GetConsumeStatsFields<'_> = request.fields()?;
    let group = required(fields.consumer_group.as_deref(), "consumerGroup")?;
    let state = broker.lock();
    let mut stats = ConsumeStats::default();
    for topic in topics(&state, group, &fields) {
        let Some(found) = state.topics.get(topic) else { continue };
        for queue_id in 0..found.config.read_queue_nums {
            let queue = MessageQueue::new(topic, broker.name.clone(), queue_id);
            stats.offset_table.insert(queue, progress(&state, found, group, queue_id));
        }
        stats.consume_tps += state.figures.get_tps(broker.now_ms(), topic, group);
    }
    json_answer(&stats)
}

/// The listed topics; without a list the named one; without a name all topics with committed offsets. In the last two
/// cases, a group with members gets only topics that it subscribes to.
fn topics<'a>(state: &'a State, group: &str, fields: &'a GetConsumeStatsFields<'_>) -> BTreeSet<&'a str> {
    let listed: BTreeSet<&str> =
        fields.topic_list.iter().flat_map(|list| list.split(';')).filter(|topic| !topic.is_empty()).collect();
    if !listed.is_empty() {
        return listed;
    }
    let mut topics = match fields.topic.as_deref().filter(|topic| !topic.trim().is_empty()) {
        Some(topic) => [topic].into(),
        None => state.offsets.topics(group),
    };
    topics.retain(|topic| is_consumed(state, group, topic));
    topics
}

/// Whether a group subscribes to a topic. True for a group without any subscription: its topics are unknown.
pub(crate) fn is_consumed(state: &State, group: &str, topic: &str) -> bool {
    let known = state.consumers.group(group).filter(|group| !group.subscriptions.is_empty());
    known.is_none_or(|group| group.subscriptions.contains_key(topic))
}

pub(crate) fn progress(state: &State, topic: &Topic, group: &str, queue_id: i32) -> OffsetWrapper {
    let name = topic.config.name.as_str();
    let queue = topic.queue(queue_id);
    let consumer_offset = state.offsets.get(name, group, queue_id).unwrap_or(0);
    let pulled = state.offsets.pulled(name, group, queue_id).unwrap_or(0);
    let last = consumer_offset.checked_sub(1).filter(|last| *last >= 0);
    let last = last.and_then(|last| queue?.entries_from(last).next().copied());
    OffsetWrapper {
        broker_offset: queue.map_or(0, |queue| queue.max_offset()),
        consumer_offset,
        last_timestamp: last.map_or(0, |entry| entry.store_timestamp),
        pull_offset: pulled.max(consumer_offset),
    }
}

/// 300. The groups that subscribe to a topic or have committed offsets in it.
pub(crate) fn consumed_by_whom(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QuerySubscriptionByConsumerFields<'_> = request.fields()?;
    let topic = required(fields.topic, "topic")?;
    let state = broker.lock();
    let mut groups = state.consumers.groups_of(&topic);
    groups.extend(state.offsets.groups(&topic));
    json_answer(&GroupList { group_list: groups.into_iter().map(str::to_owned).collect() })
}

/// 343. The topics in which a group has committed offsets.
pub(crate) fn topics_of_group(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QuerySubscriptionByConsumerFields<'_> = request.fields()?;
    let group = required(fields.group, "group")?;
    let state = broker.lock();
    let topic_list = state.offsets.topics(&group).into_iter().map(str::to_owned).collect();
    json_answer(&TopicList { broker_addr: Some(broker.address().to_string()), topic_list })
}

/// 345. A group's subscription to a topic.
pub(crate) fn subscription(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QuerySubscriptionByConsumerFields<'_> = request.fields()?;
    let (group, topic) = (required(fields.group, "group")?, required(fields.topic, "topic")?);
    let subscription_data = match broker.lock().consumers.subscription(&group, &topic) {
        Subscribed::Yes(found) => Some(found.data.clone()),
        Subscribed::NoGroup | Subscribed::NoTopic => None,
    };
    let (group, topic) = (group.into_owned(), topic.into_owned());
    json_answer(&QuerySubscriptionResponseBody { group, subscription_data, topic })
}

/// 314. Without a topic nothing happens, like in Java.
pub(crate) fn clone_offsets(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: CloneGroupOffsetFields<'_> = request.fields()?;
    let topic = fields.topic.as_deref().filter(|topic| !topic.trim().is_empty());
    let from = required(fields.src_group.as_deref(), "srcGroup")?;
    if let (Some(topic), Some(to)) = (topic, fields.dest_group.as_deref()) {
        let mut state = broker.lock();
        let is_free = fields.offline == Some(true) || is_consumed(&state, from, topic);
        if is_free && state.topics.get(topic).is_some() {
            state.offsets.clone_group(topic, from, to);
        }
    }
    Ok(Answer::success())
}
