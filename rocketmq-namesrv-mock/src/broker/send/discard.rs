//! Sends to a broker that discards messages, one after another under one lock.

use std::net::SocketAddr;
use std::sync::MutexGuard;

use bytes::BytesMut;
use rocketmq_common::OffsetMsgId;
use rocketmq_common::mix_all::DEFAULT_TRACE_REGION_ID;
use rocketmq_common::properties::MAX_PROPERTIES_BYTES;
use rocketmq_common::sysflag::MessageSysFlag;
use rocketmq_remoting::protocol::{
    EncodeHeader, ExtFields, FieldSink, ResponseCode, SerializeType, encode_frame,
};

use super::answer::SendAnswer;
use super::request::SendRequest;
use super::single::ADDED_PROPERTIES;
use super::{MAX_BODY, MsgId, checks};
use crate::broker::records::{KnownProperties, NewRecord};
use crate::broker::state::{Broker, State};
use crate::wire::{TRACE_ON, answer_head};

/// Answers plain messages that came together. What it does not know by heart it leaves to others.
pub(crate) struct Discarding<'a> {
    broker: &'a Broker,
    state: MutexGuard<'a, State>,
    serialize_type: SerializeType,
    now_ms: i64,
    address: SocketAddr,
    /// The topic of the last message, which passed all checks.
    topic: String,
}

impl Broker {
    /// Answers what came together. `None` if others have a copy of each message.
    pub(crate) fn discarding(&self, serialize_type: SerializeType) -> Option<Discarding<'_>> {
        if self.is_slave() || self.role.copies() > 1 || self.obeyed().in_sync_replicas > 1 {
            return None;
        }
        let (now_ms, address) = (self.now_ms(), self.address());
        Some(Discarding {
            broker: self,
            state: self.lock(),
            serialize_type,
            now_ms,
            address,
            topic: String::new(),
        })
    }
}

impl Discarding<'_> {
    /// Appends the answer to a plain message that nothing is wrong with. False for any other.
    pub(crate) fn answer(&mut self, request: &SendRequest<'_>, opaque: i32, answers: &mut BytesMut) -> bool {
        let (Some(queue_id @ 0..), Some(0), Some(flag)) = (request.queue_id, request.sys_flag, request.flag)
        else {
            return false;
        };
        let known = KnownProperties::read(&request.properties);
        let is_plain = !request.batch
            && known.is_plain()
            && known.timer_delete.is_none()
            && known.inner_count.is_none()
            && request.body.len() <= MAX_BODY
            && request.properties.len() + ADDED_PROPERTIES <= MAX_PROPERTIES_BYTES
            && !request.topic.starts_with('%');
        let Some(unique_key) = known.unique_key.filter(|_| is_plain) else { return false };
        if self.topic != *request.topic {
            let target = checks::check(self.broker, &mut self.state, request);
            let sys_flag = target.and_then(|target| target.sys_flag(request));
            // Flags of the topic make other messages of these.
            if !sys_flag.is_ok_and(|sys_flag| sys_flag.bits() == 0)
                || checks::check_storable(&request.topic, MessageSysFlag::default(), &known).is_err()
            {
                return false;
            }
            self.topic.clear();
            self.topic.push_str(&request.topic);
        }
        let record = NewRecord {
            topic: &request.topic,
            queue_id,
            flag,
            sys_flag: MessageSysFlag::default(),
            born_timestamp: request.born_timestamp,
            born_host: request.born_host,
            store_timestamp: self.now_ms,
            reconsume_times: request.reconsume_times,
            prepared_transaction_offset: 0,
            tags_code: 0,
            body: request.body,
            properties: "",
        };
        let Some(place) = record.discard(&mut self.state, self.address) else { return false };
        let id = OffsetMsgId { store_host: self.address, commit_log_offset: place.commit_log_offset };
        let msg_id = MsgId::one(id);
        let answer = SendAnswer {
            queue_id,
            queue_offset: place.queue_offset,
            msg_id: msg_id.as_str(),
            transaction_id: Some(unique_key),
            recall_handle: None,
        };
        let head = answer_head(self.serialize_type, ResponseCode::SUCCESS, opaque);
        encode_frame(answers, &head, None, &WithRegion(answer), &ExtFields::absent(), 0).is_ok()
    }
}

/// An answer with what nearly every answer to a send carries.
struct WithRegion<'a>(SendAnswer<'a>);

impl EncodeHeader for WithRegion<'_> {
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        sink.text("MSG_REGION", DEFAULT_TRACE_REGION_ID);
        sink.text("TRACE_ON", TRACE_ON);
        self.0.encode_fields(sink);
    }
}
