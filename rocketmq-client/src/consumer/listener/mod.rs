//! Listeners: what they are given, and what they return.
//!
//! - `outcome`: what a listener returns, and what converts into it
//! - `context`: what a listener is told besides the message
//! - `cancel`: the token by which a handler learns that it should stop
//! - `traits`: listeners as types
//! - `by_topic`: listeners of single topics
//! - `slot`: runs a listener, without an allocation for each message

mod by_topic;
mod cancel;
mod context;
mod outcome;
mod slot;
mod traits;

pub use by_topic::MessageListener;
pub use cancel::CancelToken;
pub use context::ConsumeContext;
pub use outcome::{
    BatchOutcome, BatchResult, ConsumeFailure, ConsumeOutcome, ConsumeResult, IntoOutcome, OrderlyOutcome,
    OrderlyResult,
};
pub use traits::{BoxFuture, MessageListenerBatch, MessageListenerConcurrently, MessageListenerOrderly};

pub(crate) use by_topic::route;
pub(crate) use cancel::CancelSource;
pub(crate) use slot::{Ended, Handler, Listener, Run, Slot};
