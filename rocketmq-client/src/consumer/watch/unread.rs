use std::time::Duration;

use tokio::time::Instant;

/// The longest time that messages wait for a reader before they are told of.
const PATIENCE: Duration = Duration::from_secs(10);

/// Finds out that messages wait and nothing takes them.
#[derive(Debug, Default)]
pub(crate) struct UnreadWatch {
    /// Since when, and how often the reader had looked for messages by then.
    since: Option<(Instant, u64)>,
    is_told: bool,
}

impl UnreadWatch {
    /// `unread`: messages wait, and no reader works on others; it has looked for messages so often in its life. Returns how long
    /// they have waited, once.
    pub(crate) fn look(&mut self, now: Instant, unread: Option<u64>) -> Option<Duration> {
        let (since, _) = match (unread, self.since) {
            (None, _) => {
                *self = Self::default();
                return None;
            }
            (Some(looks), Some((_, before))) if looks != before => {
                self.is_told = false;
                *self.since.insert((now, looks))
            }
            (Some(looks), _) => *self.since.get_or_insert((now, looks)),
        };
        let waited = now.saturating_duration_since(since);
        let is_new = waited >= PATIENCE && !self.is_told;
        self.is_told |= is_new;
        is_new.then_some(waited)
    }

    /// How long they have waited, once that is told.
    pub(crate) fn waiting_for(&self, now: Instant) -> Option<Duration> {
        self.since.filter(|_| self.is_told).map(|(since, _)| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_unread_is_told_once_until_it_is_read() {
        let (mut watch, began) = (UnreadWatch::default(), Instant::now());
        let at = |second| began + Duration::from_secs(second);
        for second in 0..10 {
            assert_eq!(watch.look(at(second), Some(7)), None);
        }
        assert_eq!(watch.look(at(10), Some(7)), Some(Duration::from_secs(10)));
        assert_eq!(watch.look(at(60), Some(7)), None, "once");
        assert_eq!(watch.waiting_for(at(60)), Some(Duration::from_secs(60)));
        assert_eq!(watch.look(at(61), Some(8)), None, "something was read");
        assert_eq!(watch.waiting_for(at(61)), None);
        assert_eq!(watch.look(at(71), Some(8)), Some(Duration::from_secs(10)), "and then no more");
        assert_eq!(watch.look(at(72), None), None);
        assert_eq!(watch.look(at(90), Some(8)), None, "the time begins anew");
    }

    #[test]
    fn a_reader_that_is_never_seen_waiting_reads_all_the_same() {
        let (mut watch, began) = (UnreadWatch::default(), Instant::now());
        for second in 0..100 {
            assert_eq!(watch.look(began + Duration::from_secs(second), Some(second)), None);
        }
    }
}
