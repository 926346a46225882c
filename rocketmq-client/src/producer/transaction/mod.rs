//! The states of transactions.
//!
//! - `listener`: the trait that users implement
//! - `checks`: answers transaction checks of brokers

mod checks;
mod listener;

pub(super) use checks::{Checker, TransactionCheck, check_queue};
pub(super) use listener::{Decision, DynListener};
pub use listener::{
    LocalTransactionResult, LocalTransactionState, TransactionListener, TransactionListenerFn,
};
