//! Writes records, like a broker.

use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use super::{MAGIC_V1, MAGIC_V2};
use crate::crc32::crc32;
use crate::message_ext::{MessageExt, RecordHeader};
use crate::properties::MAX_PROPERTIES_BYTES;
use crate::sysflag::MessageSysFlag;

/// The parts of a record. Its size, checksum, version and the two flag bits for the widths of the addresses follow from
/// these parts.
#[derive(Debug, Clone, Copy)]
pub struct RecordFields<'a> {
    /// The fields of fixed width.
    pub header: RecordHeader,
    /// The user's number.
    pub flag: i32,
    /// The topic.
    pub topic: &'a str,
    /// The stored body: compressed if the flags say so.
    pub body: &'a [u8],
    /// The properties in wire form.
    pub properties: &'a str,
}

/// Why a message cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} takes {length} bytes, over the limit of {limit} for a stored message")]
pub struct RecordEncodeError {
    /// The part that is too long.
    pub field: &'static str,
    /// Its bytes.
    pub length: usize,
    /// The largest allowed number of bytes.
    pub limit: usize,
}

impl<'a> From<&'a MessageExt> for RecordFields<'a> {
    fn from(message: &'a MessageExt) -> Self {
        Self {
            header: message.header(),
            flag: message.flag(),
            topic: message.topic(),
            body: message.body(),
            properties: message.properties().as_wire(),
        }
    }
}

impl RecordFields<'_> {
    /// The size of the record, in bytes.
    pub fn record_len(&self) -> usize {
        const FIXED: usize = 68 + 4 + 2;
        let hosts = host_len(self.header.born_host) + host_len(self.header.store_host);
        let topic_length = if self.is_v2() { 2 } else { 1 };
        FIXED + hosts + self.body.len() + topic_length + self.topic.len() + self.properties.len()
    }

    /// Whether the topic needs the second version, whose length field is wider.
    fn is_v2(&self) -> bool {
        self.topic.len() > i8::MAX as usize
    }

    fn check(&self) -> Result<i32, RecordEncodeError> {
        let limit = |field, length, limit| match length {
            _ if length > limit => Err(RecordEncodeError { field, length, limit }),
            _ => Ok(()),
        };
        limit("topic", self.topic.len(), i16::MAX as usize)?;
        limit("properties", self.properties.len(), MAX_PROPERTIES_BYTES)?;
        let (length, limit) = (self.record_len(), i32::MAX as usize);
        i32::try_from(length).map_err(|_| RecordEncodeError { field: "record", length, limit })
    }
}

/// Appends a record (Java: `MessageExtEncoder`, `MessageDecoder.encode`). A topic of more than 127 bytes makes it a
/// record of the second version.
///
/// ```
/// use bytes::BytesMut;
/// use rocketmq_common::message_ext::RecordHeader;
/// use rocketmq_common::record::{RecordDecoder, encode_record};
/// use rocketmq_common::{Message, MessageExt};
///
/// let message = MessageExt::new(Message::new("TopicTest", "hello"), RecordHeader::default());
/// let mut records = BytesMut::new();
/// encode_record(&(&message).into(), &mut records)?;
/// for record in RecordDecoder::new(records.freeze()) {
///     assert_eq!(&record?.body()[..], b"hello");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A part is too long for its length field; nothing is written.
pub fn encode_record(fields: &RecordFields<'_>, out: &mut BytesMut) -> Result<(), RecordEncodeError> {
    let size = fields.check()?;
    let RecordHeader { born_host, store_host, .. } = fields.header;
    let sys_flag = fields
        .header
        .sys_flag
        .with_if(MessageSysFlag::BORNHOST_V6, born_host.is_ipv6())
        .with_if(MessageSysFlag::STOREHOSTADDRESS_V6, store_host.is_ipv6());
    out.reserve(fields.record_len());
    out.put_i32(size);
    out.put_u32(if fields.is_v2() { MAGIC_V2 } else { MAGIC_V1 });
    out.put_u32(crc32(fields.body));
    out.put_i32(fields.header.queue_id);
    out.put_i32(fields.flag);
    out.put_i64(fields.header.queue_offset);
    out.put_i64(fields.header.commit_log_offset);
    out.put_i32(sys_flag.bits());
    out.put_i64(fields.header.born_timestamp);
    put_host(born_host, out);
    out.put_i64(fields.header.store_timestamp);
    put_host(store_host, out);
    out.put_i32(fields.header.reconsume_times);
    out.put_i64(fields.header.prepared_transaction_offset);
    out.put_u32(fields.body.len() as u32);
    out.put_slice(fields.body);
    if fields.is_v2() {
        out.put_u16(fields.topic.len() as u16);
    } else {
        out.put_u8(fields.topic.len() as u8);
    }
    out.put_slice(fields.topic.as_bytes());
    out.put_u16(fields.properties.len() as u16);
    out.put_slice(fields.properties.as_bytes());
    Ok(())
}

fn host_len(host: SocketAddr) -> usize {
    if host.is_ipv4() { 8 } else { 20 }
}

fn put_host(host: SocketAddr, out: &mut BytesMut) {
    match host.ip() {
        IpAddr::V4(ip) => out.put_slice(&ip.octets()),
        IpAddr::V6(ip) => out.put_slice(&ip.octets()),
    }
    out.put_u32(u32::from(host.port()));
}
