//! What a client tells its brokers about itself.

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
    /// Java's hash of this text without id, versions and this; 0 asks for no comparison (5.1).
    pub heartbeat_fingerprint: i32,
    /// Its producer groups.
    pub producer_data_set: Vec<ProducerData>,
    /// Whether the subscriptions were left out, because the fingerprint is known (5.1).
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
    /// How it gets its messages.
    pub consume_type: ConsumeType,
    /// The group.
    pub group_name: String,
    /// Whether its members share the messages.
    pub message_model: MessageModel,
    /// What it subscribes to, its retry topic included.
    pub subscription_data_set: Vec<SubscriptionData>,
    /// Whether it belongs to a unit.
    pub unit_mode: bool,
}

/// A topic and what of it. Java `SubscriptionData`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionData {
    /// Whether a class on a filter server filters; long gone.
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
    /// No topic yet, and a tag expression.
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
        /// It pulls when it likes.
        Actively = "CONSUME_ACTIVELY",
        /// They are pushed, that is, pulled all the time.
        #[default]
        Passively = "CONSUME_PASSIVELY",
        /// It pops (5.0).
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
    /// Where a group starts that has no offset yet. Java `ConsumeFromWhere`.
    pub enum ConsumeFromWhere {
        /// Behind the last message.
        #[default]
        LastOffset = "CONSUME_FROM_LAST_OFFSET",
        /// Deprecated, as the last offset.
        LastOffsetAndFromMinWhenBootFirst = "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        /// Deprecated, as the last offset.
        MinOffset = "CONSUME_FROM_MIN_OFFSET",
        /// Deprecated, as the last offset.
        MaxOffset = "CONSUME_FROM_MAX_OFFSET",
        /// At the first message.
        FirstOffset = "CONSUME_FROM_FIRST_OFFSET",
        /// At a point in time.
        Timestamp = "CONSUME_FROM_TIMESTAMP",
    }
}
