use std::sync::atomic::{AtomicU64, Ordering};

/// One ownership of a queue. A queue that is lost and taken again has a new generation, so that answers, results and
/// commits of the old ownership are recognised and change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Generation(u64);

/// Hands out generations, each higher than all before.
#[derive(Debug, Default)]
pub(crate) struct Generations(AtomicU64);

impl Generations {
    pub(crate) fn next(&self) -> Generation {
        Generation(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
