//! Queues that brokers assign to consumers (5.0).

use super::MessageModel;
use super::open_enum::open_enum;
use rocketmq_common::MessageQueue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

open_enum! {
    /// How the members of a group receive messages. Java `MessageRequestMode`.
    pub enum MessageRequestMode {
        /// Members pull and keep offsets.
        #[default]
        Pull = "PULL",
        /// Members pop and acknowledge.
        Pop = "POP",
    }
}

/// A client's question for its queues. Java `QueryAssignmentRequestBody`; the body of `QUERY_ASSIGNMENT` 400.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentRequestBody {
    /// The client's id.
    pub client_id: String,
    /// The consumer group.
    pub consumer_group: String,
    /// Whether the members share the messages.
    pub message_model: MessageModel,
    /// The assignment strategy, such as `AVG`.
    pub strategy_name: String,
    /// The topic.
    pub topic: String,
}

/// The queues of a client. Java `QueryAssignmentResponseBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentResponseBody {
    /// `None` if the broker does not know the member, the strategy or the topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_queue_assignments: Option<Vec<MessageQueueAssignment>>,
}

/// One queue and how to read it. Java `MessageQueueAssignment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageQueueAssignment {
    /// Further properties of the assignment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attachments: Option<BTreeMap<String, String>>,
    /// The queue; id −1 stands for all queues of the broker.
    pub message_queue: MessageQueue,
    /// Pull or pop.
    #[serde(default)]
    pub mode: MessageRequestMode,
}

/// Sets how a group receives messages. Java `SetMessageRequestModeRequestBody`; the body of
/// `SET_MESSAGE_REQUEST_MODE` 401.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetMessageRequestModeRequestBody {
    /// The consumer group.
    pub consumer_group: String,
    /// Pull or pop.
    pub mode: MessageRequestMode,
    /// How many queues of other members a member also pops from; 0 for all queues.
    pub pop_share_queue_num: i32,
    /// The topic.
    pub topic: String,
}
