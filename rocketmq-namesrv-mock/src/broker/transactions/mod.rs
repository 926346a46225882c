//! Transactions: half messages, and their end. Java: `EndTransactionProcessor`,
//! `TransactionalMessageServiceImpl`.
//!
//! - [`end`]: the producer ends a transaction, 37.
//! - [`check`]: the broker asks about half messages that have not ended, 39.

mod check;
mod end;

pub(crate) use check::check_transactions;
pub(crate) use end::end_transaction;
