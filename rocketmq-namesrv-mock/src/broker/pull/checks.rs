//! Whether a group may read a queue, and what of it, in the order of Apache's broker.

use std::sync::Arc;

use crate::wire::Reply;
use rocketmq_common::sysflag::PullSysFlag;
use rocketmq_remoting::protocol::{ExtFields, ResponseCode};

use super::request::PullFields;
use crate::broker::State;
use crate::broker::consumers::Subscribed;
use crate::broker::filter::{Expression, TagFilter};
use crate::wire::{Refusal, SEE_FAQ, peer_with_slash, required};

/// Java: `ForbiddenType.TOPIC_FORBIDDEN`.
const TOPIC_FORBIDDEN: &str = "3";

/// What a group may read.
pub(super) struct Permitted<'a> {
    pub(super) group: &'a str,
    pub(super) topic: &'a str,
    pub(super) queue_id: i32,
    pub(super) topic_sys_flag: i32,
    pub(super) filter: Arc<TagFilter>,
}

/// The topic is there and readable, the queue exists and the subscription is known.
pub(super) fn check<'a>(
    state: &mut State,
    fields: &'a PullFields<'_>,
    responder: &Reply,
) -> Result<Permitted<'a>, Refusal> {
    let group = required(fields.consumer_group.as_deref(), "consumerGroup")?;
    if !state.groups.find_or_create(group) {
        let remark = format!("subscription group [{group}] does not exist, {SEE_FAQ}");
        return Err(refuse(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    }
    let topic = required(fields.topic.as_deref(), "topic")?;
    let Some(found) = state.topics.get(topic) else {
        let remark = format!("topic[{topic}] not exist, apply first please! {SEE_FAQ}");
        return Err(refuse(ResponseCode::TOPIC_NOT_EXIST, remark));
    };
    let config = &found.config;
    if !config.perm.is_readable() {
        let remark = format!("the topic[{topic}] pulling message is forbidden");
        let fields = [("forbiddenType", TOPIC_FORBIDDEN)].into_iter().collect();
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark).with_fields(fields));
    }
    let queue_id = required(fields.queue_id, "queueId")?;
    if !(0..config.read_queue_nums).contains(&queue_id) {
        let peer = responder.connection().accepted().map(|ends| peer_with_slash(ends.remote));
        let remark = format!(
            "queueId[{queue_id}] is illegal, topic:[{topic}] topicConfig.readQueueNums:[{}] consumer:[{}]",
            config.read_queue_nums,
            peer.unwrap_or_default()
        );
        return Err(refuse(ResponseCode::INVALID_PARAMETER, remark));
    }
    let topic_sys_flag = config.sys_flag;
    let filter = filter(state, fields, group, topic)?;
    Ok(Permitted { group, topic, queue_id, topic_sys_flag, filter })
}

/// What the group wants: the header says it, or heartbeats have said it.
fn filter(
    state: &State,
    fields: &PullFields<'_>,
    group: &str,
    topic: &str,
) -> Result<Arc<TagFilter>, Refusal> {
    let sys_flag = PullSysFlag::from_bits(required(fields.sys_flag, "sysFlag")?);
    if sys_flag.contains(PullSysFlag::SUBSCRIPTION) {
        let text = fields.subscription.as_deref().unwrap_or_default();
        return match Expression::parse(text, fields.expression_type.as_deref()) {
            Ok(Expression::Tags(filter)) => Ok(Arc::new(filter)),
            Ok(Expression::Other(language)) => Err(no_property_filter(&language)),
            Err(_) => {
                let remark = "parse the consumer's subscription failed";
                Err(refuse(ResponseCode::SUBSCRIPTION_PARSE_FAILED, remark.into()))
            }
        };
    }
    let missing = |what| {
        let remark = format!("the consumer's {what} not exist{SEE_FAQ}");
        Err(refuse(ResponseCode::SUBSCRIPTION_NOT_EXIST, remark))
    };
    let subscription = match state.consumers.subscription(group, topic) {
        Subscribed::NoGroup => return missing("group info"),
        Subscribed::NoTopic => return missing("subscription"),
        Subscribed::Yes(subscription) => subscription,
    };
    if subscription.version < required(fields.sub_version, "subVersion")? {
        let remark = "the consumer's subscription not latest";
        return Err(refuse(ResponseCode::SUBSCRIPTION_NOT_LATEST, remark.into()));
    }
    match &subscription.other_language {
        Some(language) => Err(no_property_filter(language)),
        None => Ok(subscription.filter.clone()),
    }
}

/// With Apache's default settings a broker filters by tags only.
fn no_property_filter(language: &str) -> Refusal {
    let remark = format!("The broker does not support consumer to filter message by {language}");
    refuse(ResponseCode::SYSTEM_ERROR, remark)
}

/// The broker has prepared the header of the answer, but there is nothing in it.
fn refuse(code: ResponseCode, remark: String) -> Refusal {
    Refusal { fields: ExtFields::empty(), ..Refusal::new(code, remark) }
}
