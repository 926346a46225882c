use std::time::Duration;

use tokio::time::Instant;

/// The answer of a broker to the question for a committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OffsetReading {
    Found(i64),
    /// Code 22. Also the answer for an empty or unknown queue, an unknown topic and an unknown group.
    Absent,
    /// Any other code, no answer, or an offset below 0.
    Unknown,
}

/// The ends of a queue, read from its master: the first offset that is there, and the next that will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    pub(crate) min: i64,
    pub(crate) max: i64,
}

/// Where a group starts that has never consumed the topic. Java: `ConsumeFromWhere`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StartFrom {
    /// At the end; brokers answer 0 for a queue that still has its first message, and this is believed, as in Java.
    Last,
    /// At the end, always.
    LastExactly,
    /// At the first message that is there.
    First,
    /// At the first message stored at or after this time, in milliseconds since 1970.
    Timestamp(i64),
}

/// Whether a group has consumed a topic before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GroupHistory {
    /// It has committed an offset of another queue: a queue without an offset was added later.
    Known,
    /// No queue of the topic has an offset of the group.
    New,
    /// Some brokers did not say.
    Unknown,
}

/// The rule for one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StartRule {
    pub(crate) from: StartFrom,
    /// The queue belongs to the retry topic of the group: it is always read from its first message.
    pub(crate) retry_topic: bool,
    /// The queue appeared in the route while this consumer ran: it is read from its first message.
    pub(crate) added_later: bool,
}

/// Finds where a queue starts, in steps. The first step is [`first_step`](Self::first_step); what came of a step goes to
/// [`step`](Self::step). All questions go to the master: a slave may answer 0 where the master has 7.
#[derive(Debug)]
pub(crate) struct StartMachine {
    rule: StartRule,
    bounds: Option<Bounds>,
    failures: u32,
}

/// The next task of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartStep {
    /// Read the committed offset (14). `zero_if_young` is `setZeroIfNotFound`.
    AskCommitted { zero_if_young: bool },
    /// Read minimum (31) and maximum (30), if the queue is in the route with a master.
    AskBounds,
    /// Tell whether the group is new, by the offsets that were read before brokers knew that this consumer wants the topic: two
    /// members of a new group that start together would otherwise take each other's first commits for history. While the
    /// answer is unknown, read the committed offsets of all other queues, with `setZeroIfNotFound` = false.
    AskGroup,
    /// Search the offset at this time (29), in milliseconds since 1970.
    AskTime(i64),
    /// The offset is unknown: begin again with the question for the committed offset then.
    WaitUntil(Instant),
    /// Pull from `offset`. A position that was chosen, not read, has to be committed, or the next start would choose again.
    StartAt { offset: i64, commit: bool },
}

/// The outcome of a [`StartStep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartEvent {
    Committed(OffsetReading),
    /// `None`: not in the route, without a master, or no answer.
    Bounds(Option<Bounds>),
    Group(GroupHistory),
    /// `None`: no answer.
    AtTime(Option<i64>),
    #[cfg_attr(not(test), expect(dead_code, reason = "the driver begins with the first step again"))]
    Waited,
}

impl GroupHistory {
    /// What the readings of the other queues of the topic say. A topic with a single queue has no other queue: its group is
    /// new.
    pub(crate) fn of(readings: impl IntoIterator<Item = OffsetReading>) -> Self {
        let mut history = Self::New;
        for reading in readings {
            match reading {
                OffsetReading::Found(_) => return Self::Known,
                OffsetReading::Absent => {}
                OffsetReading::Unknown => history = Self::Unknown,
            }
        }
        history
    }
}

impl Bounds {
    /// The ends that a broker can have meant. A queue that exists in the route only answers minimum −1.
    pub(super) fn sane(self) -> Option<Self> {
        let min = self.min.max(0);
        (self.max >= min).then_some(Self { min, max: self.max })
    }

    /// The ends as they were when the queue ended there, if it is known.
    pub(crate) fn ending_at(self, end: Option<i64>) -> Self {
        let max = end.map_or(self.max, |end| end.max(self.min).min(self.max));
        Self { max, ..self }
    }

    pub(crate) fn clamp(&self, offset: i64) -> i64 {
        offset.clamp(self.min, self.max)
    }
}

impl StartMachine {
    pub(crate) fn new(rule: StartRule) -> Self {
        Self { rule, bounds: None, failures: 0 }
    }

    /// The step that begins the search.
    pub(crate) fn first_step(&self) -> StartStep {
        StartStep::AskCommitted { zero_if_young: self.rule.from != StartFrom::LastExactly }
    }

    /// The user counts on messages from `since` on, in milliseconds since 1970: a new group does not start behind them.
    pub(crate) fn owe(&mut self, since: i64) {
        if matches!(self.rule.from, StartFrom::Last | StartFrom::LastExactly) {
            self.rule.from = StartFrom::Timestamp(since);
        }
    }

    /// The next step. [`StartStep::StartAt`] ends the search.
    pub(crate) fn step(&mut self, now: Instant, event: StartEvent) -> StartStep {
        match event {
            StartEvent::Committed(OffsetReading::Found(offset)) if offset >= 0 => {
                StartStep::StartAt { offset, commit: false }
            }
            StartEvent::Committed(OffsetReading::Absent) => StartStep::AskBounds,
            StartEvent::Bounds(Some(bounds)) => match bounds.sane() {
                Some(bounds) => self.choose(bounds),
                None => self.unknown(now),
            },
            StartEvent::Group(GroupHistory::Known) => self.at(|bounds| bounds.min, now),
            StartEvent::Group(GroupHistory::New) => match self.rule.from {
                StartFrom::Timestamp(time) => StartStep::AskTime(time),
                StartFrom::First => self.at(|bounds| bounds.min, now),
                StartFrom::Last | StartFrom::LastExactly => self.at(|bounds| bounds.max, now),
            },
            StartEvent::AtTime(Some(offset)) => self.at(|bounds| bounds.clamp(offset), now),
            StartEvent::Waited => self.first_step(),
            StartEvent::Committed(_)
            | StartEvent::Bounds(None)
            | StartEvent::Group(GroupHistory::Unknown)
            | StartEvent::AtTime(None) => self.unknown(now),
        }
    }

    /// Whether the offset could not be read so far.
    #[cfg(test)]
    pub(crate) fn is_unknown(&self) -> bool {
        self.failures > 0
    }

    /// The master has the queue and knows no offset of the group.
    fn choose(&mut self, bounds: Bounds) -> StartStep {
        self.bounds = Some(bounds);
        let StartRule { from, retry_topic, added_later } = self.rule;
        if retry_topic || added_later || from == StartFrom::First {
            return StartStep::StartAt { offset: bounds.min, commit: true };
        }
        StartStep::AskGroup
    }

    fn at(&mut self, choose: impl FnOnce(&Bounds) -> i64, now: Instant) -> StartStep {
        match &self.bounds {
            Some(bounds) => StartStep::StartAt { offset: choose(bounds), commit: true },
            None => self.unknown(now),
        }
    }

    fn unknown(&mut self, now: Instant) -> StartStep {
        let delay = retry_delay(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.bounds = None;
        StartStep::WaitUntil(now + delay)
    }
}

/// 100 ms, 200 ms … 1 s.
pub(super) fn retry_delay(failures: u32) -> Duration {
    Duration::from_millis((100 << failures.min(4)).min(1_000))
}
