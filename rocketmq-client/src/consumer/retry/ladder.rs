use std::time::Duration;

use bytestring::ByteString;
use rocketmq_common::{MessageExt, mix_all};
use rocketmq_remoting::protocol::header::{ConsumerSendMsgBackRequestHeader, SendMessageRequestHeaderV2};
use tokio::time::Instant;

use super::properties::{for_retry_topic, original_topic};

/// The highest delay level of a broker.
const TOP_LEVEL: i32 = 18;
/// The delays of a broker's levels, in seconds. Java: `messageDelayLevel`.
const LEVELS: [u64; TOP_LEVEL as usize] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];
/// A failed retry begins at this level: 10 s.
const FIRST_LEVEL: i32 = 3;
/// The message has no known place in a commit log: it cannot be given back (36), only sent.
pub(crate) const NO_COMMIT_LOG_OFFSET: i64 = -1;
const FIRST_LOCAL: Duration = Duration::from_secs(5);
const LONGEST_LOCAL: Duration = Duration::from_secs(60);

/// Finds a place for one message whose handler failed; until there is one, the offset of the message stands.
///
/// Later: given back to the broker that stored it (36); else sent to the retry topic, unless a member of the group may hold
/// a lock; else handled again here. Dead letter: sent to the retry topic with a count beyond the maximum, so that the broker
/// moves it to `%DLQ%` with its properties; else sent again later.
///
/// The first step is [`begin`](Self::begin); its outcome goes to [`failed`](Self::failed) or [`stored`](Self::stored).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RetryLadder {
    /// Local retries so far.
    local: u32,
}

/// The facts about a failed message that the ladder needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryPlan<'a> {
    pub(crate) group: &'a str,
    /// Empty: names have none.
    pub(crate) namespace: &'a str,
    /// Deliveries after the first; at this count a failure makes a dead letter. Java: `maxReconsumeTimes`.
    pub(crate) max_reconsume_times: i32,
    /// The deliveries that came from local retries, which the count of the message lacks.
    pub(crate) local_times: i32,
    /// The level that the listener asked for: none or 0 lets the count decide, a negative level makes a dead letter.
    pub(crate) delay_level: Option<i32>,
    /// Why the message failed; with `dead_letter`, or at the last failure, it becomes a property.
    pub(crate) reason: &'a str,
    /// The listener asked for a dead letter.
    pub(crate) dead_letter: bool,
    /// A member of the group may hold a lock on a queue: any send to the retry topic would become a dead letter. See
    /// [`Company`](super::Company).
    pub(crate) may_hold_locks: bool,
}

/// The next task of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RetryStep {
    /// Give the message back (36) to the master that stored it.
    SendBack(ConsumerSendMsgBackRequestHeader),
    /// Send the message (10, 310) to the retry topic.
    Send(RetrySend),
    /// Run the listener again then, with the message counting one delivery more.
    HandleAgain(Instant),
    /// Begin again then, without the listener: the message is a dead letter that no broker took.
    BeginAgain(Instant),
}

/// A send to the retry topic: its fields beside body, flag and born data of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RetrySend {
    /// `%RETRY%group`.
    pub(crate) topic: String,
    /// Brokers check the number against the retry topic, which may have a single queue.
    pub(crate) queue_id: i32,
    /// The count of failures, this one included.
    pub(crate) reconsume_times: i32,
    /// Below `reconsume_times` in a dead letter.
    pub(crate) max_reconsume_times: i32,
    /// The properties as text.
    pub(crate) properties: String,
    /// The broker makes a dead letter of it.
    pub(crate) dead_letter: bool,
}

/// How a request of a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StepFailure {
    /// The broker answered with an error.
    Refused,
    /// No answer came, or the request could not be sent: the message may be stored.
    Unanswered,
}

/// An event to tell the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryEvent {
    /// No broker took the message: it is tried again here.
    SendBackFailed,
    /// The message is in the dead-letter queue.
    DeadLettered,
}

/// How it ended: the message is stored elsewhere, and its offset is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryEnd {
    pub(crate) event: Option<RetryEvent>,
}

impl RetrySend {
    /// The header of the send (310) to this broker.
    pub(crate) fn header<'a>(
        &'a self,
        message: &MessageExt,
        broker_name: &'a str,
    ) -> SendMessageRequestHeaderV2<'a> {
        SendMessageRequestHeaderV2 {
            producer_group: mix_all::CLIENT_INNER_PRODUCER_GROUP,
            topic: &self.topic,
            default_topic: mix_all::AUTO_CREATE_TOPIC_KEY_TOPIC,
            default_topic_queue_nums: 1,
            queue_id: self.queue_id,
            // The body is plain: it was inflated when it came.
            sys_flag: 0,
            born_timestamp: message.born_timestamp(),
            flag: message.message().flag(),
            properties: Some(&self.properties),
            reconsume_times: Some(self.reconsume_times),
            max_reconsume_times: Some(self.max_reconsume_times),
            broker_name: Some(broker_name),
            ..SendMessageRequestHeaderV2::default()
        }
    }
}

impl RetryPlan<'_> {
    /// How often the message has been delivered after the first time.
    fn times(&self, message: &MessageExt) -> i32 {
        message.reconsume_times().max(0).saturating_add(self.local_times)
    }

    /// Whether the message is a dead letter now.
    pub(crate) fn is_dead(&self, message: &MessageExt) -> bool {
        let asked = self.dead_letter || self.delay_level.is_some_and(|level| level < 0);
        asked || self.times(message) >= self.max_reconsume_times
    }

    /// When a popped message comes again: after the time of its level. Java's pop consumer counts the same times, 10 s, 30 s, 1 min …
    pub(crate) fn delay(&self, message: &MessageExt) -> Duration {
        let level = usize::try_from(self.level(message)).unwrap_or_default().clamp(1, LEVELS.len());
        Duration::from_secs(LEVELS[level - 1])
    }

    /// The level of the next retry, when the client sends it itself.
    fn level(&self, message: &MessageExt) -> i32 {
        let by_count = FIRST_LEVEL.saturating_add(self.times(message)).min(TOP_LEVEL);
        self.delay_level.filter(|level| *level > 0).map_or(by_count, |level| level.min(TOP_LEVEL))
    }
}

impl RetryLadder {
    /// The first step.
    pub(crate) fn begin(&self, message: &MessageExt, plan: &RetryPlan<'_>) -> RetryStep {
        if plan.is_dead(message) {
            return match send(message, plan, true) {
                Some(send) => RetryStep::Send(send),
                // Properties that do not fit: the broker can copy them, but takes no reason.
                None => RetryStep::SendBack(send_back(message, plan, -1)),
            };
        }
        let level = plan.delay_level.unwrap_or(0).clamp(0, TOP_LEVEL);
        RetryStep::SendBack(send_back(message, plan, level))
    }

    /// The step after a step that failed.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        step: &RetryStep,
        failure: StepFailure,
        message: &MessageExt,
        plan: &RetryPlan<'_>,
    ) -> (RetryStep, Option<RetryEvent>) {
        let dead = plan.is_dead(message);
        match step {
            RetryStep::SendBack(_) if !dead && !plan.may_hold_locks => {
                if let Some(send) = send(message, plan, false) {
                    return (RetryStep::Send(send), None);
                }
            }
            // Perhaps the body is too large for a send: the broker can copy it, but takes no reason.
            RetryStep::Send(_)
                if dead
                    && failure == StepFailure::Refused
                    && message.commit_log_offset() != NO_COMMIT_LOG_OFFSET =>
            {
                return (RetryStep::SendBack(send_back(message, plan, -1)), None);
            }
            _ => {}
        }
        let at = now + self.local_delay();
        let next = if dead { RetryStep::BeginAgain(at) } else { RetryStep::HandleAgain(at) };
        (next, Some(RetryEvent::SendBackFailed))
    }

    /// The end after a step whose outcome is that a broker stored the message.
    pub(crate) fn stored(&self, step: &RetryStep) -> RetryEnd {
        let dead = match step {
            RetryStep::Send(send) => send.dead_letter,
            RetryStep::SendBack(back) => back.delay_level < 0,
            _ => false,
        };
        RetryEnd { event: dead.then_some(RetryEvent::DeadLettered) }
    }

    /// When to run the listener again for a message of a broadcast consumer, which no broker takes back.
    pub(crate) fn try_here(&mut self, now: Instant) -> Instant {
        now + self.local_delay()
    }

    /// 5 s, 10 s … 60 s.
    fn local_delay(&mut self) -> Duration {
        let delay = FIRST_LOCAL * (1 << self.local.min(4));
        self.local = self.local.saturating_add(1);
        delay.min(LONGEST_LOCAL)
    }
}

fn send_back(
    message: &MessageExt,
    plan: &RetryPlan<'_>,
    delay_level: i32,
) -> ConsumerSendMsgBackRequestHeader {
    ConsumerSendMsgBackRequestHeader {
        offset: message.commit_log_offset(),
        group: plan.group.into(),
        delay_level,
        origin_msg_id: Some(message.msg_id().into()),
        origin_topic: Some(ByteString::from(&*original_topic(message, plan.namespace))),
        unit_mode: false,
        max_reconsume_times: Some(plan.max_reconsume_times),
        broker_name: Some(message.broker_name().into()),
    }
}

fn send(message: &MessageExt, plan: &RetryPlan<'_>, dead_letter: bool) -> Option<RetrySend> {
    let times = plan.times(message).saturating_add(1);
    let max = if dead_letter { times - 1 } else { plan.max_reconsume_times };
    let level = (!dead_letter).then(|| plan.level(message));
    let properties =
        for_retry_topic(message, plan.namespace, (times, max), level, dead_letter.then_some(plan.reason))?;
    Some(RetrySend {
        topic: mix_all::retry_topic(plan.group),
        queue_id: 0,
        reconsume_times: times,
        max_reconsume_times: max,
        properties,
        dead_letter,
    })
}
