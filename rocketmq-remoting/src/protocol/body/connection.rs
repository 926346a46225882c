//! Clients that are connected to a broker.

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
    /// The language that the client announces.
    pub language: LanguageCode,
    /// The client's version, see [`mq_version`](crate::protocol::mq_version).
    pub version: i32,
}

/// The members of a consumer group. Java `ConsumerConnection`; the answer to
/// `GET_CONSUMER_CONNECTION_LIST` 203.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerConnection {
    /// The connections of its members.
    pub connection_set: Vec<Connection>,
    /// Where a new group starts.
    pub consume_from_where: ConsumeFromWhere,
    /// How the group gets its messages.
    pub consume_type: ConsumeType,
    /// Whether the members share the messages.
    pub message_model: MessageModel,
    /// The group's subscriptions, by topic.
    pub subscription_table: BTreeMap<String, SubscriptionData>,
}

/// The members of a producer group. Java `ProducerConnection`; the answer to
/// `GET_PRODUCER_CONNECTION_LIST` 204.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerConnection {
    /// The connections of its members.
    pub connection_set: Vec<Connection>,
}

/// The subscription of a group to a topic. Java `QuerySubscriptionResponseBody`; the answer to
/// `QUERY_SUBSCRIPTION_BY_CONSUMER` 345.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuerySubscriptionResponseBody {
    /// The consumer group.
    pub group: String,
    /// `None` if the group does not subscribe to the topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data: Option<SubscriptionData>,
    /// The topic.
    pub topic: String,
}
