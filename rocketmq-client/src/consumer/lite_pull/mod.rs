//! The pull consumer: its user asks for messages, and says where to read. Java: `DefaultLitePullConsumer`.
//!
//! - [`PullConsumer`]: the consumer that a user polls
//! - [`PullConsumerHandle`]: the handle for other tasks of the user
//! - `builder`: a consumer in one expression
//! - `polled`: messages that polls returned and that are not confirmed
//! - `positions`: seeks and commits, and what they refuse

mod builder;
mod handle;
mod polled;
mod positions;
mod pull_consumer;

pub use builder::PullConsumerBuilder;
pub use handle::PullConsumerHandle;
pub use pull_consumer::PullConsumer;
