//! Which messages of a topic a consumer wants.
//!
//! - `selector`: an expression, as a user writes it
//! - `filter`: the expression parsed, for heartbeats and for the check of each message

mod filter;
mod selector;

pub use selector::MessageSelector;

pub(crate) use filter::Subscription;
