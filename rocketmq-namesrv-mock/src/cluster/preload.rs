//! Topics that are full from the start: a benchmark of consumers must not wait for its server.

use bytes::{BufMut, BytesMut};
use rocketmq_common::record::{RecordFields, RecordHeader, encode_record};
use rocketmq_common::sysflag::MessageSysFlag;
use rocketmq_remoting::protocol::ResponseCode;

use super::MockCluster;
use crate::MockError;
use crate::broker::Broker;

/// Positions in a record: queue id, offset in the queue, position in the commit log.
const QUEUE_ID_AT: usize = 12;
const OFFSETS_AT: usize = 20;

impl MockCluster {
    /// Creates a topic, or changes it, and stores one message in each of its queues `messages` times, on each master.
    /// The record is encoded once, without properties; its copies differ only in their positions. The messages of a
    /// queue that was empty lie in one piece of memory, from which a pull of all tags is answered without a copy.
    /// Histories do not list these messages.
    ///
    /// A million messages of 128 bytes take 280 MiB, which [`store_limit`](super::MockClusterBuilder::store_limit) has
    /// to allow.
    ///
    /// # Errors
    /// The topic's name is not valid, or the messages do not fit into the store; a part of them may then be stored.
    pub fn preload(&self, topic: &str, queues: u32, messages: u32, body: &[u8]) -> Result<(), MockError> {
        self.create_topic(topic, queues)?;
        for broker in self.masters() {
            // The cast fits: the topic was created, so it has fewer queues than 32 bits can count.
            for queue_id in 0..queues as i32 {
                fill(broker, topic, queue_id, messages, body)?;
            }
        }
        self.admission.changes.tell();
        Ok(())
    }
}

fn fill(broker: &Broker, topic: &str, queue_id: i32, messages: u32, body: &[u8]) -> Result<(), MockError> {
    let refused = |remark: String| MockError::Refused { code: ResponseCode::SERVICE_NOT_AVAILABLE, remark };
    let now_ms = broker.now_ms();
    let header = RecordHeader {
        queue_id: 0,
        queue_offset: 0,
        commit_log_offset: 0,
        sys_flag: MessageSysFlag::default(),
        born_timestamp: now_ms,
        born_host: broker.address(),
        store_timestamp: now_ms,
        store_host: broker.address(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
    };
    let mut record = BytesMut::new();
    let fields = RecordFields { header, flag: 0, topic, body, properties: "" };
    encode_record(&fields, &mut record).map_err(|error| refused(error.to_string()))?;
    let mut state = broker.lock();
    let state = &mut *state;
    let bytes = record.len().saturating_mul(messages as usize);
    state.log.check_room(bytes).map_err(|full| refused(format!("the store takes {} bytes", full.limit)))?;
    let topic = state.topics.get_mut(topic).and_then(|topic| topic.queue_mut(queue_id));
    let Some(queue) = topic else { return Err(refused("the topic is gone".to_owned())) };
    let (first_offset, first_position) = (queue.max_offset(), state.log.position());
    let mut block = BytesMut::with_capacity(bytes);
    for index in 0..i64::from(messages) {
        let at = block.len();
        block.extend_from_slice(&record);
        block[at + QUEUE_ID_AT..].as_mut().put_i32(queue_id);
        let mut offsets = block[at + OFFSETS_AT..].as_mut();
        offsets.put_i64(first_offset + index);
        offsets.put_i64(first_position + at as i64);
    }
    for number in state.log.append_block(block.freeze(), record.len()) {
        queue.push(crate::store::QueueEntry {
            record: number,
            size: record.len(),
            index: 0,
            count: 1,
            tags_code: 0,
            store_timestamp: now_ms,
        });
    }
    broker.role.tell_slaves();
    Ok(())
}
