//! Moving on what has waited long enough, and the task that does so by the clock of the system.

use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageExt;
use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::message_const as names;
use rocketmq_common::record::{RecordDecoder, RecordOptions};
use tokio::time::sleep;

use super::agenda::{Deleted, Waiting};
use super::with_properties;
use crate::broker::append::{NewRecord, append};
use crate::broker::pop;
use crate::broker::pull::HeldPull;
use crate::broker::transaction::check_transactions;
use crate::broker::{Broker, State};

impl Broker {
    /// Notes that a record waits, and tells the task of the clock if nobody is up before.
    pub(in crate::broker) fn wait_until(&self, state: &mut State, due_ms: i64, waiting: Waiting) {
        if self.options.discard_messages {
            return;
        }
        if state.agenda.add(due_ms, waiting) {
            self.due_sooner.notify_one();
        }
    }

    /// When something is to be done without being asked.
    pub(crate) fn next_duty_ms(&self) -> i64 {
        let state = self.lock();
        let check_ms = state.halves.next_check_ms();
        state.agenda.due().map_or(check_ms, |due_ms| due_ms.min(check_ms))
    }

    /// Does what is due now: delivers messages and asks what became of transactions.
    pub(crate) async fn do_duties(&self) {
        self.deliver();
        let now_ms = self.now_ms();
        let is_time =
            self.lock().halves.is_time_to_check(now_ms, self.options.obeyed.transactions.check_interval);
        if is_time {
            check_transactions(self).await;
        }
        self.changes.tell();
    }

    /// Moves the messages to their queues whose time has come.
    fn deliver(&self) {
        let now_ms = self.now_ms();
        let mut woken = Vec::new();
        {
            let mut state = self.lock();
            while let Some(waiting) = state.agenda.take(now_ms) {
                deliver_one(self, &mut state, waiting, now_ms, &mut woken);
            }
        }
        for pull in woken {
            pull.wake(self);
        }
    }
}

/// Does the duties of a broker as the clock of the system goes on. Runs as long as the broker does.
pub(crate) async fn keep_time(broker: Arc<Broker>) {
    loop {
        let sooner = broker.due_sooner.notified();
        let wait_ms = broker.next_duty_ms().saturating_sub(broker.now_ms()).max(0);
        tokio::select! {
            () = sooner => {}
            () = sleep(Duration::from_millis(wait_ms.unsigned_abs())) => broker.do_duties().await,
        }
    }
}

/// A record as it is stored, its body still compressed.
pub(in crate::broker) fn stored(state: &State, commit_log_offset: i64) -> Option<MessageExt> {
    let options = RecordOptions { decompress: false, check_crc: false, ..RecordOptions::default() };
    let record = state.log.record_at(commit_log_offset)?;
    RecordDecoder::with_options(record.clone(), options).next()?.ok()
}

/// The topic and the queue where a message belongs that waits elsewhere.
pub(in crate::broker) fn real_place(message: &MessageExt) -> Option<(&str, i32)> {
    let topic = message.property(names::PROPERTY_REAL_TOPIC)?;
    let queue_id = message.property(names::PROPERTY_REAL_QUEUE_ID)?;
    Some((topic, queue_id.parse().ok()?))
}

/// A new record of a stored message.
pub(in crate::broker) fn again<'a>(
    message: &'a MessageExt,
    (topic, queue_id): (&'a str, i32),
    properties: &'a str,
    now_ms: i64,
) -> NewRecord<'a> {
    let header = message.header();
    NewRecord {
        topic,
        queue_id,
        flag: message.flag(),
        sys_flag: header.sys_flag,
        born_timestamp: header.born_timestamp,
        born_host: header.born_host,
        store_timestamp: now_ms,
        reconsume_times: header.reconsume_times,
        prepared_transaction_offset: header.prepared_transaction_offset,
        tags_code: message.tags().map_or(0, java_string_hash),
        body: message.body(),
        properties,
    }
}

fn deliver_one(broker: &Broker, state: &mut State, waiting: Waiting, now_ms: i64, woken: &mut Vec<HeldPull>) {
    let (Waiting::Level { at } | Waiting::Timer { at, .. }) = waiting else {
        if let Waiting::Pop { id } = waiting {
            pop::due(broker, state, id, now_ms, woken);
        }
        return;
    };
    let Some(message) = stored(state, at) else { return };
    if matches!(waiting, Waiting::Level { .. }) {
        // Each level has a queue of its own, from 0 on.
        state.agenda.note_delivered(message.queue_id() + 1, message.queue_offset());
    }
    let Some(place) = real_place(&message) else { return };
    let wire = message.properties().as_wire();
    let timed;
    let properties = match waiting {
        Waiting::Level { .. } | Waiting::Pop { .. } => wire,
        Waiting::Timer { out_ms, enqueued_ms, .. } => {
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
    // The topic may be gone, or the store full: there is nobody to tell.
    let _ = append(broker, state, &again(&message, place, properties, now_ms), woken);
}

fn is_deleted(state: &State, message: &MessageExt, topic: &str, out_ms: i64) -> bool {
    let Some(unique_key) = message.unique_key() else { return false };
    let deleted = Deleted { topic: topic.to_owned(), unique_key: unique_key.to_owned(), out_ms };
    state.agenda.is_deleted(&deleted)
}
