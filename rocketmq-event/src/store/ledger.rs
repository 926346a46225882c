use std::collections::HashMap;

use bytestring::ByteString;

use super::StoreError;
use super::record::{Claim, Mark};
use crate::backend::Positions;

/// The records of a log that count, and the versions of their events. The ledger follows from the records and their order alone: all
/// readers come to equal ledgers.
///
/// It takes some 50 bytes for each append, and some 150 for each aggregate.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    histories: HashMap<ByteString, History>,
    /// The first offsets of places whose beginning is deleted. What an aggregate was before cannot be known there.
    cut: HashMap<ByteString, u64>,
}

/// The appends of one aggregate that count.
#[derive(Debug)]
pub(super) struct History {
    /// Where they lie.
    pub(super) place: ByteString,
    /// The version before the first of `appends`: above 0, a snapshot told it.
    pub(super) base: u64,
    pub(super) version: u64,
    pub(super) appends: Vec<Append>,
    /// The marks of appends that expected no version, with the versions of their last events.
    any: HashMap<Mark, u64>,
    /// Another place where the aggregate has events as well: the broker's choice of places changed.
    pub(super) elsewhere: Option<ByteString>,
    /// Records that wait for a snapshot to be judged by, because the log begins behind the first events of the aggregate.
    undecided: Option<Vec<Claim>>,
}

/// A record that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Append {
    pub(super) offset: u64,
    /// The version of its first event.
    pub(super) first: u64,
    pub(super) count: u32,
    mark: Mark,
}

impl Append {
    pub(super) fn last(&self) -> u64 {
        self.first + u64::from(self.count) - 1
    }
}

/// The verdict on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts, or another copy of it does: the version of its last event.
    Counted { last: u64 },
    /// It does not count: the version that the aggregate has.
    Void { actual: u64 },
    /// The aggregate has its events in another place.
    Elsewhere,
    /// The beginning of the aggregate is deleted, so that its version is not known.
    Undecided,
}

impl Ledger {
    /// An empty ledger for a log whose places begin at `firsts`.
    pub(super) fn begin(firsts: &Positions) -> Self {
        let cut = firsts.0.iter().filter(|(_, first)| **first > 0);
        Self { histories: HashMap::new(), cut: cut.map(|(place, first)| (place.clone(), *first)).collect() }
    }

    pub(super) fn history(&self, aggregate: &str) -> Option<&History> {
        self.histories.get(aggregate)
    }

    /// The history of an aggregate that has events in the log.
    ///
    /// # Errors
    /// `Moved`; `Truncated` where the first of its events are deleted, and no snapshot told its version.
    pub(super) fn readable(&self, aggregate: &ByteString) -> Result<Option<&History>, StoreError> {
        let Some(history) = self.history(aggregate) else { return Ok(None) };
        if let Some(other) = &history.elsewhere {
            let (home, other) = (history.place.clone(), other.clone());
            return Err(StoreError::Moved { aggregate: aggregate.clone(), home, other });
        }
        if history.is_undecided() {
            return Err(self.truncated(aggregate, &history.place, None));
        }
        Ok(Some(history))
    }

    /// The history of an aggregate. `None`: the aggregate has no events.
    ///
    /// # Errors
    /// As [`readable`](Self::readable); and `Truncated` for an aggregate that could have been in the part of the log that is deleted.
    pub(super) fn known(&self, aggregate: &ByteString) -> Result<Option<&History>, StoreError> {
        let history = self.readable(aggregate)?;
        match self.any_cut().filter(|_| history.is_none()) {
            Some(place) => Err(self.truncated(aggregate, place, None)),
            None => Ok(history),
        }
    }

    /// The error of an aggregate whose first events are deleted in its place.
    pub(super) fn truncated(
        &self,
        aggregate: &ByteString,
        place: &ByteString,
        first_version: Option<u64>,
    ) -> StoreError {
        let first = self.cut.get(place).copied().unwrap_or_default();
        StoreError::Truncated {
            aggregate: Some(aggregate.clone()),
            place: place.clone(),
            first,
            first_version,
        }
    }

    /// A place whose beginning is deleted, with its first offset, unless `but` names it.
    pub(super) fn cut(&self, but: &Positions) -> Option<(&ByteString, u64)> {
        let mut cut = self.cut.iter().filter(|(place, _)| !but.0.contains_key(*place));
        cut.next().map(|(place, first)| (place, *first))
    }

    /// A place whose beginning is deleted, if there is one.
    fn any_cut(&self) -> Option<&ByteString> {
        self.cut.keys().next()
    }

    /// Judges the next record of its place.
    pub(super) fn judge(&mut self, claim: Claim) -> Verdict {
        if let Some(history) = self.histories.get_mut(&claim.aggregate) {
            return history.judge(claim);
        }
        let mut history = History::new(claim.place.clone(), 0);
        history.undecided = self.cut.contains_key(&claim.place).then(Vec::new);
        let aggregate = claim.aggregate.clone();
        let verdict = history.judge(claim);
        // An aggregate lives where its first event lies: a void record says nothing.
        if !matches!(verdict, Verdict::Void { .. }) {
            self.histories.insert(aggregate, history);
        }
        verdict
    }

    /// Tells that the aggregate had this version before the record at `end`. It matters where the log begins behind that version.
    pub(super) fn seed(&mut self, aggregate: &ByteString, place: &ByteString, end: u64, version: u64) {
        // Between the snapshot and what is left there may have been events.
        if self.cut.get(place).is_none_or(|first| *first > end) {
            return;
        }
        let known = self.histories.get_mut(aggregate);
        let waiting = match known {
            Some(history) if history.undecided.is_none() || history.place != place => return,
            Some(history) => history.undecided.take().unwrap_or_default(),
            None => Vec::new(),
        };
        let mut history = History::new(place.clone(), version);
        for claim in waiting.into_iter().filter(|claim| claim.offset >= end) {
            history.judge(claim);
        }
        self.histories.insert(aggregate.clone(), history);
    }
}

impl History {
    fn new(place: ByteString, base: u64) -> Self {
        Self {
            place,
            base,
            version: base,
            appends: Vec::new(),
            any: HashMap::new(),
            elsewhere: None,
            undecided: None,
        }
    }

    /// Whether its version is not known.
    pub(super) fn is_undecided(&self) -> bool {
        self.undecided.is_some()
    }

    /// The append of this record.
    pub(super) fn at(&self, offset: u64) -> Option<&Append> {
        let number = self.appends.binary_search_by_key(&offset, |append| append.offset).ok()?;
        self.appends.get(number)
    }

    /// The version of the last event of this append, if a copy of it counts already.
    pub(super) fn known(&self, expected: Option<u64>, mark: Mark) -> Option<u64> {
        let Some(expected) = expected else { return self.any.get(&mark).copied() };
        let number =
            self.appends.binary_search_by_key(&(expected.saturating_add(1)), |append| append.first).ok()?;
        self.appends.get(number).filter(|append| append.mark == mark).map(Append::last)
    }

    fn judge(&mut self, claim: Claim) -> Verdict {
        if let Some(undecided) = &mut self.undecided {
            undecided.push(claim);
            return Verdict::Undecided;
        }
        if self.place != claim.place {
            // Where it claims to be the beginning, readers of that place alone could take it for that.
            if claim.expected.is_none_or(|expected| expected == 0) {
                self.elsewhere = Some(claim.place);
            }
            return Verdict::Elsewhere;
        }
        if let Some(last) = self.known(claim.expected, claim.mark) {
            return Verdict::Counted { last };
        }
        if claim.expected.is_some_and(|expected| expected != self.version) {
            return Verdict::Void { actual: self.version };
        }
        let Claim { offset, count, mark, expected, .. } = claim;
        self.appends.push(Append { offset, first: self.version + 1, count, mark });
        self.version += u64::from(count);
        if expected.is_none() {
            self.any.insert(mark, self.version);
        }
        Verdict::Counted { last: self.version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(offset: u64, expected: impl Into<Option<u64>>, mark: Mark) -> Claim {
        let expected = expected.into();
        Claim { aggregate: "a".into(), place: "0".into(), offset, expected, count: 1, mark }
    }

    #[test]
    fn of_two_records_that_expect_one_version_the_first_counts() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.judge(claim(0, 0, 1)), Verdict::Counted { last: 1 });
        assert_eq!(ledger.judge(claim(1, 1, 2)), Verdict::Counted { last: 2 });
        assert_eq!(ledger.judge(claim(2, 1, 3)), Verdict::Void { actual: 2 });
        assert_eq!(ledger.judge(Claim { count: 3, ..claim(3, 2, 4) }), Verdict::Counted { last: 5 });
        assert_eq!(ledger.judge(claim(4, 5, 5)), Verdict::Counted { last: 6 });
        let history = ledger.history("a").unwrap();
        let counted: Vec<_> = history.appends.iter().map(|append| (append.offset, append.first)).collect();
        assert_eq!((counted, history.version), (vec![(0, 1), (1, 2), (3, 3), (4, 6)], 6));
        assert!(history.at(2).is_none() && history.at(3).is_some());
    }

    #[test]
    fn a_record_that_was_published_twice_counts_once() {
        let mut ledger = Ledger::default();
        for offset in [0, 1] {
            assert_eq!(ledger.judge(claim(offset, None, 1)), Verdict::Counted { last: 1 });
        }
        for offset in [2, 3] {
            assert_eq!(ledger.judge(claim(offset, 1, 2)), Verdict::Counted { last: 2 });
        }
        assert_eq!(ledger.history("a").unwrap().version, 2);
    }

    #[test]
    fn a_void_record_does_not_make_an_aggregate() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.judge(claim(0, 4, 1)), Verdict::Void { actual: 0 });
        assert!(ledger.history("a").is_none());
    }

    #[test]
    fn an_aggregate_with_a_beginning_in_two_places_is_known_as_such() {
        let mut ledger = Ledger::default();
        ledger.judge(claim(0, 0, 1));
        let there = |expected: u64, mark| Claim { place: "1".into(), ..claim(0, expected, mark) };
        assert_eq!(ledger.judge(there(1, 2)), Verdict::Elsewhere);
        assert!(ledger.history("a").unwrap().elsewhere.is_none(), "no reader takes it for an event");
        assert_eq!(ledger.judge(there(0, 3)), Verdict::Elsewhere);
        assert!(ledger.history("a").unwrap().elsewhere.is_some());
    }

    #[test]
    fn where_the_beginning_is_deleted_a_snapshot_decides_and_else_nothing_does() {
        let mut ledger = Ledger::begin(&Positions([("0".into(), 5)].into()));
        assert_eq!(ledger.judge(claim(5, 3, 1)), Verdict::Undecided);
        assert_eq!(ledger.judge(claim(6, 4, 2)), Verdict::Undecided);
        assert_eq!(
            ledger.judge(claim(7, 4, 3)),
            Verdict::Undecided,
            "it may be void, or the record before it"
        );
        assert!(ledger.history("a").unwrap().is_undecided());
        ledger.seed(&"a".into(), &"0".into(), 4, 3);
        assert!(
            ledger.history("a").unwrap().is_undecided(),
            "the record at 4 is deleted, and may have been an event"
        );
        // Before the record at 6 the aggregate had four events.
        ledger.seed(&"a".into(), &"0".into(), 6, 4);
        let history = ledger.history("a").unwrap();
        assert_eq!((history.base, history.version, history.appends.len()), (4, 5, 1));
        assert_eq!(ledger.judge(claim(8, 5, 4)), Verdict::Counted { last: 6 });
    }
}
