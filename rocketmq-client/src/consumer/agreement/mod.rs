//! Whether the members of a group agree: all should have equal subscriptions, each under a client id of its own.
//!
//! - [`Agreement`]: what is known of the other members, and what was told of it
//! - [`keep_looking`]: asks brokers and members after each rebalance
//! - `tests`: groups whose members differ

mod known;
mod looking;
#[cfg(test)]
mod tests;

pub(crate) use known::{Agreement, Difference};
pub(crate) use looking::keep_looking;
