//! Who decides about transactions.
//!
//! - `listener`: what users implement
//! - `checks`: answers what brokers ask

mod checks;
mod listener;

pub(super) use checks::{Checker, TransactionCheck, check_queue};
pub(super) use listener::{Decision, DynListener};
pub use listener::{
    LocalTransactionResult, LocalTransactionState, TransactionListener, TransactionListenerFn,
};
