//! The header of a send, in its long or short form.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};

use rocketmq_common::message_const::PROPERTY_WAIT_STORE_MSG_OK;
use rocketmq_common::sysflag::MessageSysFlag;
use rocketmq_remoting::protocol::RemotingCommand;
use rocketmq_remoting::protocol::header::SendMessageFields;

use crate::broker::records::NewRecord;
use crate::store::property_entries;
use crate::wire::{Refusal, required};

/// A send with the data that is needed before its topic is checked.
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
    /// Reads a send. Fields that are needed later may still be missing, like in Apache's broker.
    pub(crate) fn read(command: &'a RemotingCommand, peer: Option<SocketAddr>) -> Result<Self, Refusal> {
        let names = SendMessageFields::read_named(command.request_code(), &command.ext_fields)?;
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
    /// A record with the fields that it takes unchanged from the request.
    pub(crate) fn record(&self, queue_id: i32, now_ms: i64) -> NewRecord<'_> {
        NewRecord {
            topic: &self.topic,
            queue_id,
            flag: 0,
            sys_flag: MessageSysFlag::default(),
            born_timestamp: self.born_timestamp,
            born_host: self.born_host,
            store_timestamp: now_ms,
            reconsume_times: self.reconsume_times,
            prepared_transaction_offset: 0,
            tags_code: 0,
            body: self.body,
            properties: "",
        }
    }

    /// Whether the sender waits for copies. Java: `Message.isWaitStoreMsgOK`.
    pub(crate) fn waits_until_stored(&self) -> bool {
        let wait =
            property_entries(&self.properties).filter(|(name, _)| *name == PROPERTY_WAIT_STORE_MSG_OK).last();
        wait.is_none_or(|(_, value)| value.eq_ignore_ascii_case("true"))
    }
}
