//! Looks without taking: is there a message (200054), how many requests wait (200055), which messages are next
//! (200052). Java: `NotificationProcessor`, `PollingInfoProcessor`, `PeekMessageProcessor`.

use rocketmq_remoting::net::random;
use rocketmq_remoting::protocol::header::PopMessageFields;
use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, ResponseCode};

use super::checks::{Allowed, check, check_broker, end_ms, filter};
use super::handle::retry_topic;
use super::take::queue;
use super::{PopOutcome, finish, no_messages, stamp};
use crate::broker::filters::MessageFilter;
use crate::broker::records::{joined, read};
use crate::broker::state::pops::{PopWait, QueueKey, WaitKind};
use crate::broker::state::{Broker, HeldRequest, State};
use crate::wire::{Answer, NOT_SET, Refusal, Reply, Request, read_fields};

/// The name of all these operations in remarks.
const PEEKING: &str = "peeking";

/// The largest number of messages to test for one that matches. Java: `maxMessageFilterNumForNotification`.
const MAX_FILTERED: i64 = 64;

/// The largest number of entries that a tag filter tests.
const SEEN: usize = 32;

/// 200054.
pub(crate) fn notification(broker: &Broker, mut command: RemotingCommand, responder: Reply) {
    stamp(broker, &mut command);
    HeldRequest::wake_all(serve(broker, command, responder), broker);
}

fn serve(broker: &Broker, command: RemotingCommand, responder: Reply) -> Vec<HeldRequest> {
    let mut state = broker.lock();
    let outcome = run(broker, &mut state, &command, &responder);
    finish(broker, state, outcome, (command, responder, serve));
    Vec::new()
}

fn run(
    broker: &Broker,
    state: &mut State,
    command: &RemotingCommand,
    responder: &Reply,
) -> Result<PopOutcome, Refusal> {
    let fields: PopMessageFields<'_> = read_fields(&command.ext_fields)?;
    let with_fields = |refusal: Refusal| refusal.with_fields(notified(false, false));
    check_broker(broker, PEEKING).map_err(with_fields)?;
    let allowed = check(state, &fields, responder).map_err(with_fields)?;
    // A filter counts only if its language is named too.
    let is_filtered = fields.exp_type.as_deref().is_some_and(|language| !language.is_empty());
    let filter = if is_filtered { filter(&fields).map_err(with_fields)? } else { MessageFilter::Nothing };
    let answer = |has_message, is_full| {
        let fields = notified(has_message, is_full);
        Ok(PopOutcome::Answer(Answer { fields, ..Answer::success() }.with_remark(NOT_SET)))
    };
    if has_message(broker, state, &fields, &allowed, &filter) {
        return answer(true, false);
    }
    let place = PopWait::new(allowed.place(&fields), WaitKind::Notification, end_ms(&fields), filter);
    match place.check(&state.pops.held, fields.poll_time.unwrap_or(0)) {
        Ok(()) => Ok(PopOutcome::Hold(place)),
        Err(code) => answer(false, code == ResponseCode::POLLING_FULL),
    }
}

fn has_message(
    broker: &Broker,
    state: &mut State,
    fields: &PopMessageFields<'_>,
    allowed: &Allowed<'_>,
    filter: &MessageFilter,
) -> bool {
    let now_ms = broker.now_ms();
    let queues = match fields.queue_id.unwrap_or(0) {
        0.. => fields.queue_id.unwrap_or(0)..fields.queue_id.unwrap_or(0) + 1,
        _ => 0..allowed.queues,
    };
    let mut has_some = |topic: &str, queue_id: i32, filter: &MessageFilter| {
        if fields.order.unwrap_or(false) {
            let key = QueueKey::new(allowed.topic, allowed.group, queue_id);
            if state.pops.orders.is_blocked(&key, fields.attempt_id.as_deref(), 0, now_ms) {
                return false;
            }
        }
        let key = QueueKey::new(topic, allowed.group, queue_id);
        let offset = next_offset(state, &key);
        let rest = queue(state, &key).max_offset() - offset;
        match filter {
            MessageFilter::Tags(tags) if rest < MAX_FILTERED => {
                let entries = queue(state, &key).entries_from(offset).take(SEEN);
                entries.into_iter().any(|entry| tags.matches(entry.tags_code))
            }
            _ => rest > 0,
        }
    };
    let retry = retry_topic(allowed.topic, allowed.group);
    queues.into_iter().any(|queue_id| has_some(allowed.topic, queue_id, filter))
        || has_some(&retry, 0, &MessageFilter::Nothing)
}

/// The offset of a group's next pop from a queue.
fn next_offset(state: &State, key: &QueueKey) -> i64 {
    state.offsets.get(&key.topic, &key.group, key.queue_id).unwrap_or_else(|| queue(state, key).min_offset())
}

/// Java: `NotificationResponseHeader`.
fn notified(has_message: bool, is_full: bool) -> ExtFields {
    [("hasMsg", has_message), ("pollingFull", is_full)]
        .into_iter()
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

/// 200055.
pub(crate) fn polling_info(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: PopMessageFields<'_> = request.fields()?;
    let state = &mut *broker.lock();
    let nobody = |refusal: Refusal| refusal.with_fields([("pollingNum", "0")].into_iter().collect());
    check_broker(broker, PEEKING).map_err(nobody)?;
    let allowed = check(state, &fields, request.responder).map_err(nobody)?;
    let count = state.pops.held.count_at(WaitKind::Pop, &allowed.place(&fields));
    Ok(Answer::success().with_remark(NOT_SET).with_field("pollingNum", count))
}

/// 200052.
pub(crate) fn peek(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: PopMessageFields<'_> = request.fields()?;
    let state = &mut *broker.lock();
    let nothing = |refusal: Refusal| refusal.with_fields(no_messages());
    check_broker(broker, PEEKING).map_err(nothing)?;
    let allowed = check(state, &fields, request.responder).map_err(nothing)?;
    let (mut records, mut rest) = (Vec::new(), 0);
    let wanted = usize::try_from(fields.max_msg_nums.unwrap_or(0)).unwrap_or(0);
    let retry = retry_topic(allowed.topic, allowed.group);
    let first = random() as i32 & 0xFF;
    let mut queues: Vec<(&str, i32)> = match fields.queue_id.unwrap_or(0) {
        queue_id @ 0.. => vec![(allowed.topic, queue_id)],
        _ => (0..allowed.queues).map(|index| (allowed.topic, (first + index) % allowed.queues)).collect(),
    };
    queues.extend(state.topics.get(&retry).is_some().then_some((retry.as_str(), 0)));
    for (topic, queue_id) in queues {
        let key = QueueKey::new(topic, allowed.group, queue_id);
        let offset = next_offset(state, &key);
        rest += queue(state, &key).max_offset() - offset;
        let room = i32::try_from(wanted.saturating_sub(records.len())).unwrap_or(0);
        if room > 0 {
            let room = read::Room::new(broker, room);
            let found = read::read(queue(state, &key), &state.log, offset, room, &MessageFilter::Nothing);
            records
                .extend(found.messages.iter().filter_map(|(_, number)| state.log.record(*number).cloned()));
        }
    }
    let (code, remark) = match records.is_empty() {
        true => (ResponseCode::PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE"),
        false => (ResponseCode::SUCCESS, "FOUND"),
    };
    let answer = Answer { code, fields: no_messages(), ..Answer::success() };
    Ok(answer.with_remark(remark).with_field("restNum", rest).with_body(joined(records.iter())))
}
