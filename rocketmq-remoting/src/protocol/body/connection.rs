//! Who is connected to a broker.

use super::{ConsumeFromWhere, ConsumeType, MessageModel, SubscriptionData};
use crate::protocol::LanguageCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A connection of a client. Java `Connection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Connection {
    /// `ip:port` as the broker sees it.
    pub client_addr: String,
    /// The client's id.
    pub client_id: String,
    /// What the client is written in.
    pub language: LanguageCode,
    /// Its version, see [`mq_version`](crate::protocol::mq_version).
    pub version: i32,
}

/// The members of a consumer group. Java `ConsumerConnection`; the answer to
/// `GET_CONSUMER_CONNECTION_LIST` 203.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerConnection {
    /// Its connections.
    pub connection_set: Vec<Connection>,
    /// Where a new group starts.
    pub consume_from_where: ConsumeFromWhere,
    /// How it gets its messages.
    pub consume_type: ConsumeType,
    /// Whether its members share the messages.
    pub message_model: MessageModel,
    /// What it subscribes to, by topic.
    pub subscription_table: BTreeMap<String, SubscriptionData>,
}

/// The members of a producer group. Java `ProducerConnection`; the answer to
/// `GET_PRODUCER_CONNECTION_LIST` 204.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerConnection {
    /// Its connections.
    pub connection_set: Vec<Connection>,
}

/// What a group subscribes of a topic. Java `QuerySubscriptionResponseBody`; the answer to
/// `QUERY_SUBSCRIPTION_BY_CONSUMER` 345.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuerySubscriptionResponseBody {
    /// The consumer group.
    pub group: String,
    /// `None` where it does not subscribe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data: Option<SubscriptionData>,
    /// The topic.
    pub topic: String,
}
