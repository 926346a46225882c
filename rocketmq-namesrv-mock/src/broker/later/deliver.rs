//! Moves a due message to its queue.

use rocketmq_common::MessageExt;
use rocketmq_common::message_const as names;

use crate::broker::records::{again, append, real_place, stored};
use crate::broker::state::{AgendaItem, Broker, Deleted, HeldRequest, State};
use crate::store::with_properties;

/// Moves a message with a delay level or a timer to its queue.
pub(crate) fn deliver(
    broker: &Broker,
    state: &mut State,
    waiting: AgendaItem,
    now_ms: i64,
    woken: &mut Vec<HeldRequest>,
) {
    let (AgendaItem::Level { at } | AgendaItem::Timer { at, .. }) = waiting else { return };
    let Some(message) = stored(state, at) else { return };
    if matches!(waiting, AgendaItem::Level { .. }) {
        // Each level has a queue of its own, from 0 on.
        state.agenda.note_delivered(message.queue_id() + 1, message.queue_offset());
    }
    let Some(place) = real_place(&message) else { return };
    let wire = message.properties().as_wire();
    let timed;
    let properties = match waiting {
        AgendaItem::Level { .. } | AgendaItem::Pop { .. } => wire,
        AgendaItem::Timer { out_ms, enqueued_ms, .. } => {
            state.agenda.count_timer(place.0, -1, now_ms);
            if is_deleted(state, &message, place.0, out_ms) {
                return;
            }
            let (enqueued, dequeued) = (enqueued_ms.to_string(), now_ms.to_string());
            let added = [
                (names::PROPERTY_TIMER_ENQUEUE_MS, enqueued.as_str()),
                (names::PROPERTY_TIMER_DEQUEUE_MS, dequeued.as_str()),
            ];
            timed = with_properties(wire, added.into_iter(), &[]);
            timed.as_str()
        }
    };
    // An error (no topic, full store) has no receiver: no client waits for an answer.
    let _ = append(broker, state, &again(&message, place, properties, now_ms), woken);
}

fn is_deleted(state: &State, message: &MessageExt, topic: &str, out_ms: i64) -> bool {
    let Some(unique_key) = message.unique_key() else { return false };
    let deleted = Deleted { topic: topic.to_owned(), unique_key: unique_key.to_owned(), out_ms };
    state.agenda.is_deleted(&deleted)
}
