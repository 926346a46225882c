//! Offsets of the group.
//!
//! - [`CommitTable`]: which offsets have to be committed, and which are
//! - [`remote`]: reads offsets from masters, and commits them there
//! - [`local`]: reads and stores the offsets of a broadcast consumer
//! - [`LocalFile`]: the offsets of a broadcast consumer, on disk

mod commits;
pub(crate) mod local;
mod local_file;
pub(crate) mod remote;
#[cfg(test)]
mod tests;

pub(crate) use commits::{Commit, CommitTable, LastCommit, ReadBack};
pub(crate) use local::LocalOffsets;
pub(crate) use local_file::{LocalFile, Offsets};
