//! Settings of topics.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The settings of a topic on one broker. Java `TopicConfig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfig {
    /// More settings by name, such as `message.type` (5.0).
    pub attributes: BTreeMap<String, String>,
    /// Whether the topic is ordered across brokers.
    pub order: bool,
    /// 4 read, 2 write, 1 inherit; Java `PermName`.
    pub perm: i32,
    /// How many queues can be read.
    pub read_queue_nums: i32,
    /// `SINGLE_TAG` or `MULTI_TAG`.
    pub topic_filter_type: String,
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_name: Option<String>,
    /// 1 unit, 2 unit subscription; Java `TopicSysFlag`.
    pub topic_sys_flag: i32,
    /// How many queues can be written.
    pub write_queue_nums: i32,
}

impl Default for TopicConfig {
    /// Java's defaults: 16 queues, read and write.
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            order: false,
            perm: 6,
            read_queue_nums: 16,
            topic_filter_type: "SINGLE_TAG".to_owned(),
            topic_name: None,
            topic_sys_flag: 0,
            write_queue_nums: 16,
        }
    }
}

/// Several topics to create. Java `CreateTopicListRequestBody`; the body of
/// `UPDATE_AND_CREATE_TOPIC_LIST` 18 (5.x).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateTopicListRequestBody {
    /// The topics.
    pub topic_config_list: Vec<TopicConfig>,
}

/// A topic, with the places of its queues if it is static. Java `TopicConfigAndQueueMapping`; the answer to
/// `GET_TOPIC_CONFIG` 351 (5.x).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigAndQueueMapping {
    /// The topic's settings.
    #[serde(flatten)]
    pub topic_config: TopicConfig,
    /// Java `TopicQueueMappingDetail`, as raw JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping_detail: Option<serde_json::Value>,
}

/// All topics of a broker. Java `TopicConfigSerializeWrapper`; the answer to `GET_ALL_TOPIC_CONFIG` 21 and
/// part of what a broker registers with 103.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigSerializeWrapper {
    /// Increases with every change.
    pub data_version: DataVersion,
    /// Topics by name.
    pub topic_config_table: BTreeMap<String, TopicConfig>,
}

/// Counts the changes of a table. Java `DataVersion`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataVersion {
    /// The number of changes.
    pub counter: i64,
    /// The term of the broker's state (5.0).
    pub state_version: i64,
    /// When the last change was made, in milliseconds since 1970.
    pub timestamp: i64,
}
