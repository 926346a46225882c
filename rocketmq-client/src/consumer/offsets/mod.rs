//! Offsets of the group.
//!
//! - [`CommitTable`]: which offsets have to be committed, and which are
//! - [`remote`]: reads offsets from masters, and commits them there

mod commits;
pub(crate) mod remote;

pub(crate) use commits::{Commit, CommitTable, LastCommit, ReadBack};
