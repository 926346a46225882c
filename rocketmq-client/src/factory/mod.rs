//! The core of a client, which its producers, consumers and admins share. Java:
//! `org.apache.rocketmq.client.impl.factory`.
//!
//! | room | holds |
//! |---|---|
//! | `mq_client_instance` | the core: its id, its parts, how it starts and ends |
//! | `remoting` | its connections, with the transport and the hooks that the options ask for |
//! | `route_table` | the routes of topics from NameServers |
//! | `publish_routes`, `topic_publish_info` | a producer's view of routes: writable queues on masters |
//! | `topic_subscribe_info` | a reader's view of a route: readable queues on masters and slaves |
//! | `groups` | the registry of groups, with their handlers for requests of brokers |
//! | `heartbeats` | sends heartbeats, and records what each broker knows |
//! | `client_remoting_processor` | passes requests of brokers to the handler of their code or group |
//! | `pending_replies` | requests of producers that wait for a pushed reply |
//! | `duties` | background work |
//! | `client_id` | the id of a client, and the ids of messages |
//! | `own_thread` | a thread for a core alone |

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
pub(crate) use groups::{BrokerRequestHandler, Membership};
pub(crate) use mq_client_instance::MQClientInstance;
pub(crate) use pending_replies::{PendingReply, PushedReply};
pub(crate) use publish_routes::PublishRoutes;
#[cfg(test)]
pub(crate) use route_table::TopicRoute;
pub(crate) use topic_publish_info::{Choice, TopicPublishInfo};
pub(crate) use topic_subscribe_info::TopicSubscribeInfo;
