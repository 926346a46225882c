//! Settings of consumer groups.

use super::DataVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The settings of a consumer group on one broker. Java `SubscriptionGroupConfig`; the body of
/// `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP` 200, the answer to 352.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupConfig {
    /// More settings by name (5.0).
    pub attributes: BTreeMap<String, String>,
    /// The broker that the group reads from first; 0 is the master.
    pub broker_id: i64,
    /// Whether the group may broadcast.
    pub consume_broadcast_enable: bool,
    /// Whether the group may consume at all.
    pub consume_enable: bool,
    /// Whether a new group may start at the first message.
    pub consume_from_min_enable: bool,
    /// Whether the group consumes in order.
    pub consume_message_orderly: bool,
    /// The longest time for processing a message, in minutes.
    pub consume_timeout_minute: i32,
    /// The group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// Java `GroupRetryPolicy`, as raw JSON (5.0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_retry_policy: Option<serde_json::Value>,
    /// 1 unit; Java `SubscriptionSysFlag`.
    pub group_sys_flag: i32,
    /// Whether members are told when other members come and go.
    pub notify_consumer_ids_changed_enable: bool,
    /// The retries after which a message becomes a dead letter.
    pub retry_max_times: i32,
    /// The number of queues of the retry topic.
    pub retry_queue_nums: i32,
    /// The subscriptions to which the group is bound, Java `SimpleSubscriptionData`, as raw JSON (5.0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data_set: Option<Vec<serde_json::Value>>,
    /// The broker to read from when the master is behind.
    pub which_broker_when_consume_slowly: i64,
}

impl SubscriptionGroupConfig {
    /// The default settings for a group.
    ///
    /// ```
    /// use rocketmq_remoting::protocol::body::SubscriptionGroupConfig;
    ///
    /// let mut billing = SubscriptionGroupConfig::new("billing");
    /// billing.retry_max_times = 3;
    /// assert!(billing.consume_enable);
    /// ```
    pub fn new(group: impl Into<String>) -> Self {
        Self { group_name: Some(group.into()), ..Self::default() }
    }
}

impl Default for SubscriptionGroupConfig {
    /// Java's defaults: everything allowed, 16 retries, 15 minutes.
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            consume_message_orderly: false,
            consume_timeout_minute: 15,
            group_name: None,
            group_retry_policy: None,
            group_sys_flag: 0,
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            subscription_data_set: None,
            which_broker_when_consume_slowly: 1,
        }
    }
}

/// Several groups. Java `SubscriptionGroupList`; the body of
/// `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST` 225 (5.x).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupList {
    /// The groups.
    pub group_config_list: Vec<SubscriptionGroupConfig>,
}

/// All groups of a broker. Java `SubscriptionGroupWrapper`; the answer to
/// `GET_ALL_SUBSCRIPTIONGROUP_CONFIG` 201.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupWrapper {
    /// Increases with every change.
    pub data_version: DataVersion,
    /// The topics that each group must not read.
    pub forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
    /// Groups by name.
    pub subscription_group_table: BTreeMap<String, SubscriptionGroupConfig>,
}
