use std::collections::BTreeSet;

/// The records that a member has taken from a partition, and the unfinished ones among them.
#[derive(Debug, Default)]
pub(super) struct Progress {
    next: i64,
    unfinished: BTreeSet<i64>,
    stored: Option<i64>,
}

impl Progress {
    /// A record was read. Offsets only grow, with gaps.
    pub(super) fn take(&mut self, offset: i64) {
        self.unfinished.insert(offset);
        self.next = self.next.max(offset + 1);
    }

    pub(super) fn finish(&mut self, offset: i64) {
        self.unfinished.remove(&offset);
    }

    /// The offset to commit, if it is not the one that was returned last: all before it is finished.
    pub(super) fn take_to_store(&mut self) -> Option<i64> {
        let offset = self.unfinished.first().copied().unwrap_or(self.next);
        let is_new = self.next > 0 && self.stored != Some(offset);
        self.stored = Some(offset);
        is_new.then_some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_record_is_never_behind_the_offset() {
        let mut progress = Progress::default();
        assert_eq!(progress.take_to_store(), None);
        for offset in [5, 6, 8] {
            progress.take(offset);
        }
        progress.finish(8);
        progress.finish(6);
        assert_eq!(progress.take_to_store(), Some(5));
        assert_eq!(progress.take_to_store(), None, "it was said already");
        progress.finish(5);
        assert_eq!(progress.take_to_store(), Some(9));
        progress.take(9);
        assert_eq!(progress.take_to_store(), None);
    }
}
