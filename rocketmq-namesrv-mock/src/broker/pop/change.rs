//! Hides a popped message for longer: 200053. Java: `ChangeInvisibleTimeProcessor`.

use rocketmq_remoting::protocol::header::ChangeInvisibleTimeFields;
use rocketmq_remoting::protocol::{ExtFields, ResponseCode};

use super::ack::Named;
use super::handle::{ORDERED, PopHandle};
use super::revive::remind;
use super::take::queue;
use crate::broker::state::pops::{Checkpoint, CheckpointKey, Event, QueueKey};
use crate::broker::state::{Broker, State};
use crate::wire::{Answer, NOT_SET, Refusal, Request, required};

/// 200053. The message need not be hidden any more.
pub(crate) fn change_invisible_time(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ChangeInvisibleTimeFields<'_> = request.fields()?;
    let state = &mut *broker.lock();
    let named = Named::of(&fields, state, request).map_err(|refusal| refusal.with_fields(unchanged()))?;
    let (min, max) = queue(state, &named.key).range();
    if !(min..max).contains(&named.offset) {
        return Err(Refusal::new(ResponseCode::NO_MESSAGE, NOT_SET).with_fields(unchanged()));
    }
    let handle = PopHandle::read(fields.extra_info.as_deref())?;
    let invisible_time = required(fields.invisible_time, "invisibleTime")?;
    if handle.revive_queue_id()? == ORDERED {
        return in_order(broker, state, &named, &handle, invisible_time);
    }
    let Named { key, offset } = named;
    handle.broker_name()?;
    let now_ms = broker.now_ms();
    let old = handle.checkpoint(key.clone())?;
    let new = CheckpointKey { queue: key, start_offset: offset, pop_time: now_ms, invisible_time };
    let point = Checkpoint { open: vec![offset], is_suspended: fields.suspend.unwrap_or(false) };
    state.pops.checkpoints.renew(&old, new.clone(), offset, point);
    let QueueKey { topic, group, .. } = &new.queue;
    state.figures.ack(now_ms, topic, group);
    state.figures.checkpoint(now_ms, topic, group);
    remind(broker, state, new.end_ms(), Event::Revive(new));
    Ok(changed(now_ms, invisible_time, handle.revive_queue_id()?))
}

/// In order: the pop keeps its time, and the message is hidden until the new end.
fn in_order(
    broker: &Broker,
    state: &mut State,
    Named { key, offset }: &Named,
    handle: &PopHandle<'_>,
    invisible_time: i64,
) -> Result<Answer, Refusal> {
    let pop_time = handle.pop_time()?;
    let QueueKey { topic, group, queue_id } = key;
    if *offset < state.offsets.get(topic, group, *queue_id).unwrap_or(-1) {
        return Ok(Answer { fields: unchanged(), ..Answer::success() }.with_remark(NOT_SET));
    }
    let until = broker.now_ms().saturating_add(invisible_time);
    state.pops.orders.hide_until(key, *offset, pop_time, until);
    let free_ms = state.pops.orders.get(key).map(|batch| batch.free_ms(broker.now_ms()));
    if let Some(free_ms) = free_ms {
        remind(broker, state, free_ms, Event::Unblock(key.clone()));
    }
    Ok(changed(pop_time, until.saturating_sub(pop_time), ORDERED))
}

fn changed(pop_time: i64, invisible_time: i64, revive_queue_id: i32) -> Answer {
    Answer::success()
        .with_remark(NOT_SET)
        .with_field("popTime", pop_time)
        .with_field("invisibleTime", invisible_time)
        .with_field("reviveQid", revive_queue_id)
}

/// The answer without a change: its header must have numbers, like Java's.
fn unchanged() -> ExtFields {
    ["popTime", "invisibleTime", "reviveQid"].into_iter().map(|name| (name, "0")).collect()
}
