//! Consuming: handlers of a group, and what becomes of each delivery. Written once for all backends.
//!
//! - `builder`: [`ConsumerBuilder`], handlers and policies before the start
//! - `consumer`: [`MessageConsumer`], a running consumer: pause, health, events, shutdown
//! - `handler`: handlers by name and pattern, and how a payload reaches them
//! - `context`: [`Context`], what a handler is told, and where it publishes
//! - `failure`: [`Failure`], what a handler returns
//! - `policy`: [`RetryPolicy`] and the other choices
//! - `middleware`: [`Middleware`] around handlers; [`Dedupe`]
//! - `retry`: [`with_retry`], for calls within a handler
//! - `watch`: [`ConsumerEvent`], [`Health`], [`ShutdownReport`]
//! - `runtime`: the tasks of a running consumer

mod builder;
mod consumer;
mod context;
mod failure;
mod handler;
mod middleware;
mod policy;
mod retry;
mod runtime;
mod watch;

pub use builder::{ConsumerBuilder, SubscribeError};
pub use consumer::MessageConsumer;
pub use context::Context;
pub use failure::{Failure, FailureExt, Verdict};
pub use middleware::{Dedupe, MemorySeen, Middleware, Next, Seen, Timeout};
pub use policy::{Order, RetryMode, RetryPolicy, Then, Unmatched};
pub use retry::with_retry;
pub use watch::{ConsumerError, ConsumerEvent, Health, ShutdownReport};
