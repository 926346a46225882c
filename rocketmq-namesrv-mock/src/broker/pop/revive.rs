//! Makes messages visible again at the end of their invisible time. Java: `PopReviveService`.

use rocketmq_common::MessageExt;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::is_retry_topic;

use super::handle::retry_topic;
use super::take::queue;
use crate::broker::records::{NewRecord, again, append};
use crate::broker::state::pops::{Checkpoint, CheckpointKey, Event, QueueKey, WaitKind};
use crate::broker::state::{AgendaItem, Broker, HeldRequest, State, TopicSettings};
use crate::store::{decode_stored, with_properties};

/// Schedules an event.
pub(crate) fn remind(broker: &Broker, state: &mut State, due_ms: i64, event: Event) {
    let id = state.pops.event_count;
    state.pops.event_count += 1;
    state.pops.events.insert(id, event);
    broker.wait_until(state, due_ms, AgendaItem::Pop { id });
}

/// Carries out a due event.
pub(crate) fn due(broker: &Broker, state: &mut State, id: u64, now_ms: i64, woken: &mut Vec<HeldRequest>) {
    match state.pops.events.remove(&id) {
        Some(Event::Revive(key)) => {
            if let Some(point) = state.pops.checkpoints.take(&key) {
                revive(broker, state, &key, &point, now_ms, woken);
            }
        }
        Some(Event::Unblock(key)) => unblock(state, key, now_ms, woken),
        None => {}
    }
}

/// Wakes a request that waits for the queue, if there is a message to pop.
fn unblock(state: &mut State, key: QueueKey, now_ms: i64, woken: &mut Vec<HeldRequest>) {
    let batch = state.pops.orders.get(&key);
    let is_free = batch.is_none_or(|batch| batch.free_ms(now_ms) <= now_ms);
    let committed = state.offsets.get(&key.topic, &key.group, key.queue_id).unwrap_or(0);
    if is_free && queue(state, &key).max_offset() > committed {
        let any_queue = QueueKey { queue_id: -1, ..key.clone() };
        let held = &mut state.pops.held;
        if !held.wake_one(WaitKind::Pop, any_queue, woken) {
            held.wake_one(WaitKind::Pop, key.clone(), woken);
        }
        held.wake_groups(WaitKind::Notification, &key.topic, key.queue_id, None, woken);
    }
}

/// Stores messages again, in the group's retry topic.
fn revive(
    broker: &Broker,
    state: &mut State,
    key: &CheckpointKey,
    point: &Checkpoint,
    now_ms: i64,
    woken: &mut Vec<HeldRequest>,
) {
    let QueueKey { topic, group, queue_id } = &key.queue;
    let target = if is_retry_topic(topic) { topic.clone() } else { retry_topic(topic, group) };
    for offset in &point.open {
        let Some(message) = message_at(state, topic, *queue_id, *offset) else { continue };
        if state.topics.get(&target).is_none() {
            broker.put_topic(state, TopicSettings::new(target.as_str(), 1));
            if state.offsets.get(&target, group, 0).is_none() {
                state.offsets.commit(&target, group, 0, 0);
            }
        }
        let times = message.header().reconsume_times;
        let pop_time = key.pop_time.to_string();
        let is_first = times == 0 || message.property(names::PROPERTY_FIRST_POP_TIME).is_none();
        let first = is_first.then_some((names::PROPERTY_FIRST_POP_TIME, pop_time.as_str()));
        let added = first.into_iter().chain([(names::PROPERTY_ORIGIN_GROUP, group.as_str())]);
        let properties = with_properties(message.properties().as_wire(), added, &[]);
        let record = NewRecord {
            born_host: broker.address(),
            reconsume_times: times + i32::from(!point.is_suspended),
            prepared_transaction_offset: 0,
            ..again(&message, (&target, 0), &properties, now_ms)
        };
        // An error (full store) has no receiver: no client waits for an answer.
        let _ = append(broker, state, &record, woken);
    }
}

fn message_at(state: &State, topic: &str, queue_id: i32, offset: i64) -> Option<MessageExt> {
    let entry = *state.topics.get(topic)?.queue(queue_id)?.entries_from(offset).next()?;
    decode_stored(state.log.record(entry.record)?)
}
