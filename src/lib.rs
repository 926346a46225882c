//! Apache RocketMQ client for Rust: the facade.
//!
//! Everything here is re-exported from `rocketmq-client`.

#[doc(inline)]
#[allow(unused_imports, unreachable_pub)]
pub use rocketmq_client::*;
