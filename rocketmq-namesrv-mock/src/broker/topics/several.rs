//! Several topics at once: 18. Static topics: 513. Java: `AdminBrokerProcessor.updateAndCreateTopicList`.

use rocketmq_common::PermName;
use rocketmq_remoting::protocol::body;
use rocketmq_remoting::protocol::header::CreateTopicFields;
use serde::Deserialize;

use super::attributes::changed_by;
use super::settings::{check_changeable, filter_type, of_config};
use crate::broker::state::{Broker, TopicSettings, check_topic};
use crate::wire::{Answer, NOT_SET, Refusal, Request, json_body, required};

/// Java: `CreateTopicListRequestBody`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Topics {
    topic_config_list: Option<Vec<body::TopicConfig>>,
}

/// Creates or changes the topics of a list: 18. All names are looked at before the first topic is made. If a topic is in
/// the list that is as the list wants it, Apache's broker takes the whole list for done.
pub(crate) fn update_and_create_list(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let topics: Topics = json_body(request.command, "topicConfigList")?;
    let topics = required(topics.topic_config_list, "topicConfigList")?;
    let done = Ok(Answer::success().with_remark(NOT_SET));
    for wanted in &topics {
        let topic = required(wanted.topic_name.as_deref(), "topicName")?;
        check_changeable(broker, topic, check_topic(topic))?;
        let state = broker.lock();
        if state.topics.get(topic).is_some_and(|known| of_config(&known.config) == *wanted) {
            return done;
        }
    }
    for wanted in topics {
        let name = wanted.topic_name.unwrap_or_default();
        let current = broker.lock().topics.get(&name).map(|topic| topic.config.attributes.clone());
        let settings = TopicSettings {
            attributes: changed_by(current.as_ref(), &wanted.attributes)?,
            name,
            read_queue_nums: wanted.read_queue_nums,
            write_queue_nums: wanted.write_queue_nums,
            perm: PermName(wanted.perm),
            filter_type: filter_type(Some(&wanted.topic_filter_type))?,
            sys_flag: wanted.topic_sys_flag,
            order: wanted.order,
        };
        broker.put_topic(&mut broker.lock(), settings);
    }
    done
}

/// 513. The mock has no topics whose queues are spread over brokers by hand.
pub(crate) fn create_static(_: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: CreateTopicFields<'_> = request.fields()?;
    filter_type(fields.topic_filter_type.as_deref())?;
    Err(Refusal::not_supported("a static topic"))
}
