//! The working part of push and pull consumers. Java: `MQConsumerInner`.
//!
//! - [`MQConsumerInner`]: what its user wants, and what exists once it runs
//! - [`ConsumerDraft`]: a consumer in the making, for the builders
//! - `start`: how it comes to run
//! - `subscribing`: topics and assigned queues that come and go while it runs
//! - `shutdown`: how it ends
//! - `notices`: what brokers ask of it
//! - `running_info`: what operators see of it
//! - `health`: how its queues are
//! - `watchman`: looks at all queues and handlers once a second, for what is stuck and what cannot heal

mod draft;
mod health;
mod mq_consumer_inner;
mod notices;
mod running_info;
mod shutdown;
mod start;
mod subscribing;
mod watchman;

pub(crate) use draft::ConsumerDraft;
pub(crate) use mq_consumer_inner::MQConsumerInner;
