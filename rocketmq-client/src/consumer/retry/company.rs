use std::time::Duration;

use tokio::time::Instant;

/// A broker keeps the lock of a queue for 60 s after its holder was last heard of; a little more, for its clock.
const LOCK_OUTLIVES: Duration = Duration::from_secs(65);

/// Whether another member of the group may hold the lock of a queue: a send to the retry topic is a dead letter then.
///
/// No request tells who holds locks, and an orderly member looks like any other. So the group has no lock for sure only while
/// this member is concurrent and has been its only member for longer than a lock lives, as far as each list of members said
/// that brokers gave. Without a list, nothing is sure.
#[derive(Debug, Default)]
pub(crate) struct Company {
    alone_since: Option<Instant>,
}

impl Company {
    /// A broker told who the members are.
    pub(crate) fn told(&mut self, now: Instant, is_alone: bool) {
        self.alone_since = if is_alone { self.alone_since.or(Some(now)) } else { None };
    }

    /// Whether a lock may be held.
    pub(crate) fn may_hold_locks(&self, now: Instant) -> bool {
        self.alone_since.is_none_or(|since| now < since + LOCK_OUTLIVES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_ruled_out_only_after_a_long_time_alone() {
        let (start, mut company) = (Instant::now(), Company::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(company.may_hold_locks(at(1_000)), "no broker has said who the members are");
        company.told(at(0), true);
        company.told(at(40), true);
        assert!(company.may_hold_locks(at(60)), "the group may have been orderly a minute ago");
        assert!(!company.may_hold_locks(at(65)));
        company.told(at(70), false);
        assert!(company.may_hold_locks(at(200)), "the other member may be orderly");
        company.told(at(200), true);
        assert!(company.may_hold_locks(at(260)), "its lock outlives it");
        assert!(!company.may_hold_locks(at(265)));
    }
}
