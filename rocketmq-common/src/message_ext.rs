//! A message in the form that a broker stores and a consumer receives (Java: `MessageExt`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use crate::message::Message;
use crate::message_const as names;
use crate::message_queue::MessageQueue;
use crate::offset_msg_id::OffsetMsgId;
use crate::sysflag::MessageSysFlag;

/// The fields of fixed width of a stored message: all but topic, flag, properties and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// The queue.
    pub queue_id: i32,
    /// The position in the queue, counted in messages.
    pub queue_offset: i64,
    /// The position in the broker's commit log, in bytes.
    pub commit_log_offset: i64,
    /// Compression, transaction, widths of addresses.
    pub sys_flag: MessageSysFlag,
    /// When the producer sent the message, milliseconds since the epoch.
    pub born_timestamp: i64,
    /// The address of the producer.
    pub born_host: SocketAddr,
    /// When the broker stored it, milliseconds since the epoch.
    pub store_timestamp: i64,
    /// The broker that stored it.
    pub store_host: SocketAddr,
    /// The number of times that a consumer failed to process the message.
    pub reconsume_times: i32,
    /// The commit log offset of the half message that became this message, or 0.
    pub prepared_transaction_offset: i64,
}

/// A stored message: dereferences to its [`Message`], and tells where, when and how it is stored.
///
/// A decoded message shares body, topic and properties with its buffer until it is [detached](Message::detach).
/// `Clone` copies no body.
#[derive(Clone)]
pub struct MessageExt {
    message: Message,
    header: CompactHeader,
    body_crc: u32,
    store_size: u32,
    broker_name: Option<Arc<str>>,
    offset_msg_id: OnceLock<Box<str>>,
}

/// A [`RecordHeader`] in fewer bytes: a received message is moved several times before its listener has it.
#[derive(Debug, Clone)]
pub(crate) struct CompactHeader {
    pub(crate) queue_id: i32,
    pub(crate) sys_flag: MessageSysFlag,
    pub(crate) queue_offset: i64,
    pub(crate) commit_log_offset: i64,
    pub(crate) born_timestamp: i64,
    pub(crate) store_timestamp: i64,
    pub(crate) prepared_transaction_offset: i64,
    pub(crate) hosts: Hosts,
    pub(crate) reconsume_times: i32,
}

/// The addresses of the producer and of the broker.
#[derive(Debug, Clone)]
pub(crate) enum Hosts {
    V4([(Ipv4Addr, u16); 2]),
    /// At least one has sixteen bytes.
    Wide(Box<[SocketAddr; 2]>),
}

impl Hosts {
    pub(crate) fn new(born: SocketAddr, store: SocketAddr) -> Self {
        match (born, store) {
            (SocketAddr::V4(born), SocketAddr::V4(store)) => {
                Self::V4([(*born.ip(), born.port()), (*store.ip(), store.port())])
            }
            _ => Self::Wide(Box::new([born, store])),
        }
    }

    fn both(&self) -> [SocketAddr; 2] {
        match self {
            Self::V4(hosts) => hosts.map(SocketAddr::from),
            Self::Wide(hosts) => **hosts,
        }
    }
}

impl From<RecordHeader> for CompactHeader {
    fn from(header: RecordHeader) -> Self {
        Self {
            queue_id: header.queue_id,
            sys_flag: header.sys_flag,
            queue_offset: header.queue_offset,
            commit_log_offset: header.commit_log_offset,
            born_timestamp: header.born_timestamp,
            store_timestamp: header.store_timestamp,
            prepared_transaction_offset: header.prepared_transaction_offset,
            hosts: Hosts::new(header.born_host, header.store_host),
            reconsume_times: header.reconsume_times,
        }
    }
}

impl From<&CompactHeader> for RecordHeader {
    fn from(header: &CompactHeader) -> Self {
        let [born_host, store_host] = header.hosts.both();
        Self {
            queue_id: header.queue_id,
            queue_offset: header.queue_offset,
            commit_log_offset: header.commit_log_offset,
            sys_flag: header.sys_flag,
            born_timestamp: header.born_timestamp,
            born_host,
            store_timestamp: header.store_timestamp,
            store_host,
            reconsume_times: header.reconsume_times,
            prepared_transaction_offset: header.prepared_transaction_offset,
        }
    }
}

impl MessageExt {
    /// Builds a stored message from its parts. Checksum and stored size are 0, and the broker has no name.
    ///
    /// ```
    /// use rocketmq_common::message_ext::RecordHeader;
    /// use rocketmq_common::{Message, MessageExt};
    ///
    /// let header = RecordHeader { queue_offset: 42, ..RecordHeader::default() };
    /// let received = MessageExt::new(Message::new("TopicTest", "hello").with_tags("TagA"), header);
    /// assert_eq!((received.queue_offset(), received.tags()), (42, Some("TagA")));
    /// ```
    pub fn new(message: Message, header: RecordHeader) -> Self {
        Self::from_record(message, header.into(), 0, 0)
    }

    #[inline]
    pub(crate) fn from_record(
        message: Message,
        header: CompactHeader,
        body_crc: u32,
        store_size: u32,
    ) -> Self {
        Self { message, header, body_crc, store_size, broker_name: None, offset_msg_id: OnceLock::new() }
    }

    /// The message alone, without the place where it is stored.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Keeps the message and drops the place where it is stored.
    ///
    /// ```
    /// use rocketmq_common::message_ext::RecordHeader;
    /// use rocketmq_common::{Message, MessageExt};
    ///
    /// let received = MessageExt::new(Message::new("TopicTest", "hello"), RecordHeader::default());
    /// let copy = received.into_message().with_topic("Archive");
    /// assert_eq!((copy.topic(), &copy.body()[..]), ("Archive", &b"hello"[..]));
    /// ```
    pub fn into_message(self) -> Message {
        self.message
    }

    /// All fields of fixed width at once.
    pub fn header(&self) -> RecordHeader {
        RecordHeader::from(&self.header)
    }

    /// Replaces fields of fixed width.
    pub fn update_header(&mut self, change: impl FnOnce(&mut RecordHeader)) {
        let mut header = self.header();
        change(&mut header);
        self.header = header.into();
        self.offset_msg_id = OnceLock::new();
    }

    /// The name of the broker that the message came from; empty until the client knows it.
    pub fn broker_name(&self) -> &str {
        self.broker_name.as_deref().unwrap_or_default()
    }

    /// Names the broker that the message came from.
    pub fn set_broker_name(&mut self, broker_name: impl Into<Arc<str>>) {
        self.broker_name = Some(broker_name.into());
    }

    /// The queue that the message came from. Copies the topic.
    ///
    /// ```
    /// use rocketmq_common::message_ext::RecordHeader;
    /// use rocketmq_common::{Message, MessageExt, MessageQueue};
    ///
    /// let mut received = MessageExt::new(Message::new("TopicTest", "hello"), RecordHeader::default());
    /// received.set_broker_name("broker-a");
    /// assert_eq!(received.message_queue(), MessageQueue::new("TopicTest", "broker-a", 0));
    /// ```
    pub fn message_queue(&self) -> MessageQueue {
        let broker_name = self.broker_name.clone().unwrap_or_else(|| Arc::from(""));
        MessageQueue::new(self.topic(), broker_name, self.header.queue_id)
    }

    /// The queue.
    pub fn queue_id(&self) -> i32 {
        self.header.queue_id
    }

    /// The position in the queue, counted in messages.
    pub fn queue_offset(&self) -> i64 {
        self.header.queue_offset
    }

    /// The position in the broker's commit log, in bytes.
    pub fn commit_log_offset(&self) -> i64 {
        self.header.commit_log_offset
    }

    /// Flags, such as compression and transaction. After the body was inflated, the bit for "compressed" is clear and
    /// the bits for the kind of compression are still set, like in Java.
    pub fn sys_flag(&self) -> MessageSysFlag {
        self.header.sys_flag
    }

    /// When the producer sent the message, milliseconds since the epoch.
    pub fn born_timestamp(&self) -> i64 {
        self.header.born_timestamp
    }

    /// The address of the producer.
    pub fn born_host(&self) -> SocketAddr {
        self.header.hosts.both()[0]
    }

    /// When the broker stored the message, milliseconds since the epoch.
    pub fn store_timestamp(&self) -> i64 {
        self.header.store_timestamp
    }

    /// The broker that stored the message.
    pub fn store_host(&self) -> SocketAddr {
        self.header.hosts.both()[1]
    }

    /// The number of times that a consumer failed to process the message.
    pub fn reconsume_times(&self) -> i32 {
        self.header.reconsume_times
    }

    /// The commit log offset of the half message that became this message, or 0.
    pub fn prepared_transaction_offset(&self) -> i64 {
        self.header.prepared_transaction_offset
    }

    /// The checksum of the stored body; 0 for a message of an inner batch.
    pub fn body_crc(&self) -> u32 {
        self.body_crc
    }

    /// The size of the message in the commit log, in bytes.
    pub fn store_size(&self) -> usize {
        self.store_size as usize
    }

    /// The id that the client gave the message at the send; without it the [offset id](Self::offset_msg_id).
    ///
    /// ```
    /// use rocketmq_common::message_ext::RecordHeader;
    /// use rocketmq_common::{Message, MessageExt};
    ///
    /// let received = MessageExt::new(Message::new("TopicTest", "hello"), RecordHeader::default());
    /// assert_eq!(received.msg_id(), received.offset_msg_id(), "the client gave it no id");
    /// ```
    pub fn msg_id(&self) -> &str {
        self.unique_key().unwrap_or_else(|| self.offset_msg_id())
    }

    /// The id that names the broker and the position of the message. Computed at the first call.
    pub fn offset_msg_id(&self) -> &str {
        self.offset_msg_id.get_or_init(|| {
            let (store_host, commit_log_offset) = (self.store_host(), self.commit_log_offset());
            OffsetMsgId { store_host, commit_log_offset }.to_string().into()
        })
    }

    /// The id of the message's transaction: the broker's id for it, or else the id that the client gave the half
    /// message.
    pub fn transaction_id(&self) -> Option<&str> {
        let half = self.properties().contains(names::PROPERTY_TRANSACTION_PREPARED);
        let unique_key = if half { self.unique_key() } else { None };
        self.property(names::PROPERTY_TRANSACTION_ID).or(unique_key)
    }
}

impl Deref for MessageExt {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl DerefMut for MessageExt {
    fn deref_mut(&mut self) -> &mut Message {
        &mut self.message
    }
}

impl PartialEq for MessageExt {
    fn eq(&self, other: &Self) -> bool {
        self.message == other.message
            && self.header() == other.header()
            && (self.body_crc, self.store_size) == (other.body_crc, other.store_size)
            && self.broker_name() == other.broker_name()
    }
}

impl Eq for MessageExt {}

impl fmt::Debug for MessageExt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageExt")
            .field("message", &self.message)
            .field("header", &self.header())
            .field("body_crc", &self.body_crc)
            .field("store_size", &self.store_size)
            .field("broker_name", &self.broker_name())
            .finish()
    }
}

impl Default for RecordHeader {
    /// All zero, with unspecified IPv4 addresses.
    fn default() -> Self {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Self {
            queue_id: 0,
            queue_offset: 0,
            commit_log_offset: 0,
            sys_flag: MessageSysFlag::default(),
            born_timestamp: 0,
            born_host: nowhere,
            store_timestamp: 0,
            store_host: nowhere,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> MessageExt {
        let store_host = "127.0.0.1:10911".parse().unwrap();
        let header = RecordHeader { store_host, commit_log_offset: 0x3169_6699, ..RecordHeader::default() };
        MessageExt::new(Message::new("T", "body"), header)
    }

    #[test]
    fn the_client_s_id_goes_before_the_broker_s() {
        let mut message = stored();
        assert_eq!(message.msg_id(), "7F00000100002A9F0000000031696699");
        message.properties_mut().put_reserved(names::UNIQ_KEY, "ABC");
        assert_eq!(message.msg_id(), "ABC");
        assert_eq!(message.offset_msg_id(), "7F00000100002A9F0000000031696699");
    }

    #[test]
    fn the_broker_s_id_follows_the_header() {
        let mut message = stored();
        assert!(message.offset_msg_id().ends_with("31696699"));
        message.update_header(|header| header.commit_log_offset = 0xAB);
        assert_eq!(message.offset_msg_id(), "7F00000100002A9F00000000000000AB");
    }

    #[test]
    fn a_header_comes_out_as_it_went_in_whatever_its_addresses() {
        for (born, store) in [("1.2.3.4:5", "[::1]:6"), ("[::1]:5", "1.2.3.4:6"), ("1.2.3.4:5", "6.7.8.9:10")]
        {
            let hosts = (born.parse().unwrap(), store.parse().unwrap());
            let header = RecordHeader { born_host: hosts.0, store_host: hosts.1, ..RecordHeader::default() };
            let message = MessageExt::new(Message::new("T", ""), header);
            assert_eq!(
                (message.header(), message.born_host(), message.store_host()),
                (header, hosts.0, hosts.1)
            );
        }
    }

    #[test]
    fn a_received_message_is_small_enough_to_be_moved() {
        assert!(size_of::<MessageExt>() <= 240, "{}", size_of::<MessageExt>());
    }

    #[test]
    fn a_stored_message_reads_like_a_message() {
        let mut message = stored();
        message.set_tags("A");
        message.set_broker_name("broker-a");
        assert_eq!((message.topic(), message.tags(), &message.body()[..]), ("T", Some("A"), &b"body"[..]));
        assert_eq!(message.message_queue(), MessageQueue::new("T", "broker-a", 0));
    }

    #[test]
    fn only_half_messages_take_their_transaction_id_from_the_unique_key() {
        let mut message = stored();
        message.properties_mut().put_reserved(names::UNIQ_KEY, "ABC");
        assert_eq!(message.transaction_id(), None);
        message.properties_mut().put_reserved(names::PROPERTY_TRANSACTION_PREPARED, "true");
        assert_eq!(message.transaction_id(), Some("ABC"));
        message.properties_mut().put_reserved(names::PROPERTY_TRANSACTION_ID, "DEF");
        assert_eq!(message.transaction_id(), Some("DEF"));
    }
}
