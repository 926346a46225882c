//! Sending: 10, 310, 320, 324, 325.

use super::macros::headers;
use super::{LenientFields, NotANumber};
use crate::protocol::{EncodeHeader, ExtFields, FieldSink, HeaderError, RequestCode, RequestHeader};
use bytestring::ByteString;

/// The kinds of sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendRequestKind {
    /// One message.
    #[default]
    Message,
    /// Several messages in one body.
    Batch,
    /// The reply to a request, pushed to the requester.
    Reply,
}

/// The short form of a send, borrowed; the form that producers write.
///
/// Java `SendMessageRequestHeaderV2`. The kind decides the code: `SEND_MESSAGE_V2` 310, `SEND_BATCH_MESSAGE` 320 or
/// `SEND_REPLY_MESSAGE_V2` 325. Fields are `a` to `n` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendMessageRequestHeaderV2<'a> {
    /// Decides the code, and `m`: whether the body is a batch.
    pub kind: SendRequestKind,
    /// `a`: the producer's group.
    pub producer_group: &'a str,
    /// `b`: the topic.
    pub topic: &'a str,
    /// `c`: the template topic for creating a missing topic.
    pub default_topic: &'a str,
    /// `d`: the largest number of queues of a created topic; must be positive.
    pub default_topic_queue_nums: i32,
    /// `e`: the queue; the broker picks one for a negative number.
    pub queue_id: i32,
    /// `f`: compression and transaction bits, Java `MessageSysFlag`.
    pub sys_flag: i32,
    /// `g`: when the message was made, in milliseconds since 1970.
    pub born_timestamp: i64,
    /// `h`: the user's flag.
    pub flag: i32,
    /// `i`: `name` 0x01 `value` 0x02, repeated.
    pub properties: Option<&'a str>,
    /// `j`: how many times the message was consumed before.
    pub reconsume_times: Option<i32>,
    /// `k`: whether the producer belongs to a unit.
    pub unit_mode: Option<bool>,
    /// `l`: the retries after which the message becomes a dead letter; for retry topics only.
    pub max_reconsume_times: Option<i32>,
    /// `n`: the broker's name.
    pub broker_name: Option<&'a str>,
}

impl EncodeHeader for SendMessageRequestHeaderV2<'_> {
    #[inline]
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        sink.text("a", self.producer_group);
        sink.text("b", self.topic);
        sink.text("c", self.default_topic);
        sink.int("d", i64::from(self.default_topic_queue_nums));
        sink.int("e", i64::from(self.queue_id));
        sink.int("f", i64::from(self.sys_flag));
        sink.int("g", self.born_timestamp);
        sink.int("h", i64::from(self.flag));
        if let Some(properties) = self.properties {
            sink.text("i", properties);
        }
        if let Some(times) = self.reconsume_times {
            sink.int("j", i64::from(times));
        }
        if let Some(unit_mode) = self.unit_mode {
            sink.flag("k", unit_mode);
        }
        if let Some(times) = self.max_reconsume_times {
            sink.int("l", i64::from(times));
        }
        sink.flag("m", self.kind == SendRequestKind::Batch);
        if let Some(broker_name) = self.broker_name {
            sink.text("n", broker_name);
        }
    }
}

impl RequestHeader for SendMessageRequestHeaderV2<'_> {
    type Response = SendMessageResponseHeader;

    fn code(&self) -> RequestCode {
        match self.kind {
            SendRequestKind::Message => RequestCode::SEND_MESSAGE_V2,
            SendRequestKind::Batch => RequestCode::SEND_BATCH_MESSAGE,
            SendRequestKind::Reply => RequestCode::SEND_REPLY_MESSAGE_V2,
        }
    }
}

headers! {
    /// The long form of a send, into which both forms are read.
    ///
    /// Java `SendMessageRequestHeader`; `SEND_MESSAGE` 10, or `SEND_REPLY_MESSAGE` 324. Read it with
    /// [`SendMessageRequestHeader::decode`], which knows the names of each code.
    pub struct SendMessageRequestHeader(SEND_MESSAGE -> SendMessageResponseHeader) as SendMessageFields {
        /// The producer's group.
        "producerGroup" | "a" producer_group: ByteString,
        /// The topic.
        "topic" | "b" topic: ByteString,
        /// The template topic for creating a missing topic.
        "defaultTopic" | "c" default_topic: ByteString,
        /// The largest number of queues of a created topic.
        "defaultTopicQueueNums" | "d" default_topic_queue_nums: i32,
        /// The queue; the broker picks one for a negative number.
        "queueId" | "e" queue_id: i32,
        /// Compression and transaction bits, Java `MessageSysFlag`.
        "sysFlag" | "f" sys_flag: i32,
        /// When the message was made, in milliseconds since 1970.
        "bornTimestamp" | "g" born_timestamp: i64,
        /// The user's flag.
        "flag" | "h" flag: i32,
        /// `name` 0x01 `value` 0x02, repeated.
        "properties" | "i" properties: Option<ByteString>,
        /// How many times the message was consumed before.
        "reconsumeTimes" | "j" reconsume_times: Option<i32>,
        /// Whether the producer belongs to a unit.
        "unitMode" | "k" unit_mode: Option<bool>,
        /// The retries after which the message becomes a dead letter.
        "maxReconsumeTimes" | "l" max_reconsume_times: Option<i32>,
        /// Whether the body is a batch. This field decides, not the code.
        "batch" | "m" batch: Option<bool>,
        /// The broker's name.
        "bname" | "n" broker_name: Option<ByteString>,
    }

    /// The place where a message was stored. Java `SendMessageResponseHeader`.
    pub struct SendMessageResponseHeader {
        /// Store address and physical offset in hexadecimal; for a batch several, joined by commas.
        "msgId" msg_id: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The message's offset in the queue; for a batch the first message's.
        "queueOffset" queue_offset: i64,
        /// The unique id of the message. Missing from replies.
        "transactionId" transaction_id: Option<ByteString>,
        /// The unique id of a batch that was stored as one record (5.0).
        "batchUniqId" batch_uniq_id: Option<ByteString>,
        /// The handle for recalling a delayed message (5.3.1).
        "recallHandle" recall_handle: Option<ByteString>,
        /// The broker's region, set on nearly every answer to a send.
        "MSG_REGION" msg_region: Option<ByteString>,
        /// Whether the broker asks for traces of messages.
        "TRACE_ON" trace_on: Option<bool>,
    }
}

impl SendMessageRequestHeader {
    /// Reads the names that belong to this code: long for 10 and 324, short for 310, 320 and 325.
    ///
    /// # Errors
    ///
    /// A required field is missing, or a value does not fit its field. With the names of the other form, all fields are
    /// missing.
    pub fn decode(code: RequestCode, fields: &ExtFields) -> Result<Self, HeaderError> {
        Self::decode_named(fields, |name| is_short(name) == has_short_names(code))
    }
}

impl<'a> SendMessageFields<'a> {
    /// Reads the names that belong to this code, like [`SendMessageRequestHeader::decode`].
    ///
    /// # Errors
    ///
    /// A number of the short form cannot be read. In the long form such a field counts as missing.
    pub fn read_named(code: RequestCode, fields: &'a ExtFields) -> Result<Self, NotANumber> {
        let (mut read, short) = (Self::default(), has_short_names(code));
        for (name, value) in fields.iter().filter(|(name, _)| is_short(name) == short) {
            match read.set(&name, value) {
                Err(error) if short => return Err(error),
                _ => {}
            }
        }
        Ok(read)
    }
}

fn has_short_names(code: RequestCode) -> bool {
    use RequestCode as Code;
    matches!(code, Code::SEND_MESSAGE_V2 | Code::SEND_BATCH_MESSAGE | Code::SEND_REPLY_MESSAGE_V2)
}

/// Whether a name belongs to the short form: its names are single letters.
fn is_short(name: &str) -> bool {
    name.len() == 1
}
