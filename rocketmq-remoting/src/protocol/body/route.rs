//! Routes: the brokers and queues of a topic.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The route of a topic: its queues and the brokers that have them. Java `TopicRouteData`; the answer to
/// `GET_ROUTEINFO_BY_TOPIC` 105.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicRouteData {
    /// The brokers.
    pub broker_datas: Vec<BrokerData>,
    /// Filter servers by broker address; they no longer exist, but the member is always sent.
    pub filter_server_table: BTreeMap<String, Vec<String>>,
    /// `broker:queues` joined by `;`, for a topic that is ordered across brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_topic_conf: Option<String>,
    /// The queues per broker.
    pub queue_datas: Vec<QueueData>,
    /// For a static topic: the queues that each broker has (5.0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_queue_mapping_by_broker: Option<BTreeMap<String, TopicQueueMappingInfo>>,
}

/// A master and its slaves. Java `BrokerData`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerData {
    /// Addresses by broker id; 0 is the master.
    pub broker_addrs: BTreeMap<i64, String>,
    /// The name that the master and its slaves share.
    pub broker_name: String,
    /// The cluster's name.
    pub cluster: String,
    /// Whether the slave with the smallest id stands in for a missing master (5.0).
    pub enable_acting_master: bool,
    /// The zone of the brokers (5.0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_name: Option<String>,
}

/// The queues of a topic on one broker name. Java `QueueData`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueData {
    /// The name of the brokers.
    pub broker_name: String,
    /// 4 read, 2 write, 1 inherit; Java `PermName`.
    pub perm: i32,
    /// How many queues can be read.
    pub read_queue_nums: i32,
    /// 1 unit, 2 unit subscription; Java `TopicSysFlag`.
    pub topic_sys_flag: i32,
    /// How many queues can be written.
    pub write_queue_nums: i32,
}

/// The queues of a static topic that a broker has (5.0). Java `TopicQueueMappingInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicQueueMappingInfo {
    /// The broker's name.
    pub bname: String,
    /// The broker's queue ids by the topic's queue ids.
    pub curr_id_map: BTreeMap<i32, i32>,
    /// Whether the broker has not registered the mapping yet.
    pub dirty: bool,
    /// Increases with every change of the mapping.
    pub epoch: i64,
    /// `__global__`, or the name of a scope.
    pub scope: String,
    /// The topic.
    pub topic: String,
    /// How many queues the topic has in all.
    pub total_queues: i32,
}
