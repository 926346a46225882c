//! A broker in the memory of this process, which follows the contract exactly. For tests, and for services that may lose
//! their events at an exit.
//!
//! - `broker`: [`MemoryBroker`], the streams that connections share
//! - `state`: what it holds, and who gets what next
//! - `connection`: [`MemoryBackend`], the backend
//! - `member`: a member of a group
//! - `readers`: logs and dead letters

mod broker;
mod connection;
mod member;
mod readers;
mod state;

pub use broker::MemoryBroker;
pub use connection::MemoryBackend;
