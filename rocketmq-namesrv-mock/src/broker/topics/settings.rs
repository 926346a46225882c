//! Settings of topics: 17, 202, 215, 351.

use rocketmq_common::{MessageQueue, PermName};
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{self, TopicConfigAndQueueMapping, TopicOffset, TopicStatsTable};
use rocketmq_remoting::protocol::header::CreateTopicFields;

use super::attributes::changed;
use crate::broker::state::{Broker, TopicFilterType, TopicSettings, check_topic, is_system_topic};
use crate::wire::{Answer, NOT_SET, Refusal, Request, json_answer, required};

/// 17. The permission bits are not checked.
pub(crate) fn update_and_create(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields = read(request)?;
    let filter_type = filter_type(fields.topic_filter_type.as_deref())?;
    let topic = &*required(fields.topic, "topic")?;
    check_changeable(broker, topic, check_topic(topic))?;
    let current = broker.lock().topics.get(topic).map(|topic| topic.config.attributes.clone());
    let config = TopicSettings {
        name: topic.to_owned(),
        read_queue_nums: required(fields.read_queue_nums, "readQueueNums")?,
        write_queue_nums: required(fields.write_queue_nums, "writeQueueNums")?,
        perm: PermName(required(fields.perm, "perm")?),
        filter_type,
        sys_flag: fields.topic_sys_flag.unwrap_or(0),
        order: fields.order.unwrap_or(false),
        attributes: changed(current.as_ref(), fields.attributes.as_deref().unwrap_or_default())?,
    };
    broker.put_topic(&mut broker.lock(), config);
    Ok(Answer::success().with_remark(NOT_SET))
}

/// How many tags messages may have, by Java's name of it.
pub(super) fn filter_type(name: Option<&str>) -> Result<TopicFilterType, Refusal> {
    match name {
        Some("SINGLE_TAG") => Ok(TopicFilterType::SingleTag),
        Some("MULTI_TAG") => Ok(TopicFilterType::MultiTag),
        other => {
            let class = "org.apache.rocketmq.remoting.exception.RemotingCommandException";
            let other = other.unwrap_or("null");
            Err(Refusal::exception(class, format_args!("topicFilterType = [{other}] value invalid")))
        }
    }
}

/// 215. NameServers keep the route until they are told, too.
pub(crate) fn delete(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields = read(request)?;
    let topic = fields.topic.as_deref().unwrap_or_default();
    let blank = if topic.trim().is_empty() { Err("The specified topic is blank.".into()) } else { Ok(()) };
    check_changeable(broker, topic, blank)?;
    broker.remove_topic(topic);
    Ok(Answer::success())
}

/// 351.
pub(crate) fn config(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let topic = required(read(request)?.topic, "topic")?;
    let state = broker.lock();
    let Some(found) = state.topics.get(&topic) else {
        let remark = format!("No topic in this broker. topic: {topic}");
        return Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark));
    };
    let topic_config = of_config(&found.config);
    json_answer(&TopicConfigAndQueueMapping { topic_config, mapping_detail: None })
}

/// The settings of a topic in the form for tools.
pub(crate) fn of_config(config: &TopicSettings) -> body::TopicConfig {
    body::TopicConfig {
        attributes: config.attributes.clone(),
        order: config.order,
        perm: config.perm.0,
        read_queue_nums: config.read_queue_nums,
        topic_filter_type: config.filter_type.name().to_owned(),
        topic_name: Some(config.name.clone()),
        topic_sys_flag: config.sys_flag,
        write_queue_nums: config.write_queue_nums,
    }
}

/// 202.
pub(crate) fn stats(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let topic = required(read(request)?.topic, "topic")?;
    let state = broker.lock();
    let topic_put_tps = state.figures.put_tps(broker.now_ms(), &topic);
    let found = state.topics.find(&topic)?;
    let queue_ids = 0..found.config.read_queue_nums.max(found.config.write_queue_nums);
    let offsets = |queue_id| {
        let queue = found.queue(queue_id);
        let last = queue.and_then(|queue| queue.entries().back());
        let offset = TopicOffset {
            last_update_timestamp: last.map_or(0, |entry| entry.store_timestamp),
            max_offset: queue.map_or(0, |queue| queue.max_offset()),
            min_offset: queue.map_or(0, |queue| queue.min_offset()),
        };
        (MessageQueue::new(&*topic, broker.name.clone(), queue_id), offset)
    };
    json_answer(&TopicStatsTable { offset_table: queue_ids.map(offsets).collect(), topic_put_tps })
}

fn read<'a>(request: &Request<'a>) -> Result<CreateTopicFields<'a>, Refusal> {
    request.fields()
}

/// Checks that the name is valid, and that the topic does not belong to the system.
pub(super) fn check_changeable(
    broker: &Broker,
    topic: &str,
    name: Result<(), String>,
) -> Result<(), Refusal> {
    name.map_err(|remark| Refusal::new(ResponseCode::INVALID_PARAMETER, remark))?;
    if is_system_topic(topic, broker.lock().topics.standing()) {
        let remark = format!("The topic[{topic}] is conflict with system topic.");
        return Err(Refusal::new(ResponseCode::INVALID_PARAMETER, remark));
    }
    Ok(())
}
