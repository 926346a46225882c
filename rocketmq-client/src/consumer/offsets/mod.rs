//! Offsets of the group.
//!
//! - [`CommitTable`]: which offsets have to be committed, and which are
//! - [`LocalFile`]: the offsets of a broadcast consumer, on disk
//! - [`remote`]: reads offsets from masters, and commits them there
//! - [`LocalFile`]: the offsets of a broadcast consumer, on disk

mod commits;
mod local_file;
pub(crate) mod remote;
#[cfg(test)]
mod tests;

pub(crate) use commits::{Commit, CommitTable, LastCommit, ReadBack};
pub(crate) use local_file::{LocalFile, Offsets};
