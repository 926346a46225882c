//! Hands messages to listeners and streams.
//!
//! - [`Pool`]: the workers of a consumer, and how many there are
//! - `concurrently`: a worker that handles messages in any order
//! - `batches`: a worker that handles several messages of a queue at a time
//! - `orderly`: a worker that handles the messages of a queue one by one
//! - `streaming`: a worker for the deliveries of a stream that have not succeeded, and their time
//! - `directly`: a message that an operator chose
//! - `hooked`: hooks around a listener
//! - `spanned`: a span around a listener, with the feature `otel`
//! - `running`: waits for a handler, within its time
//! - `desk`: shows others which handler blocks its thread

mod batches;
mod concurrently;
mod desk;
mod directly;
mod hooked;
mod orderly;
mod pool;
mod running;
mod spanned;
mod streaming;

pub(crate) use pool::{Pool, Receiver};
