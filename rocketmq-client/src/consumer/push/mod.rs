//! The push consumer: messages come to a listener.
//!
//! - [`PushConsumer`]: what a user holds
//! - `receivers`: the listeners and the stream that it takes
//! - `builder`: a consumer in one expression
//! - `default_mq_push_consumer_impl`: its working part, and what runs once it is started
//! - `start`: how it comes to run
//! - `subscribing`: topics that come and go while it runs
//! - `shutdown`: how it ends
//! - `notices`: what brokers ask of it
//! - `running_info`: what operators see of it
//! - `health`: how its queues are
//! - `watchman`: looks at all queues and handlers once a second, for what is stuck and what cannot heal

mod builder;
mod default_mq_push_consumer_impl;
mod health;
mod notices;
mod push_consumer;
mod receivers;
mod running_info;
mod shutdown;
mod start;
mod subscribing;
mod watchman;

pub use builder::PushConsumerBuilder;
pub use push_consumer::PushConsumer;
