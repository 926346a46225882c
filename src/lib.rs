//! The facade: everything here is re-exported from `rocketmq-client`. What follows is the README.
//!
#![doc = include_str!("../README.md")]

#[doc(inline)]
#[allow(unused_imports, unreachable_pub)]
pub use rocketmq_client::*;
