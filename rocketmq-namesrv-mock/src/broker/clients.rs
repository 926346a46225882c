//! Clients that come, stay and go: 34, 35, 38.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use rocketmq_common::mix_all::retry_topic;
use rocketmq_remoting::protocol::body::{
    GetConsumerListByGroupResponseBody, HeartbeatData, SubscriptionData, decode_body, encode_body,
};
use rocketmq_remoting::protocol::{ExtFields, ResponseCode};

use super::Broker;
use super::consumers::Subscription;
use super::filter::TagFilter;
use super::producers::Producer;
use super::table::Request;
use super::topic_table::TopicConfig;
use crate::wire::{Answer, NumberPolicy, Refusal, read_fields, request_fields, required};

request_fields! {
    /// Java: `UnregisterClientRequestHeader`, `GetConsumerListByGroupRequestHeader`.
    ClientFields {
        "consumerGroup" consumer_group: Cow<'a, str>,
        "producerGroup" producer_group: Cow<'a, str>,
    }
}

/// 34.
pub(super) fn heart_beat(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let body = request.command.body.trim_ascii();
    if body.is_empty() {
        return Err(Refusal::null("heartbeatData"));
    }
    let no_json = |error: &dyn Display| Refusal::exception("com.alibaba.fastjson2.JSONException", error);
    if !body.starts_with(b"{") {
        return Err(no_json(&"expect {"));
    }
    let data: HeartbeatData = decode_body(body).map_err(|error| no_json(&error))?;
    let connection = request.responder.connection().id();
    // Without a fingerprint it is the first version of the protocol, which always reports a change.
    let is_first_version = data.heartbeat_fingerprint == 0;
    let mut is_sub_change = is_first_version;
    for producer in data.producer_data_set {
        let member = Producer {
            connection: request.responder.connection().clone(),
            client_id: data.client_id.clone(),
            language: request.command.language,
            version: request.command.version,
        };
        broker.lock().producers.register(&producer.group_name, member);
    }
    for consumer in data.consumer_data_set {
        let group = consumer.group_name.as_str();
        let mut state = broker.lock();
        is_sub_change |= state.consumers.note_fingerprint(group, data.heartbeat_fingerprint);
        if !state.groups.find_or_create(group) {
            continue;
        }
        let topic = retry_topic(group);
        let is_new = state.topics.get(&topic).is_none();
        let keeps_subscriptions = data.without_sub && !is_first_version;
        if !keeps_subscriptions {
            state.filters.register(group, &consumer.subscription_data_set);
        }
        let subscriptions = consumer.subscription_data_set.into_iter().map(Subscription::from).collect();
        let subscriptions = (!keeps_subscriptions).then_some(subscriptions);
        state.consumers.register(group, connection, &data.client_id, subscriptions);
        drop(state);
        if is_new {
            let sys_flag = if consumer.unit_mode { 2 } else { 0 };
            broker.put_topic(TopicConfig { sys_flag, ..TopicConfig::new(topic, 1) });
        }
    }
    Ok(Answer::success()
        .with_field("IS_SUPPORT_HEART_BEAT_V2", true)
        .with_field("IS_SUB_CHANGE", is_sub_change))
}

/// 35. Groups and clients that are not known do not matter.
pub(super) fn unregister(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ClientFields<'_> = read_fields(&request.command.ext_fields, NumberPolicy::Ignore)?;
    if let Some(group) = &fields.consumer_group {
        broker.lock().consumers.unregister(group, request.responder.connection().id());
    }
    if let Some(group) = &fields.producer_group {
        broker.lock().producers.unregister(group, request.responder.connection().id());
    }
    Ok(Answer::success().with_empty_fields())
}

/// 38.
pub(super) fn consumer_list(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ClientFields<'_> = read_fields(&request.command.ext_fields, NumberPolicy::Ignore)?;
    let group = required(fields.consumer_group, "consumerGroup")?;
    let state = broker.lock();
    let consumer_id_list: Vec<String> =
        state.consumers.client_ids(&group).into_iter().map(str::to_owned).collect();
    if consumer_id_list.is_empty() {
        let remark = format!("no consumer for this group, {group}");
        let mut refusal = Refusal::new(ResponseCode::SYSTEM_ERROR, remark);
        refusal.fields = ExtFields::empty();
        return Err(refusal);
    }
    let body = encode_body(&GetConsumerListByGroupResponseBody { consumer_id_list });
    let body = body.map_err(|error| Refusal::exception("java.lang.RuntimeException", error))?;
    Ok(Answer::success().with_empty_fields().with_body(body))
}

impl From<SubscriptionData> for Subscription {
    fn from(data: SubscriptionData) -> Self {
        let filter = match data.sub_string.as_str() {
            "*" => TagFilter::All,
            _ => TagFilter::Codes(data.code_set),
        };
        Self {
            topic: data.topic,
            version: data.sub_version,
            other_language: Some(data.expression_type).filter(|kind| !kind.is_empty() && kind != "TAG"),
            filter: Arc::new(filter),
        }
    }
}
