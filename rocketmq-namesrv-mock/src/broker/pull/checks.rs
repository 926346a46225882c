//! Checks whether a group may read a queue, in the order of Apache's broker, and reads its filter.

use std::borrow::Cow;
use std::sync::Arc;

use rocketmq_common::sysflag::PullSysFlag;
use rocketmq_remoting::protocol::body::MessageModel;
use rocketmq_remoting::protocol::header::PullMessageFields;
use rocketmq_remoting::protocol::{ExtFields, ResponseCode};

use crate::broker::filters::{MessageFilter, Selector, Wanted, no_property_filter};
use crate::broker::state::{Broker, State, Subscribed};
use crate::wire::{Refusal, Reply, SEE_FAQ, peer_with_slash, required};

/// Java: `ForbiddenType`.
const BROKER_FORBIDDEN: &str = "1";
const GROUP_FORBIDDEN: &str = "2";
const TOPIC_FORBIDDEN: &str = "3";
const BROADCASTING_DISABLE_FORBIDDEN: &str = "4";
const SUBSCRIPTION_FORBIDDEN: &str = "5";

/// A permitted read.
pub(crate) struct Permitted<'a> {
    pub(crate) group: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) queue_id: i32,
    pub(crate) topic_sys_flag: i32,
    pub(crate) group_sys_flag: i32,
    /// The broker that the settings of the group send it to: 0 for the master.
    pub(crate) group_broker_id: i64,
    pub(crate) filter: MessageFilter,
}

/// Checks that the topic exists and is readable, that the queue exists and that the subscription is known.
pub(crate) fn check<'a>(
    broker: &Broker,
    state: &mut State,
    fields: &'a PullMessageFields<'_>,
    responder: &Reply,
) -> Result<Permitted<'a>, Refusal> {
    if !broker.permits().is_readable() {
        let remark = format!("the broker[{}] pulling message is forbidden", broker.address().ip());
        return Err(forbid(BROKER_FORBIDDEN, remark));
    }
    let group = required(fields.consumer_group.as_deref(), "consumerGroup")?;
    let Some(config) = state.groups.find(group) else {
        let remark = format!("subscription group [{group}] does not exist, {SEE_FAQ}");
        return Err(refuse(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    };
    let (group_sys_flag, group_broker_id) = (config.group_sys_flag, config.broker_id);
    if !config.consume_enable {
        return Err(forbid(GROUP_FORBIDDEN, format!("subscription group no permission, {group}")));
    }
    let topic = required(fields.topic.as_deref(), "topic")?;
    let Some(found) = state.topics.get(topic) else {
        let remark = format!("topic[{topic}] not exist, apply first please! {SEE_FAQ}");
        return Err(refuse(ResponseCode::TOPIC_NOT_EXIST, remark));
    };
    let config = &found.config;
    if !config.perm.is_readable() {
        return Err(forbid(TOPIC_FORBIDDEN, format!("the topic[{topic}] pulling message is forbidden")));
    }
    let queue_id = required(fields.queue_id, "queueId")?;
    if !(0..config.read_queue_nums).contains(&queue_id) {
        let peer = responder.peer().map(peer_with_slash);
        let remark = format!(
            "queueId[{queue_id}] is illegal, topic:[{topic}] topicConfig.readQueueNums:[{}] consumer:[{}]",
            config.read_queue_nums,
            peer.unwrap_or_default()
        );
        return Err(refuse(ResponseCode::INVALID_PARAMETER, remark));
    }
    let topic_sys_flag = config.sys_flag;
    let filter = filter(broker, state, fields, group, topic)?;
    Ok(Permitted { group, topic, queue_id, topic_sys_flag, group_sys_flag, group_broker_id, filter })
}

/// The group's filter: from the header, or from heartbeats.
fn filter(
    broker: &Broker,
    state: &State,
    fields: &PullMessageFields<'_>,
    group: &str,
    topic: &str,
) -> Result<MessageFilter, Refusal> {
    let sys_flag = PullSysFlag::from_bits(required(fields.sys_flag, "sysFlag")?);
    if sys_flag.contains(PullSysFlag::SUBSCRIPTION) {
        let text = fields.subscription.as_deref().unwrap_or_default();
        return match Wanted::parse(text, fields.expression_type.as_deref()) {
            Ok(Wanted::Tags(filter)) => Ok(MessageFilter::Tags(Arc::new(filter))),
            Ok(Wanted::Other(language)) if broker.obeyed().property_filter => {
                let compiled = Selector::compile(&language, text);
                Ok(compiled
                    .map_or(MessageFilter::Nothing, |selector| MessageFilter::Properties(Arc::new(selector))))
            }
            Ok(Wanted::Other(language)) => Err(refuse_language(&language)),
            Err(_) => {
                let remark = "parse the consumer's subscription failed";
                Err(refuse(ResponseCode::SUBSCRIPTION_PARSE_FAILED, remark))
            }
        };
    }
    let missing = |what| {
        let remark = format!("the consumer's {what} not exist{SEE_FAQ}");
        Err(refuse(ResponseCode::SUBSCRIPTION_NOT_EXIST, remark))
    };
    check_allowed(state, group, topic)?;
    let subscription = match state.consumers.subscription(group, topic) {
        Subscribed::NoGroup => return missing("group info"),
        Subscribed::NoTopic => return missing("subscription"),
        Subscribed::Yes(subscription) => subscription,
    };
    let version = required(fields.sub_version, "subVersion")?;
    if subscription.version < version {
        return Err(refuse(ResponseCode::SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest"));
    }
    let Some(language) = &subscription.other_language else {
        return Ok(MessageFilter::Tags(subscription.filter.clone()));
    };
    let Some(registered) = state.filters.get(topic, group) else {
        let remark = "The broker's consumer filter data is not exist!Your expression may be wrong!";
        return Err(refuse(ResponseCode::FILTER_DATA_NOT_EXIST, remark));
    };
    if registered.version < version {
        return Err(refuse(
            ResponseCode::FILTER_DATA_NOT_LATEST,
            "the consumer's consumer filter data not latest",
        ));
    }
    if !broker.obeyed().property_filter {
        return Err(refuse_language(language));
    }
    Ok(MessageFilter::Properties(registered.selector.clone()))
}

fn refuse_language(language: &str) -> Refusal {
    Refusal { fields: ExtFields::empty(), ..no_property_filter(language) }
}

/// Checks that the group may read the topic and consumes in the mode of its members. A pull that carries its
/// subscription is not checked.
fn check_allowed(state: &State, group: &str, topic: &str) -> Result<(), Refusal> {
    let Some(members) = state.consumers.group(group) else { return Ok(()) };
    let may_broadcast = state.groups.get(group).is_none_or(|config| config.consume_broadcast_enable);
    if !may_broadcast && members.mode.message_model == MessageModel::Broadcasting {
        let remark = format!("the consumer group[{group}] can not consume by broadcast way");
        return Err(forbid(BROADCASTING_DISABLE_FORBIDDEN, remark));
    }
    if !state.groups.may_read(group, topic) {
        let remark = format!("the consumer group[{group}] is forbidden for topic[{topic}]");
        return Err(forbid(SUBSCRIPTION_FORBIDDEN, remark));
    }
    Ok(())
}

/// The refusal of a forbidden read.
fn forbid(kind: &'static str, remark: String) -> Refusal {
    let fields = [("forbiddenType", kind)].into_iter().collect();
    Refusal::new(ResponseCode::NO_PERMISSION, remark).with_fields(fields)
}

/// A refusal with an empty header, which Apache's broker has prepared by then.
fn refuse(code: ResponseCode, remark: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal { fields: ExtFields::empty(), ..Refusal::new(code, remark) }
}
