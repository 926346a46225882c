//! Transactions: halves that wait, and what ends them. Java: `EndTransactionProcessor`,
//! `TransactionalMessageServiceImpl`.
//!
//! - [`end`]: the end that a producer puts to a half, 37.
//! - [`check`]: the question about halves without an end, 39.

mod check;
mod end;

pub(crate) use check::check_transactions;
pub(crate) use end::end_transaction;
