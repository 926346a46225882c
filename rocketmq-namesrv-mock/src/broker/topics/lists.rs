//! Lists of topics: 21, 305.

use std::collections::{BTreeMap, BTreeSet};

use rocketmq_common::mix_all::{
    RMQ_SYS_CHECKPOINT_TOPIC, RMQ_SYS_TRACE_TOPIC, RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC,
};
use rocketmq_remoting::protocol::body::{DataVersion, TopicConfig, TopicList};
use serde::Serialize;

use super::settings::of_config;
use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, json_answer};

/// Java: `TopicConfigAndMappingSerializeWrapper`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AllTopics {
    data_version: DataVersion,
    mapping_data_version: DataVersion,
    topic_config_table: BTreeMap<String, TopicConfig>,
}

/// 21.
pub(crate) fn all_configs(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let table: BTreeMap<_, _> =
        state.topics.configs().map(|config| (config.name.clone(), of_config(config))).collect();
    let version = DataVersion { timestamp: broker.boot_ms, ..DataVersion::default() };
    let count = table.len();
    let body = AllTopics {
        data_version: DataVersion { counter: count as i64, ..version.clone() },
        mapping_data_version: version,
        topic_config_table: table,
    };
    Ok(json_answer(&body)?.with_field("totalTopicNum", count))
}

/// System topics that brokers create when they are first used.
const ON_DEMAND: [&str; 3] =
    [RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC, RMQ_SYS_TRACE_TOPIC, RMQ_SYS_CHECKPOINT_TOPIC];

/// 305.
pub(crate) fn system_topics(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let standing = state.topics.standing().iter().map(String::as_str);
    let names: BTreeSet<&str> = ON_DEMAND.into_iter().chain(standing).collect();
    let topic_list = names.into_iter().map(str::to_owned).collect();
    json_answer(&TopicList { broker_addr: None, topic_list })
}
