//! The header of a send, in its long and its short form.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};

use rocketmq_common::message_const::PROPERTY_WAIT_STORE_MSG_OK;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::store::property_entries;
use crate::wire::{NumberPolicy, Refusal, read_fields, request_fields, required};

request_fields! {
    /// Java: `SendMessageRequestHeader`.
    LongNames {
        "producerGroup" producer_group: Cow<'a, str>,
        "topic" topic: Cow<'a, str>,
        "defaultTopic" default_topic: Cow<'a, str>,
        "defaultTopicQueueNums" default_topic_queue_nums: i32,
        "queueId" queue_id: i32,
        "sysFlag" sys_flag: i32,
        "bornTimestamp" born_timestamp: i64,
        "flag" flag: i32,
        "properties" properties: Cow<'a, str>,
        "reconsumeTimes" reconsume_times: i32,
        "unitMode" unit_mode: bool,
        "batch" batch: bool,
        "maxReconsumeTimes" max_reconsume_times: i32,
    }
}

request_fields! {
    /// Java: `SendMessageRequestHeaderV2`.
    ShortNames {
        "a" producer_group: Cow<'a, str>,
        "b" topic: Cow<'a, str>,
        "c" default_topic: Cow<'a, str>,
        "d" default_topic_queue_nums: i32,
        "e" queue_id: i32,
        "f" sys_flag: i32,
        "g" born_timestamp: i64,
        "h" flag: i32,
        "i" properties: Cow<'a, str>,
        "j" reconsume_times: i32,
        "k" unit_mode: bool,
        "m" batch: bool,
        "l" max_reconsume_times: i32,
    }
}

/// A send, with all that is needed before the topic is looked at.
#[derive(Debug)]
pub(crate) struct SendRequest<'a> {
    pub(crate) producer_group: Option<Cow<'a, str>>,
    pub(crate) topic: Cow<'a, str>,
    pub(crate) default_topic: Option<Cow<'a, str>>,
    pub(crate) default_topic_queue_nums: Option<i32>,
    pub(crate) queue_id: Option<i32>,
    pub(crate) sys_flag: Option<i32>,
    pub(crate) born_timestamp: i64,
    pub(crate) flag: Option<i32>,
    pub(crate) properties: Cow<'a, str>,
    pub(crate) reconsume_times: i32,
    pub(crate) unit_mode: bool,
    pub(crate) batch: bool,
    pub(crate) max_reconsume_times: Option<i32>,
    pub(crate) body: &'a [u8],
    /// The client's version (`MQVersion`).
    pub(crate) version: i32,
    /// The client's end of the connection.
    pub(crate) born_host: SocketAddr,
}

impl<'a> SendRequest<'a> {
    /// Reads a send. What is needed only later may be missing still, as for Apache's broker.
    pub(crate) fn read(command: &'a RemotingCommand, peer: Option<SocketAddr>) -> Result<Self, Refusal> {
        let fields = &command.ext_fields;
        let names = match command.request_code() {
            RequestCode::SEND_MESSAGE | RequestCode::SEND_REPLY_MESSAGE => {
                read_fields(fields, NumberPolicy::Ignore)?
            }
            _ => LongNames::from(read_fields::<ShortNames<'_>>(fields, NumberPolicy::Refuse)?),
        };
        let topic = required(names.topic, "topic")?;
        if command.body.is_empty() {
            return Err(Refusal::null("body"));
        }
        Ok(Self {
            producer_group: names.producer_group,
            topic,
            default_topic: names.default_topic,
            default_topic_queue_nums: names.default_topic_queue_nums,
            queue_id: names.queue_id,
            sys_flag: names.sys_flag,
            born_timestamp: required(names.born_timestamp, "bornTimestamp")?,
            flag: names.flag,
            properties: names.properties.unwrap_or_default(),
            reconsume_times: names.reconsume_times.unwrap_or(0),
            unit_mode: names.unit_mode.unwrap_or(false),
            batch: names.batch.unwrap_or(false),
            max_reconsume_times: names.max_reconsume_times,
            body: &command.body,
            version: command.version,
            born_host: peer.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        })
    }
}

impl SendRequest<'_> {
    /// Whether the sender wants to hear of copies. Java: `Message.isWaitStoreMsgOK`.
    pub(crate) fn waits_until_stored(&self) -> bool {
        let wait =
            property_entries(&self.properties).filter(|(name, _)| *name == PROPERTY_WAIT_STORE_MSG_OK).last();
        wait.is_none_or(|(_, value)| value.eq_ignore_ascii_case("true"))
    }
}

impl<'a> From<ShortNames<'a>> for LongNames<'a> {
    fn from(short: ShortNames<'a>) -> Self {
        Self {
            producer_group: short.producer_group,
            topic: short.topic,
            default_topic: short.default_topic,
            default_topic_queue_nums: short.default_topic_queue_nums,
            queue_id: short.queue_id,
            sys_flag: short.sys_flag,
            born_timestamp: short.born_timestamp,
            flag: short.flag,
            properties: short.properties,
            reconsume_times: short.reconsume_times,
            unit_mode: short.unit_mode,
            batch: short.batch,
            max_reconsume_times: short.max_reconsume_times,
        }
    }
}
