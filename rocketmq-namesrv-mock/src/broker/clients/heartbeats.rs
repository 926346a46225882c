//! Heartbeats, unregistering, members of groups: 34, 35, 38. Java: `ClientManageProcessor`.

use rocketmq_common::mix_all::retry_topic;
use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::body::{
    ConsumerData, GetConsumerListByGroupResponseBody, HeartbeatData, SubscriptionData,
};
use rocketmq_remoting::protocol::header::UnregisterClientFields;
use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, ResponseCode};

use crate::broker::state::{
    Broker, Changed, ClientChannelInfo, ConsumeMode, State, Subscription, TopicSettings,
};
use crate::history::BrokerEvent;
use crate::wire::{Answer, Refusal, Reply, Request, json_answer, json_body, required};

/// Java: `TopicSysFlag.FLAG_UNIT_SUB`.
const UNIT_SUB: i32 = 2;

/// 34. Who comes into a group is told that it changed before the heartbeat is answered.
pub(crate) fn heart_beat(broker: &Broker, command: RemotingCommand, responder: Reply) {
    let newcomer = responder.connection().clone();
    match take_in(broker, &command, newcomer.clone()) {
        Ok((changed, answer)) if changed.is_empty() => answer.send(responder),
        Ok((changed, answer)) => {
            let told = broker.notify_others(changed, &newcomer);
            broker.tasks.spawn(async move {
                // Whatever holds up the news does not hold up the answer.
                tokio::join!(told, async { answer.send(responder) });
            });
        }
        Err(refusal) => refusal.send(responder),
    }
}

/// Notes the client as a member of its groups. Returns the groups that changed.
fn take_in(
    broker: &Broker,
    command: &RemotingCommand,
    connection: Connection,
) -> Result<(Vec<Changed>, Answer), Refusal> {
    let data: HeartbeatData = json_body(command, "heartbeatData")?;
    let client = ClientChannelInfo {
        connection,
        client_id: data.client_id,
        language: command.language,
        version: command.version,
        heard_ms: broker.now_ms(),
    };
    broker.recorder.note(|| BrokerEvent::Heartbeat {
        client: client.client_id.as_str().into(),
        groups: data.consumer_data_set.iter().map(|consumer| consumer.group_name.clone()).collect(),
    });
    // Without a fingerprint it is the first version of the protocol, whose answer always reports a change.
    let is_first_version = data.heartbeat_fingerprint == 0;
    let with_subscriptions = is_first_version || !data.without_sub;
    let mut is_sub_change = is_first_version;
    let mut changed = Vec::new();
    for consumer in data.consumer_data_set {
        let mut state = broker.lock();
        is_sub_change |= state.consumers.note_fingerprint(&consumer.group_name, data.heartbeat_fingerprint);
        changed.extend(register(broker, &mut state, consumer, client.clone(), with_subscriptions));
    }
    for producer in data.producer_data_set {
        broker.lock().producers.register(&producer.group_name, client.clone());
    }
    changed.retain(|changed| !changed.members.is_empty());
    let answer = Answer::success()
        .with_field("IS_SUPPORT_HEART_BEAT_V2", true)
        .with_field("IS_SUB_CHANGE", is_sub_change);
    Ok((changed, answer))
}

/// Adds a member if its group may exist, and creates the group's retry topic if need be.
fn register(
    broker: &Broker,
    state: &mut State,
    consumer: ConsumerData,
    member: ClientChannelInfo,
    with_subscriptions: bool,
) -> Option<Changed> {
    let group = consumer.group_name.as_str();
    let config = state.groups.find(group)?;
    let (retry_queues, wants_to_know) = (config.retry_queue_nums, config.notify_consumer_ids_changed_enable);
    let is_ordered =
        |data: &SubscriptionData| state.topics.get(&data.topic).is_some_and(|topic| topic.config.order);
    let retry_topic = TopicSettings {
        order: consumer.subscription_data_set.iter().any(is_ordered),
        sys_flag: if consumer.unit_mode { UNIT_SUB } else { 0 },
        ..TopicSettings::new(retry_topic(group), retry_queues)
    };
    broker.ensure_topic(state, retry_topic);
    let mode = ConsumeMode {
        consume_type: consumer.consume_type,
        message_model: consumer.message_model,
        consume_from_where: consumer.consume_from_where,
    };
    if with_subscriptions {
        state.filters.register(group, &consumer.subscription_data_set);
    }
    let subscriptions = consumer.subscription_data_set.into_iter().map(Subscription::from).collect();
    let changed = state.consumers.register(group, member, mode, with_subscriptions.then_some(subscriptions));
    changed.filter(|_| wants_to_know)
}

/// 35. Ignores unknown groups and clients.
pub(crate) fn unregister(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: UnregisterClientFields<'_> = request.fields()?;
    let connection = request.responder.connection().id();
    let mut changed = None;
    let mut state = broker.lock();
    if let Some(group) = &fields.producer_group {
        state.producers.unregister(group, connection);
    }
    if let Some(group) = &fields.consumer_group {
        let wants_to_know =
            state.groups.find(group).is_none_or(|config| config.notify_consumer_ids_changed_enable);
        changed = state.consumers.unregister(group, connection).filter(|_| wants_to_know);
    }
    drop(state);
    broker.notify_consumer_ids_changed(changed);
    Ok(Answer::success().with_empty_fields())
}

/// 38.
pub(crate) fn consumer_list(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: UnregisterClientFields<'_> = request.fields()?;
    let group = required(fields.consumer_group, "consumerGroup")?;
    let consumer_id_list = broker.consumer_ids(&group);
    if consumer_id_list.is_empty() {
        let remark = format!("no consumer for this group, {group}");
        let mut refusal = Refusal::new(ResponseCode::SYSTEM_ERROR, remark);
        refusal.fields = ExtFields::empty();
        return Err(refusal);
    }
    let answer = json_answer(&GetConsumerListByGroupResponseBody { consumer_id_list })?;
    Ok(answer.with_empty_fields())
}
