//! The push consumer: messages come to a listener or a stream. Java: `DefaultMQPushConsumer`.
//!
//! - [`PushConsumer`]: the handle that a user holds
//! - `receivers`: the listeners and the stream that it takes
//! - `builder`: a consumer in one expression

mod builder;
mod push_consumer;
mod receivers;

pub use builder::PushConsumerBuilder;
pub use push_consumer::PushConsumer;
