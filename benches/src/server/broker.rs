//! Answers to requests, and offsets of messages, which are discarded.

use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use bytes::{Buf, BytesMut};
use rocketmq_common::OffsetMsgId;
use rocketmq_remoting::protocol::{
    CommandFlag, EncodeHeader, ExtFields, FieldSink, FrameHead, FrameLimits, LanguageCode, NoHeader,
    RemotingCommand, RequestCode, ResponseCode, SerializeType, decode_frame, encode_frame,
};

use super::request::Send;

/// One broker.
#[derive(Debug)]
pub(super) struct Broker {
    /// The start of each offset id: the address of the broker.
    id_prefix: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The next offset of each queue of a topic.
    topics: HashMap<String, Vec<i64>>,
    /// The position of the next message in the commit log.
    position: i64,
    /// The offset ids of the send that is answered; kept for its memory.
    ids: String,
}

impl Broker {
    pub(super) fn new(address: SocketAddr, queues: u32, topics: &[String]) -> Self {
        let topics = topics.iter().map(|topic| (topic.clone(), vec![0; queues as usize])).collect();
        let mut id_prefix = OffsetMsgId { store_host: address, commit_log_offset: 0 }.to_string();
        id_prefix.truncate(id_prefix.len() - 16);
        Self { id_prefix, state: Mutex::new(State { topics, position: 0, ids: String::new() }) }
    }

    /// Takes the whole frames off `incoming`, and appends their answers to `answers`.
    ///
    /// # Errors
    /// When the bytes are no frames.
    pub(super) fn answer(&self, incoming: &mut BytesMut, answers: &mut BytesMut) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(length) = incoming.first_chunk::<4>() {
            let length = (u32::from_be_bytes(*length) as usize).saturating_add(4);
            if let Some(send) = incoming.get(..length).and_then(Send::read) {
                self.take(&mut state, &send, answers)?;
                incoming.advance(length);
                continue;
            }
            let command = decode_frame(incoming, &FrameLimits::default()).map_err(io::Error::other)?;
            let Some(command) = command else { break };
            self.answer_command(&mut state, &command, answers)?;
        }
        Ok(())
    }

    /// Answers other requests than plain sends: rare ones, or with JSON headers.
    fn answer_command(
        &self,
        state: &mut State,
        command: &RemotingCommand,
        answers: &mut BytesMut,
    ) -> io::Result<()> {
        if command.is_oneway() || command.is_response() {
            return Ok(());
        }
        if let Some(send) = Send::of(command) {
            return self.take(state, &send, answers);
        }
        let code = match command.request_code() {
            RequestCode::HEART_BEAT | RequestCode::UNREGISTER_CLIENT => ResponseCode::SUCCESS,
            _ => ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
        };
        encode(answers, code, command.opaque, &NoHeader)
    }

    /// Answers a send with the position that its messages would have.
    fn take(&self, state: &mut State, send: &Send<'_>, answers: &mut BytesMut) -> io::Result<()> {
        let State { topics, position, ids } = state;
        let Some(queues) = topics.get_mut(&*send.topic) else {
            return encode(answers, ResponseCode::TOPIC_NOT_EXIST, send.opaque, &NoHeader);
        };
        let Some(next_offset) = queues.get_mut(send.queue_id) else {
            return encode(answers, ResponseCode::INVALID_PARAMETER, send.opaque, &NoHeader);
        };
        ids.clear();
        let count = send.count();
        for number in 0..count {
            let comma = if number == 0 { "" } else { "," };
            write!(ids, "{comma}{}{position:016X}", self.id_prefix).map_err(io::Error::other)?;
            *position += (send.body.len() + send.properties.len()) as i64;
        }
        let answer = Answer { send, queue_offset: *next_offset, msg_id: ids };
        *next_offset += count as i64;
        encode(answers, ResponseCode::SUCCESS, send.opaque, &answer)
    }
}

/// Java: `SendMessageResponseHeader`, and what a broker 5.5.0 adds to it.
struct Answer<'a> {
    send: &'a Send<'a>,
    /// The offset of the first message.
    queue_offset: i64,
    msg_id: &'a str,
}

impl EncodeHeader for Answer<'_> {
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        sink.text("MSG_REGION", "DefaultRegion");
        sink.text("TRACE_ON", "true");
        sink.int("queueId", self.send.queue_id as i64);
        if let Some(unique_key) = self.send.unique_key() {
            sink.text("transactionId", unique_key);
        }
        sink.text("msgId", self.msg_id);
        sink.int("queueOffset", self.queue_offset);
    }
}

fn encode(
    answers: &mut BytesMut,
    code: ResponseCode,
    opaque: i32,
    header: &impl EncodeHeader,
) -> io::Result<()> {
    let head = FrameHead {
        serialize_type: SerializeType::Json,
        code: code.0,
        language: LanguageCode::JAVA,
        opaque,
        flag: CommandFlag::RESPONSE,
        ..FrameHead::default()
    };
    encode_frame(answers, &head, None, header, &ExtFields::absent(), 0).map_err(io::Error::other)
}
