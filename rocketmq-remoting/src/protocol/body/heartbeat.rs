//! The heartbeat: a client announces its groups and subscriptions to its brokers.

use super::lenient;
use super::open_enum::open_enum;
use serde::{Deserialize, Serialize};

/// A client with its groups. Java `HeartbeatData`; the body of `HEART_BEAT` 34.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatData {
    /// The client's id.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Its consumer groups.
    pub consumer_data_set: Vec<ConsumerData>,
    /// Java's hash of this JSON text without client id, subscription versions and this field; 0 asks for no comparison
    /// (5.1).
    pub heartbeat_fingerprint: i32,
    /// Its producer groups.
    pub producer_data_set: Vec<ProducerData>,
    /// Whether the subscriptions are left out because the broker knows the fingerprint (5.1).
    pub without_sub: bool,
}

/// A producer group of a client. Java `ProducerData`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerData {
    /// The group.
    pub group_name: String,
}

/// A consumer group of a client. Java `ConsumerData`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerData {
    /// Where a new group starts.
    pub consume_from_where: ConsumeFromWhere,
    /// How the group gets its messages.
    pub consume_type: ConsumeType,
    /// The group.
    pub group_name: String,
    /// Whether the members share the messages.
    pub message_model: MessageModel,
    /// The group's subscriptions, including its retry topic.
    pub subscription_data_set: Vec<SubscriptionData>,
    /// Whether the consumer belongs to a unit.
    pub unit_mode: bool,
}

/// A subscription: a topic and a filter. Java `SubscriptionData`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionData {
    /// Whether a class on a filter server filters; filter servers no longer exist.
    pub class_filter_mode: bool,
    /// Java's hashes of the tags.
    #[serde(deserialize_with = "lenient::numbers")]
    pub code_set: Vec<i32>,
    /// `TAG` or `SQL92`.
    pub expression_type: String,
    /// The expression, `*` for everything.
    pub sub_string: String,
    /// When the subscription was made, in milliseconds since 1970.
    #[serde(deserialize_with = "lenient::number")]
    pub sub_version: i64,
    /// The tags of the expression; none for `*`.
    pub tags_set: Vec<String>,
    /// The topic.
    pub topic: String,
}

impl Default for SubscriptionData {
    /// An empty topic and a tag expression.
    fn default() -> Self {
        Self {
            class_filter_mode: false,
            code_set: Vec::new(),
            expression_type: "TAG".to_owned(),
            sub_string: String::new(),
            sub_version: 0,
            tags_set: Vec::new(),
            topic: String::new(),
        }
    }
}

open_enum! {
    /// How a consumer gets its messages. Java `ConsumeType`.
    pub enum ConsumeType {
        /// By pulls that the application makes.
        Actively = "CONSUME_ACTIVELY",
        /// By pulls that the client makes all the time ("push").
        #[default]
        Passively = "CONSUME_PASSIVELY",
        /// By pops (5.0).
        Pop = "CONSUME_POP",
    }
}

open_enum! {
    /// Whether the members of a group share the messages. Java `MessageModel`.
    pub enum MessageModel {
        /// Every member gets every message.
        Broadcasting = "BROADCASTING",
        /// Every message goes to one member.
        #[default]
        Clustering = "CLUSTERING",
    }
}

open_enum! {
    /// Where a group without a committed offset starts. Java `ConsumeFromWhere`.
    pub enum ConsumeFromWhere {
        /// Behind the last message.
        #[default]
        LastOffset = "CONSUME_FROM_LAST_OFFSET",
        /// Deprecated; means `LastOffset`.
        LastOffsetAndFromMinWhenBootFirst = "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        /// Deprecated; means `LastOffset`.
        MinOffset = "CONSUME_FROM_MIN_OFFSET",
        /// Deprecated; means `LastOffset`.
        MaxOffset = "CONSUME_FROM_MAX_OFFSET",
        /// At the first message.
        FirstOffset = "CONSUME_FROM_FIRST_OFFSET",
        /// At a point in time.
        Timestamp = "CONSUME_FROM_TIMESTAMP",
    }
}
