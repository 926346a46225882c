use std::time::Duration;

use rocketmq_remoting::protocol::ResponseCode;
use tokio::time::Instant;

/// The number of a broker within its set: 0 is the master.
pub(crate) type BrokerNumber = u64;

const MASTER: BrokerNumber = 0;
/// The number of answers without progress in a row that is normal. More answers would be a busy loop.
const PATIENCE: u32 = 10;
/// An answer that was held this long is no part of a busy loop.
const HELD: Duration = Duration::from_millis(500);
/// A slave that was of no use is not followed again for this time, whatever the master suggests.
const DISTRUST: Duration = Duration::from_secs(30);
/// The remark of a 21 that carries out a reset (222).
const OFFSET_RESET: &str = "OFFSET_RESET";

/// The answer to a pull, without its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PullAnswer<'a> {
    pub(crate) code: ResponseCode,
    pub(crate) remark: &'a str,
    /// The offset that was asked for.
    pub(crate) asked: i64,
    /// `nextBeginOffset`; present for 0, 19, 20 and 21.
    pub(crate) next_begin: Option<i64>,
    /// The broker that answered.
    pub(crate) from: BrokerNumber,
    /// `suggestWhichBrokerId`.
    pub(crate) suggested: Option<BrokerNumber>,
    /// `forbiddenType` of a 16: which switch of an operator forbids the pull.
    pub(crate) forbidden: Option<i64>,
    /// How long the answer took.
    pub(crate) took: Duration,
}

/// The meaning of a pull answer for its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PullVerdict {
    pub(crate) next: WhatNext,
    /// Where the next pull goes.
    pub(crate) read_from: ReadFrom,
    pub(crate) event: Option<PullEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WhatNext {
    /// Put the messages and the range up to `next_begin` into the window, and pull again after the delay.
    Advance { next_begin: i64, after: Duration },
    /// Pull the same offset again after the delay.
    Again { after: Duration },
    /// Send a heartbeat to the broker, and after its answer and the delay pull the same offset again.
    HeartbeatThenAgain { after: Duration },
    /// Give the position up to `position`: obey the reset to this offset.
    Reset { target: i64 },
    /// Give the position up to `position`: the broker claims that the offset is outside the queue.
    Confirm { claimed: i64 },
    /// The broker refuses this consumer. Say so in health; try again after the delay, because an operator may allow it.
    Refused { why: PullRefusal, after: Duration },
}

/// A refusal that only an operator or a change of the program can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PullRefusal {
    /// Code 16 without a type: the key of this client is unknown, or lacks the right.
    NoPermission,
    /// Code 16 with a type: an operator has switched reading off for the broker, the topic, the group, broadcasting, or the
    /// group on this topic. The same switch ends it, without a change here.
    SwitchedOff,
    /// Code 26: the group does not exist and may not be created.
    GroupNotExist,
}

/// The broker of the set that gets the next pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadFrom {
    /// This broker; where the set lacks it, the next higher one, or else the master.
    Broker(BrokerNumber),
    /// The next broker of the set, and behind the last the first: each gets its turn. This broker where it is alone.
    AnotherThan(BrokerNumber),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PullEvent {
    /// The broker does not know the topic.
    TopicMissing,
    /// The broker did not answer several times in a row.
    BrokerUnreachable,
    /// The broker answered several times in a row with a code that pulls have no rule for.
    Unexpected(ResponseCode),
}

/// Judges the answers to the pulls of one queue. Remembers how often in a row the answers were of no use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PullJudge {
    /// Answers without progress in a row that were not held.
    idle: u32,
    /// Failures of one kind in a row.
    failed: u32,
    kind: FailureKind,
    /// Until then no slave is followed.
    distrust: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum FailureKind {
    #[default]
    None,
    Busy,
    Unsubscribed,
    TopicMissing,
    Refused,
    Unreachable,
    Other,
}

impl PullJudge {
    /// Judges an answer. Java: `PullCallback.onSuccess` and `onException` of `DefaultMQPushConsumerImpl`.
    pub(crate) fn answered(&mut self, now: Instant, answer: &PullAnswer<'_>) -> PullVerdict {
        let follow = self.follow(now, answer);
        match (answer.code, answer.next_begin) {
            (
                ResponseCode::SUCCESS | ResponseCode::PULL_NOT_FOUND | ResponseCode::PULL_RETRY_IMMEDIATELY,
                Some(next),
            ) => self.progress(now, answer, next, follow),
            (ResponseCode::PULL_OFFSET_MOVED, Some(next)) => self.moved(answer, next),
            (ResponseCode::SYSTEM_BUSY, _) if answer.from != MASTER => {
                // A slave that may not be read from answers 2 to each pull.
                self.fail(FailureKind::Busy);
                self.distrust = Some(now + DISTRUST);
                again(Duration::ZERO, ReadFrom::Broker(MASTER))
            }
            (ResponseCode::SYSTEM_BUSY | ResponseCode::FLOW_CONTROL, _) => {
                let times = self.fail(FailureKind::Busy);
                again(grown(20, times, 1_000), ReadFrom::Broker(answer.from))
            }
            (ResponseCode::SUBSCRIPTION_NOT_EXIST | ResponseCode::SUBSCRIPTION_NOT_LATEST, _) => {
                let times = self.fail(FailureKind::Unsubscribed);
                let after = if times == 1 { Duration::ZERO } else { grown(100, times - 1, 1_000) };
                verdict(WhatNext::HeartbeatThenAgain { after }, ReadFrom::Broker(answer.from))
            }
            (ResponseCode::NO_PERMISSION, _) if answer.forbidden.is_some() => {
                self.refused(PullRefusal::SwitchedOff)
            }
            (ResponseCode::NO_PERMISSION, _) => self.refused(PullRefusal::NoPermission),
            (ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, _) => self.refused(PullRefusal::GroupNotExist),
            (ResponseCode::TOPIC_NOT_EXIST, _) => {
                let times = self.fail(FailureKind::TopicMissing);
                let event = (times == 1).then_some(PullEvent::TopicMissing);
                PullVerdict { event, ..again(grown(1_000, times, 30_000), ReadFrom::Broker(MASTER)) }
            }
            (code, _) => {
                let times = self.fail(FailureKind::Other);
                let event = (times == 3).then_some(PullEvent::Unexpected(code));
                PullVerdict { event, ..again(grown(100, times, 5_000), ReadFrom::Broker(MASTER)) }
            }
        }
    }

    /// Judges a pull without an answer from this broker: the connection failed, or the deadline passed. Another broker of
    /// the set may have the messages, too.
    pub(crate) fn unanswered(&mut self, now: Instant, from: BrokerNumber) -> PullVerdict {
        let times = self.fail(FailureKind::Unreachable);
        if from != MASTER {
            self.distrust = Some(now + DISTRUST);
        }
        let event = (times == 3).then_some(PullEvent::BrokerUnreachable);
        PullVerdict { event, ..again(grown(100, times, 1_000), ReadFrom::AnotherThan(from)) }
    }

    /// A server of the broker has answered a heartbeat: what follows is another outage.
    pub(crate) fn reached(&mut self) {
        if self.kind == FailureKind::Unreachable {
            self.failed = 0;
        }
    }

    /// The broker that the answer suggests, or the broker that answered.
    fn follow(&self, now: Instant, answer: &PullAnswer<'_>) -> ReadFrom {
        if answer.from == MASTER && self.distrust.is_some_and(|until| now < until) {
            return ReadFrom::Broker(MASTER);
        }
        ReadFrom::Broker(answer.suggested.unwrap_or(answer.from))
    }

    /// 0, 19 and 20: the offset moves on, or the answer brought nothing.
    fn progress(
        &mut self,
        now: Instant,
        answer: &PullAnswer<'_>,
        next_begin: i64,
        follow: ReadFrom,
    ) -> PullVerdict {
        self.failed = 0;
        self.kind = FailureKind::None;
        if next_begin > answer.asked {
            self.idle = 0;
            return verdict(WhatNext::Advance { next_begin, after: Duration::ZERO }, follow);
        }
        if answer.took >= HELD {
            // An empty queue: the broker waited for messages. A slave may lack what its master has.
            self.idle = 0;
            let by_slave = answer.from != MASTER;
            return again(Duration::ZERO, if by_slave { ReadFrom::Broker(MASTER) } else { follow });
        }
        self.idle = self.idle.saturating_add(1);
        if self.idle < PATIENCE {
            return again(Duration::ZERO, follow);
        }
        // A slave that lags behind answers at once, and suggests itself: only the master can end the loop.
        self.distrust = Some(now + DISTRUST);
        again(grown(20, self.idle - PATIENCE + 1, 1_000), ReadFrom::Broker(MASTER))
    }

    fn moved(&mut self, answer: &PullAnswer<'_>, next_begin: i64) -> PullVerdict {
        self.failed = 0;
        self.kind = FailureKind::None;
        let next = if answer.remark == OFFSET_RESET {
            WhatNext::Reset { target: next_begin }
        } else {
            WhatNext::Confirm { claimed: next_begin }
        };
        verdict(next, ReadFrom::Broker(MASTER))
    }

    fn refused(&mut self, why: PullRefusal) -> PullVerdict {
        let times = self.fail(FailureKind::Refused);
        let after = grown(1_000, times, 30_000);
        verdict(WhatNext::Refused { why, after }, ReadFrom::Broker(MASTER))
    }

    /// Counts a failure. Returns how many of its kind came in a row.
    fn fail(&mut self, kind: FailureKind) -> u32 {
        self.failed = if self.kind == kind { self.failed.saturating_add(1) } else { 1 };
        self.kind = kind;
        self.failed
    }
}

fn verdict(next: WhatNext, read_from: ReadFrom) -> PullVerdict {
    PullVerdict { next, read_from, event: None }
}

fn again(after: Duration, read_from: ReadFrom) -> PullVerdict {
    verdict(WhatNext::Again { after }, read_from)
}

/// A delay that doubles with each of `times` in a row: `first_ms`, then twice as long, up to `most_ms`.
fn grown(first_ms: u64, times: u32, most_ms: u64) -> Duration {
    let doublings = times.saturating_sub(1).min(16);
    Duration::from_millis((first_ms << doublings).min(most_ms))
}
