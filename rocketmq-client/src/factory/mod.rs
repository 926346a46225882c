//! What producers, consumers and admins of one client share: routes, heartbeats, connections.
//! Java: `org.apache.rocketmq.client.impl.factory`.

mod client_id;
mod client_remoting_processor;
mod duties;
mod heartbeats;
mod mq_client_instance;
mod pending_replies;
mod remoting;
mod route_table;
mod topic_publish_info;

pub(crate) use client_id::unique_ids;
pub(crate) use client_remoting_processor::TransactionCheck;
pub(crate) use mq_client_instance::{MQClientInstance, Role};
pub(crate) use pending_replies::{PendingReply, PushedReply};
pub(crate) use topic_publish_info::{Choice, TopicPublishInfo};
