//! Backends: the duties of a broker. All rooms above them are equal for all brokers.
//!
//! - `contract`: the traits [`Backend`], [`Source`], [`LogReader`] and [`DeadQueue`], with their rules
//! - `values`: what goes through them: [`Outgoing`], [`Incoming`], [`Destination`], [`SubscriptionSpec`], [`Abilities`]
//! - `notices`: what happens to a connection, on its way to the user
//! - `memory`: a broker in this process, which follows the rules exactly
//! - `rocketmq`, `rabbitmq`, `kafka`: the brokers (features of these names)
//! - `dead_log`: dead letters of brokers whose dead letters are a log
//! - `steps`: the delays of brokers that keep one queue for each delay
//! - `tasks`: the tasks of a backend

mod contract;
#[cfg(any(feature = "rocketmq", feature = "kafka"))]
mod dead_log;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod memory;
mod notices;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
#[cfg(feature = "rocketmq")]
pub mod rocketmq;
#[cfg(any(feature = "kafka", feature = "rabbitmq"))]
mod steps;
#[cfg(any(feature = "kafka", feature = "rabbitmq"))]
mod tasks;
mod values;

pub use contract::{Backend, BackendError, DeadQueue, LogError, LogReader, Source};
pub use notices::{Notice, Notices};
pub use values::{
    Abilities, Destination, Durability, Incoming, Outgoing, Positions, Start, Stored, SubscriptionSpec, Tag,
};
