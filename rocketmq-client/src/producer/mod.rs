//! Sending messages. Each room uses rooms below it only:
//!
//! - `default_mq_producer`, `transaction_mq_producer`: the public handles, [`Producer`] and [`TransactionProducer`]
//! - `start_shutdown`: start and shutdown
//! - `drivers`: carry sends out: awaited, with a callback, one-way, in batches, as requests
//! - `recall`: takes timer messages back
//! - `default_mq_producer_impl`: the parts that all sends of a producer share
//! - `accumulator`: gathers single sends into batches
//! - `transaction`: the listener, and transaction checks of brokers
//! - `machine`: decides about one send, without I/O
//! - `wire`: the message on the wire, and the answer to it
//! - `permits`, `send_options`, `stats`: limits of sends in flight; options of one send; counters

mod accumulator;
mod default_mq_producer;
mod default_mq_producer_impl;
mod drivers;
mod machine;
mod permits;
mod recall;
mod reply;
mod send_options;
mod start_shutdown;
mod stats;
mod transaction;
mod transaction_mq_producer;
mod wire;

pub use crate::life_cycle::ShutdownReport;
pub use default_mq_producer::{DefaultMQProducer, Producer, ProducerBuilder};
pub(crate) use default_mq_producer_impl::Tracer;
pub use reply::reply_message;
pub use send_options::SendOptions;
pub use stats::ProducerStats;
pub use transaction::{
    LocalTransactionResult, LocalTransactionState, TransactionListener, TransactionListenerFn,
};
pub use transaction_mq_producer::{
    TransactionMQProducer, TransactionProducer, TransactionProducerBuilder, TransactionSendResult,
};
