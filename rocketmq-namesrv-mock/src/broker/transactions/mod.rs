//! Transactions: half messages, and their end. Java: `EndTransactionProcessor`,
//! `TransactionalMessageServiceImpl`.
//!
//! - [`end`]: the producer ends a transaction, 37.
//! - [`check`]: the broker asks about half messages that have not ended, 39.
//! - [`resume`]: a tool lets the broker ask anew, 323.

mod check;
mod end;
mod resume;

pub(crate) use check::check_transactions;
pub(crate) use end::end_transaction;
pub(crate) use resume::resume_check;
