//! The reply to a request of another client: 324, 325, and 326 to that client. Java: `ReplyMessageProcessor`.

use std::time::Duration;

use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::DEFAULT_TRACE_REGION_ID;
use rocketmq_common::sysflag::MessageSysFlag;
use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::header::ReplyMessageRequestHeader;
use rocketmq_remoting::protocol::{
    CommandRef, EncodeHeader, ExtFields, FieldSink, RemotingCommand, RequestCode, ResponseCode,
};

use super::{MsgId, SendRequest, Target, check};
use crate::broker::records::{NewRecord, append};
use crate::broker::state::{Broker, HeldRequest};
use crate::store::{property, with_properties};
use crate::wire::{Refusal, Reply, required};

/// The longest wait for the client's answer.
const PUSH_LIMIT: Duration = Duration::from_secs(10);

/// 324, 325. The reply is stored first, whether or not its client can be reached.
pub(crate) fn reply(broker: &Broker, command: RemotingCommand, responder: Reply) {
    let peer = responder.peer();
    let (stored, push) = match SendRequest::read(&command, peer).and_then(|request| store(broker, &request)) {
        Ok(done) => done,
        Err(refusal) => return refusal.with_fields(broker.send_fields().clone()).send(responder),
    };
    let fields = broker.send_fields().clone();
    let (connection, header, client_id) = match push {
        Ok(push) => push,
        Err(remark) => return stored.answer(Some(&remark), &fields, responder),
    };
    let pushes = broker.pushes();
    broker.tasks.spawn(async move {
        let code = RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT;
        let push = CommandRef::request(code, &header).with_body(&command.body);
        let is_taken = pushes.call(&connection, &push, PUSH_LIMIT).await;
        let remark = format!("push reply message to {client_id}fail.");
        stored.answer((!is_taken).then_some(&remark), &fields, responder);
    });
}

/// The position of the reply. Java: `SendMessageResponseHeader` without the transaction's id.
struct StoredReply {
    queue_id: i32,
    queue_offset: i64,
    msg_id: MsgId,
}

/// The client to push the reply to, or the remark about why it cannot be reached.
type Push = Result<(Connection, ReplyMessageRequestHeader, String), String>;

fn store(broker: &Broker, request: &SendRequest<'_>) -> Result<(StoredReply, Push), Refusal> {
    let now_ms = broker.now_ms();
    let added = [
        (names::PROPERTY_MSG_REGION, DEFAULT_TRACE_REGION_ID),
        (names::PROPERTY_TRACE_SWITCH, broker.trace_switch()),
    ];
    let properties = with_properties(&request.properties, added.into_iter(), &[]);
    let mut state = broker.lock();
    let Target { queue_id, .. } = check(broker, &mut state, request)?;
    let record = NewRecord {
        flag: required(request.flag, "flag")?,
        // The flags of the reply are for the client only; the store ignores them.
        sys_flag: MessageSysFlag::default(),
        tags_code: property(&properties, names::PROPERTY_TAGS).map_or(0, java_string_hash),
        properties: &properties,
        ..request.record(queue_id, now_ms)
    };
    let mut woken = Vec::new();
    let place = append(broker, &mut state, &record, &mut woken)?;
    let client_id = property(&properties, names::PROPERTY_MESSAGE_REPLY_TO_CLIENT);
    let push = match client_id {
        None => Err("reply message properties[REPLY_TO_CLIENT] is null".to_owned()),
        Some(id) => match state.producers.find(id) {
            None => Err(format!("push reply message fail, channel of <{id}> not found.")),
            Some(connection) => Ok((connection.clone(), header(broker, request, &record), id.to_owned())),
        },
    };
    drop(state);
    HeldRequest::wake_all(woken, broker);
    let msg_id = MsgId::one(broker.offset_msg_id(place.commit_log_offset));
    Ok((StoredReply { queue_id, queue_offset: place.queue_offset, msg_id }, push))
}

fn header(broker: &Broker, request: &SendRequest<'_>, record: &NewRecord<'_>) -> ReplyMessageRequestHeader {
    let now_ms = record.store_timestamp;
    let pushed = now_ms.to_string();
    let pushed = [(names::PROPERTY_PUSH_REPLY_TIME, pushed.as_str())];
    ReplyMessageRequestHeader {
        producer_group: request.producer_group.as_deref().unwrap_or_default().into(),
        topic: record.topic.into(),
        default_topic: request.default_topic.as_deref().unwrap_or_default().into(),
        default_topic_queue_nums: request.default_topic_queue_nums.unwrap_or_default(),
        queue_id: record.queue_id,
        sys_flag: request.sys_flag.unwrap_or_default(),
        born_timestamp: request.born_timestamp,
        flag: record.flag,
        properties: Some(with_properties(record.properties, pushed.into_iter(), &[]).into()),
        reconsume_times: Some(request.reconsume_times),
        unit_mode: request.unit_mode,
        born_host: request.born_host.to_string().into(),
        store_host: broker.address().to_string().into(),
        store_timestamp: now_ms,
        broker_name: None,
    }
}

impl StoredReply {
    /// Answers with the position of the reply, and with the reason if it did not reach its client.
    fn answer(&self, failure: Option<&String>, fields: &ExtFields, responder: Reply) {
        let code = failure.map_or(ResponseCode::SUCCESS, |_| ResponseCode::SYSTEM_ERROR);
        responder.answer(code, failure.map(String::as_str), self, fields, &bytes::Bytes::new());
    }
}

impl EncodeHeader for StoredReply {
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        sink.int("queueId", i64::from(self.queue_id));
        sink.text("msgId", self.msg_id.as_str());
        sink.int("queueOffset", self.queue_offset);
    }
}
