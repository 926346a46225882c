//! The core of a client, which its producers, consumers and admins share. Java:
//! `org.apache.rocketmq.client.impl.factory`.
//!
//! | room | holds |
//! |---|---|
//! | `mq_client_instance` | the core: its id, its parts, how it starts and ends |
//! | `remoting` | its connections, with the transport and the hooks that the options ask for |
//! | `route_table` | the routes of topics as NameServers tell them |
//! | `publish_routes`, `topic_publish_info` | what one producer makes of them: writable queues on masters |
//! | `topic_subscribe_info` | what a reader makes of them: readable queues on masters and slaves |
//! | `groups` | the registry: which groups are here, and what answers brokers for them |
//! | `heartbeats` | what was told to which broker, and on which connection |
//! | `client_remoting_processor` | requests of brokers, to the handler of their code or group |
//! | `pending_replies` | requests of producers that wait for the reply that a broker pushes |
//! | `duties` | what goes on in the background |
//! | `client_id` | the id of a client, and the ids of messages |
//! | `own_thread` | a thread that a core can have to itself |

mod client_id;
mod client_remoting_processor;
mod duties;
mod groups;
mod heartbeats;
mod mq_client_instance;
mod own_thread;
mod pending_replies;
mod publish_routes;
mod remoting;
mod route_table;
mod topic_publish_info;
mod topic_subscribe_info;

pub(crate) use client_id::unique_ids;
pub(crate) use groups::{BrokerRequestHandler, Group, Membership};
pub(crate) use mq_client_instance::MQClientInstance;
pub(crate) use pending_replies::{PendingReply, PushedReply};
pub(crate) use publish_routes::PublishRoutes;
#[cfg(test)]
pub(crate) use route_table::TopicRoute;
pub(crate) use topic_publish_info::{Choice, TopicPublishInfo};
pub(crate) use topic_subscribe_info::TopicSubscribeInfo;
