//! Hands messages to listeners.
//!
//! - [`Pool`]: the workers of a consumer, and how many there are
//! - `concurrently`: a worker that handles messages in any order
//! - `batches`: a worker that handles several messages of a queue at a time
//! - `orderly`: a worker that handles the messages of a queue one by one
//! - `running`: waits for a handler, within its time

mod batches;
mod concurrently;
mod orderly;
mod pool;
mod running;

pub(crate) use pool::Pool;
