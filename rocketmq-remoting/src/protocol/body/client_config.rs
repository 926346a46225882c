//! Checks of a client's settings, and the members of its group.

use super::SubscriptionData;
use serde::{Deserialize, Serialize};

/// A filter expression to check. Java `CheckClientRequestBody`; the body of `CHECK_CLIENT_CONFIG` 46.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckClientRequestBody {
    /// The client's id.
    pub client_id: String,
    /// The consumer group.
    pub group: String,
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The subscription to check.
    pub subscription_data: SubscriptionData,
}

/// The members of a consumer group. Java `GetConsumerListByGroupResponseBody`; the answer to
/// `GET_CONSUMER_LIST_BY_GROUP` 38.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetConsumerListByGroupResponseBody {
    /// Client ids. A client with two connections is listed twice.
    pub consumer_id_list: Vec<String>,
}
