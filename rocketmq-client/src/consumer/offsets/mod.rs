//! Offsets of the group.
//!
//! - [`CommitTable`]: which offsets have to be committed, and which are

mod commits;

pub(crate) use commits::{Commit, CommitTable, LastCommit, ReadBack};
