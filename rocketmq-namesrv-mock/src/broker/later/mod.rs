//! Messages that do not go to their queue at once: delay levels, timers and half messages. Java: `HookUtils`,
//! `ScheduleMessageService`, `TimerMessageStore`.
//!
//! - [`plan`]: decides when a message is due.
//! - this file: stores it in the topic where it waits.
//! - [`deliver`]: moves it to its queue when it is due.
//! - [`recall`]: recalls a timer message: 370.

mod deliver;
pub(crate) mod plan;
mod recall;

use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::{
    RMQ_SYS_SCHEDULE_TOPIC, RMQ_SYS_TRANS_HALF_TOPIC, RMQ_SYS_WHEEL_TIMER_TOPIC, is_retry_topic,
};
use rocketmq_common::properties::MAX_PROPERTIES_BYTES;
use rocketmq_common::sysflag::TransactionType;

use crate::broker::records::{KnownProperties, NewRecord, StoredAt, append, message_illegal};
use crate::broker::state::{AgendaItem, Broker, Deleted, HeldRequest, State};
use crate::store::{property, with_properties};
use crate::wire::Refusal;
pub(crate) use deliver::deliver;
use plan::Plan;
pub(crate) use recall::recall;

/// The place of a stored message, and its recall handle.
#[derive(Debug)]
pub(crate) struct StoredLater {
    pub(crate) place: StoredAt,
    /// The handle of a timer message; other messages have none.
    pub(crate) recall_handle: Option<String>,
}

/// Stores a message that is not plain: in its queue, or where it waits. `known` are the properties of the record.
pub(crate) fn store(
    broker: &Broker,
    state: &mut State,
    record: &NewRecord<'_>,
    known: &KnownProperties<'_>,
    woken: &mut Vec<HeldRequest>,
) -> Result<StoredLater, Refusal> {
    let now_ms = record.store_timestamp;
    let half = half(record, known)?;
    let record = half.as_ref().map_or(*record, |half| half.record(record));
    let plan = plan::plan(known, record.sys_flag, now_ms)?;
    let waiting = waiting(&record, plan);
    let stored = waiting.as_ref().map_or(record, |waiting| waiting.record(&record));
    if stored.properties.len() > MAX_PROPERTIES_BYTES {
        return Err(message_illegal(broker));
    }
    let place = append(broker, state, &stored, woken)?;
    let unique_key = property(record.properties, names::UNIQ_KEY).or(known.unique_key).unwrap_or_default();
    let mut recall_handle = None;
    let at = place.commit_log_offset;
    match plan {
        Plan::AtOnce => {}
        Plan::Level(level) => {
            broker.wait_until(state, now_ms.saturating_add(plan::level_ms(level)), AgendaItem::Level { at });
        }
        Plan::Timer { out_ms } => {
            if let Some(key) = known.timer_delete {
                state.agenda.delete(Deleted {
                    topic: record.topic.to_owned(),
                    unique_key: key.to_owned(),
                    out_ms,
                });
            } else {
                state.agenda.count_timer(record.topic, 1, now_ms);
                let enqueued_ms = now_ms - now_ms.rem_euclid(plan::TIMER_PRECISION_MS);
                // The wheel delivers a message one turn after its time: never early.
                let due_ms = out_ms.saturating_add(plan::TIMER_PRECISION_MS);
                broker.wait_until(state, due_ms, AgendaItem::Timer { at, out_ms, enqueued_ms });
            }
            recall_handle = (!is_retry_topic(record.topic))
                .then(|| recall::handle_text(record.topic, &broker.name, out_ms, unique_key));
        }
    }
    Ok(StoredLater { place, recall_handle })
}

/// A record that is stored in another place than its sender named.
struct Redirected {
    topic: &'static str,
    queue_id: i32,
    properties: String,
}

impl Redirected {
    fn record<'a>(&'a self, record: &NewRecord<'a>) -> NewRecord<'a> {
        let sys_flag = match self.topic {
            RMQ_SYS_TRANS_HALF_TOPIC => {
                record.sys_flag.with_transaction_type(TransactionType::NotTransaction)
            }
            _ => record.sys_flag,
        };
        NewRecord {
            topic: self.topic,
            queue_id: self.queue_id,
            properties: &self.properties,
            sys_flag,
            ..*record
        }
    }
}

/// The place of a half message: its own topic, until the producer ends the transaction.
fn half(record: &NewRecord<'_>, known: &KnownProperties<'_>) -> Result<Option<Redirected>, Refusal> {
    let is_retry = record.reconsume_times > 0 && plan::delay_level(known)? > 0;
    if !known.is_half() || is_retry {
        return Ok(None);
    }
    let id = property(record.properties, names::UNIQ_KEY);
    let added = id.map(|id| (names::PROPERTY_TRANSACTION_ID, id));
    let properties = redirected(record, added.as_slice(), &[]);
    Ok(Some(Redirected { topic: RMQ_SYS_TRANS_HALF_TOPIC, queue_id: 0, properties }))
}

/// The place in which a message waits until it is due.
fn waiting(record: &NewRecord<'_>, plan: Plan) -> Option<Redirected> {
    match plan {
        Plan::AtOnce => None,
        Plan::Level(level) => {
            const TIMERS: [&str; 3] = [
                names::PROPERTY_TIMER_DELIVER_MS,
                names::PROPERTY_TIMER_DELAY_SEC,
                names::PROPERTY_TIMER_DELAY_MS,
            ];
            let text = level.to_string();
            let properties = redirected(record, &[(names::PROPERTY_DELAY_TIME_LEVEL, &text)], &TIMERS);
            Some(Redirected { topic: RMQ_SYS_SCHEDULE_TOPIC, queue_id: level - 1, properties })
        }
        Plan::Timer { out_ms } => {
            let text = out_ms.to_string();
            let properties = redirected(record, &[(names::PROPERTY_TIMER_OUT_MS, &text)], &[]);
            Some(Redirected { topic: RMQ_SYS_WHEEL_TIMER_TOPIC, queue_id: 0, properties })
        }
    }
}

/// The properties of a record: with some added, others left out, and with its real topic and queue.
fn redirected(record: &NewRecord<'_>, added: &[(&str, &str)], without: &[&str]) -> String {
    let queue_id = record.queue_id.to_string();
    let place =
        [(names::PROPERTY_REAL_TOPIC, record.topic), (names::PROPERTY_REAL_QUEUE_ID, queue_id.as_str())];
    with_properties(record.properties, added.iter().copied().chain(place), without)
}
