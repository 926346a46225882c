//! The only way for a record into the store.

use std::net::SocketAddr;

use rocketmq_common::message_const::{PROPERTY_INNER_NUM, UNIQ_KEY};
use rocketmq_common::record::{RecordFields, RecordHeader};
use rocketmq_common::sysflag::MessageSysFlag;
use rocketmq_remoting::protocol::ResponseCode;

use crate::broker::state::{Broker, HeldRequest, State};
use crate::history::BrokerEvent;
use crate::store::{AppendError, QueueEntry, decode_head, property};
use crate::wire::Refusal;

/// A record without its position in the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRecord<'a> {
    pub(crate) topic: &'a str,
    pub(crate) queue_id: i32,
    pub(crate) flag: i32,
    pub(crate) sys_flag: MessageSysFlag,
    pub(crate) born_timestamp: i64,
    pub(crate) born_host: SocketAddr,
    pub(crate) store_timestamp: i64,
    pub(crate) reconsume_times: i32,
    /// The position of the half message from which this message was committed, or 0.
    pub(crate) prepared_transaction_offset: i64,
    pub(crate) tags_code: i32,
    pub(crate) body: &'a [u8],
    pub(crate) properties: &'a str,
}

/// The position of a stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredAt {
    pub(crate) queue_offset: i64,
    pub(crate) commit_log_offset: i64,
}

/// A position for records of which only the length matters.
const NOWHERE: StoredAt = StoredAt { queue_offset: 0, commit_log_offset: 0 };

/// Stores a record at the end of its queue, and adds requests that waited for it to `woken`.
pub(crate) fn append(
    broker: &Broker,
    state: &mut State,
    record: &NewRecord<'_>,
    woken: &mut Vec<HeldRequest>,
) -> Result<StoredAt, Refusal> {
    if broker.is_slave() {
        return Err(slave_refusal());
    }
    // Slaves copy after this lock is released, so the order of the two does not matter.
    broker.role.tell_slaves();
    let record_len = record.fields(NOWHERE, broker.address()).record_len();
    drop_oldest(broker, state, record_len);
    let State { topics, log, held, pops, figures, .. } = state;
    let queue = topics.get_mut(record.topic).and_then(|topic| topic.queue_mut(record.queue_id));
    let Some(queue) = queue else {
        // Cannot happen: earlier checks have found the queue.
        return Err(Refusal::exception("java.lang.IllegalStateException", "no such queue"));
    };
    let place = StoredAt { queue_offset: queue.next_offset(), commit_log_offset: log.position() };
    let fields = record.fields(place, broker.address());
    if record.is_unreadable(broker.address()) {
        // The offset is used up, as in Apache's broker, so later offsets agree with it.
        queue.lose(1);
        log.skip(fields.record_len());
        return Ok(place);
    }
    let number = log.append(&fields).map_err(refusal)?;
    if queue.is_behind() {
        queue.lose(1);
        return Ok(place);
    }
    let count = record.message_count();
    for index in 0..count {
        queue.push(QueueEntry {
            record: number,
            size: fields.record_len(),
            tags_code: record.tags_code,
            index,
            count,
            store_timestamp: record.store_timestamp,
        });
    }
    broker.recorder.note(|| BrokerEvent::Stored {
        queue: broker.queue(record.topic, record.queue_id),
        offset: place.queue_offset,
        id: property(record.properties, UNIQ_KEY)
            .map_or_else(|| broker.offset_msg_id(place.commit_log_offset).to_string(), str::to_owned),
        reconsume_times: record.reconsume_times,
    });
    figures.put(record.store_timestamp, record.topic, fields.record_len());
    if !broker.obeyed().long_polling {
        return Ok(place);
    }
    let message = (record.tags_code, record.properties);
    if held.wake(record.topic, record.queue_id, message, woken) {
        broker.held_sooner.notify_one();
    }
    pops.held.wake(record.topic, record.queue_id, message, woken);
    Ok(place)
}

/// Makes room for a record, as if the oldest files had been deleted.
fn drop_oldest(broker: &Broker, state: &mut State, record_len: usize) {
    let Some(limit) = broker.options.memory_limit else { return };
    while state.log.stored_bytes().saturating_add(record_len) > limit {
        let Some((number, bytes)) = state.log.drop_oldest() else { return };
        let Some(oldest) = decode_head(&bytes) else { continue };
        let queue = state.topics.get_mut(oldest.topic()).and_then(|topic| topic.queue_mut(oldest.queue_id()));
        if let Some(queue) = queue {
            queue.drop_record(number);
        }
    }
}

/// Checks that all these records fit into the memory of the mock.
pub(crate) fn check_room(broker: &Broker, state: &State, records: &[NewRecord<'_>]) -> Result<(), Refusal> {
    let length = |record: &NewRecord<'_>| record.fields(NOWHERE, broker.address()).record_len();
    let full = state.log.check_room(records.iter().map(length).sum());
    full.map_err(|full| refusal(AppendError::Full(full)))
}

impl NewRecord<'_> {
    /// The number of messages in the record: several only in an inner batch.
    fn message_count(&self) -> u16 {
        if !self.sys_flag.contains(MessageSysFlag::INNER_BATCH) {
            return 1;
        }
        property(self.properties, PROPERTY_INNER_NUM).and_then(|count| count.parse().ok()).unwrap_or(1)
    }

    fn fields(&self, place: StoredAt, store_host: SocketAddr) -> RecordFields<'_> {
        let header = RecordHeader {
            queue_id: self.queue_id,
            queue_offset: place.queue_offset,
            commit_log_offset: place.commit_log_offset,
            sys_flag: self.sys_flag,
            born_timestamp: self.born_timestamp,
            born_host: self.born_host,
            store_timestamp: self.store_timestamp,
            store_host,
            reconsume_times: self.reconsume_times,
            prepared_transaction_offset: self.prepared_transaction_offset,
        };
        let Self { flag, topic, body, properties, .. } = *self;
        RecordFields { header, flag, topic, body, properties }
    }

    /// Whether the client has set the bit of an IPv6 address without one. Apache's broker acknowledges such a record,
    /// cannot read it back, and still uses its offset up.
    fn is_unreadable(&self, store_host: SocketAddr) -> bool {
        self.sys_flag.contains(MessageSysFlag::BORNHOST_V6) && self.born_host.is_ipv4()
            || self.sys_flag.contains(MessageSysFlag::STOREHOSTADDRESS_V6) && store_host.is_ipv4()
    }
}

/// The answer of a slave to a request that would store a message. Java: `HookUtils.checkBeforePutMessage`.
fn slave_refusal() -> Refusal {
    let remark = "service not available now. It may be caused by one of the following reasons: messages are put to \
                  the slave, message store has been shut down, etc.";
    Refusal::new(ResponseCode::SERVICE_NOT_AVAILABLE, remark)
}

/// The refusal for a full store: the memory of the mock stands for the disk.
fn refusal(error: AppendError) -> Refusal {
    match error {
        AppendError::Full(full) => {
            let remark = format!(
                "service not available now: the store of this mock is full [{} bytes]; raise the limit in its \
                 builder",
                full.limit
            );
            Refusal::new(ResponseCode::SERVICE_NOT_AVAILABLE, remark)
        }
        AppendError::Encode(error) => Refusal::new(ResponseCode::MESSAGE_ILLEGAL, error.to_string()),
    }
}
