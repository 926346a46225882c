//! Lists and tables about clusters.

use super::BrokerData;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All clusters and brokers of a NameServer. Java `ClusterInfo`; the answer to
/// `GET_BROKER_CLUSTER_INFO` 106.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInfo {
    /// Brokers by their name.
    pub broker_addr_table: BTreeMap<String, BrokerData>,
    /// Names of brokers by the cluster's name.
    pub cluster_addr_table: BTreeMap<String, Vec<String>>,
}

/// Names of topics. Java `TopicList`; the answer to 206, 224, 304, 305, 343.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicList {
    /// A broker to ask for more system topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker_addr: Option<String>,
    /// The names.
    pub topic_list: Vec<String>,
}

/// Names of consumer groups. Java `GroupList`; the answer to `QUERY_TOPIC_CONSUME_BY_WHO` 300.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupList {
    /// The names.
    pub group_list: Vec<String>,
}

/// Keys and values. Java `KVTable`; the answer to `GET_BROKER_RUNTIME_INFO` 28 and
/// `GET_KVLIST_BY_NAMESPACE` 219.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KVTable {
    /// The table.
    pub table: BTreeMap<String, String>,
}

/// A counter of a broker. Java `BrokerStatsData`; the answer to `VIEW_BROKER_STATS_DATA` 315.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerStatsData {
    /// Over the last day.
    pub stats_day: BrokerStatsItem,
    /// Over the last hour.
    pub stats_hour: BrokerStatsItem,
    /// Over the last minute.
    pub stats_minute: BrokerStatsItem,
}

/// Its values over one period. Java `BrokerStatsItem`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerStatsItem {
    /// Average per call.
    pub avgpt: f64,
    /// The sum.
    pub sum: i64,
    /// Per second.
    pub tps: f64,
}
