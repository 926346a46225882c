//! Positions of the parts of a record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::{MAGIC_BLANK, MAGIC_V1, MAGIC_V2, RecordProblem};
use crate::message_ext::{CompactHeader, Hosts};
use crate::reader::Reader;
use crate::record_error::RecordPlace;
use crate::sysflag::MessageSysFlag;

/// A record split into its parts; only lengths are checked.
pub(super) struct Layout<'a> {
    pub(super) header: CompactHeader,
    pub(super) flag: i32,
    pub(super) body_crc: u32,
    pub(super) body: Bytes,
    pub(super) topic: &'a [u8],
    pub(super) properties: Bytes,
}

impl<'a> Layout<'a> {
    /// Splits the record at whose start the reader is; `None` for a filler.
    #[inline(always)]
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Option<Self>, RecordProblem> {
        let head = match Head::short(&mut reader) {
            Some(head) => head,
            None => match Head::any(&mut reader)? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        let Head { is_v2, body_crc, flag, header, body_len } = head;
        let body = reader.bytes("body", length("body length", body_len)?)?;
        let topic_len = if is_v2 {
            i32::from(reader.u16("topic length")? as i16)
        } else {
            i32::from(reader.u8("topic length")? as i8)
        };
        let topic = reader.slice("topic", length("topic length", topic_len)?)?;
        let properties_len = i32::from(reader.u16("properties length")? as i16);
        let properties = reader.bytes("properties", length("properties length", properties_len)?)?;
        reader.finish()?;
        Ok(Some(Self { header, flag, body_crc, body, topic, properties }))
    }
}

/// The fields before the body.
struct Head {
    is_v2: bool,
    body_crc: u32,
    flag: i32,
    header: CompactHeader,
    body_len: i32,
}

/// The flags of addresses of sixteen bytes.
const WIDE: MessageSysFlag = MessageSysFlag::BORNHOST_V6.with(MessageSysFlag::STOREHOSTADDRESS_V6);

impl Head {
    /// Reads the head that nearly all records have: with addresses of four bytes, each field has its place, and one look at the
    /// length is enough for all of them. `None`, and nothing read, for any other record and for a broken one.
    #[inline(always)]
    fn short(reader: &mut Reader<'_>) -> Option<Self> {
        let mut ahead = reader.clone();
        let head = ahead.array::<88>("head").ok()?;
        let sys_flag = MessageSysFlag::from_bits(i32::from_be_bytes(part(&head, 36)));
        let ports = [u32::from_be_bytes(part(&head, 52)), u32::from_be_bytes(part(&head, 68))];
        let magic = u32::from_be_bytes(part(&head, 4));
        if sys_flag.without(WIDE) != sys_flag || !matches!(magic, MAGIC_V1 | MAGIC_V2) {
            return None;
        }
        let [born_port, store_port] = ports.map(u16::try_from);
        let hosts = [
            (Ipv4Addr::from(part::<4>(&head, 48)), born_port.ok()?),
            (Ipv4Addr::from(part::<4>(&head, 64)), store_port.ok()?),
        ];
        *reader = ahead;
        let header = CompactHeader {
            queue_id: i32::from_be_bytes(part(&head, 12)),
            sys_flag,
            queue_offset: i64::from_be_bytes(part(&head, 20)),
            commit_log_offset: i64::from_be_bytes(part(&head, 28)),
            born_timestamp: i64::from_be_bytes(part(&head, 40)),
            store_timestamp: i64::from_be_bytes(part(&head, 56)),
            hosts: Hosts::V4(hosts),
            reconsume_times: i32::from_be_bytes(part(&head, 72)),
            prepared_transaction_offset: i64::from_be_bytes(part(&head, 76)),
        };
        Some(Self {
            is_v2: magic == MAGIC_V2,
            body_crc: u32::from_be_bytes(part(&head, 8)),
            flag: i32::from_be_bytes(part(&head, 16)),
            header,
            body_len: i32::from_be_bytes(part(&head, 84)),
        })
    }

    /// Reads any head, field by field; `None` for a filler.
    #[cold]
    fn any(reader: &mut Reader<'_>) -> Result<Option<Self>, RecordProblem> {
        let [_size, magic] = [reader.u32("size")?, reader.u32("magic")?];
        let is_v2 = match magic {
            MAGIC_V1 => false,
            MAGIC_V2 => true,
            MAGIC_BLANK => return Ok(None),
            magic => return Err(RecordProblem::Magic { magic }),
        };
        let body_crc = reader.u32("body checksum")?;
        let queue_id = reader.i32("queue id")?;
        let flag = reader.i32("flag")?;
        let queue_offset = reader.i64("queue offset")?;
        let commit_log_offset = reader.i64("commit log offset")?;
        let sys_flag = MessageSysFlag::from_bits(reader.i32("system flags")?);
        let born_timestamp = reader.i64("born timestamp")?;
        let born = host("born host", sys_flag.contains(MessageSysFlag::BORNHOST_V6), reader)?;
        let store_timestamp = reader.i64("store timestamp")?;
        let store = host("store host", sys_flag.contains(MessageSysFlag::STOREHOSTADDRESS_V6), reader)?;
        let header = CompactHeader {
            queue_id,
            sys_flag,
            queue_offset,
            commit_log_offset,
            born_timestamp,
            store_timestamp,
            hosts: Hosts::new(born, store),
            reconsume_times: reader.i32("reconsume times")?,
            prepared_transaction_offset: reader.i64("prepared transaction offset")?,
        };
        Ok(Some(Self { is_v2, body_crc, flag, header, body_len: reader.i32("body length")? }))
    }
}

/// The bytes of a head from a place on, which is a constant.
#[inline(always)]
fn part<const N: usize>(head: &[u8; 88], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

fn host(field: &'static str, v6: bool, reader: &mut Reader<'_>) -> Result<SocketAddr, RecordProblem> {
    let ip = if v6 {
        IpAddr::V6(Ipv6Addr::from(reader.array::<16>(field)?))
    } else {
        IpAddr::V4(Ipv4Addr::from(reader.array::<4>(field)?))
    };
    let port = reader.u32(field)?;
    match u16::try_from(port) {
        Ok(port) => Ok(SocketAddr::new(ip, port)),
        Err(_) => Err(RecordProblem::Port { field, port }),
    }
}

#[inline]
fn length(field: &'static str, length: i32) -> Result<u32, RecordProblem> {
    u32::try_from(length).map_err(|_| RecordProblem::NegativeLength { field, length })
}

impl RecordPlace {
    /// The known parts of a broken record, for its error.
    pub(super) fn guess(mut reader: Reader<'_>) -> Self {
        let mut place = Self::default();
        if let Ok(Some(layout)) = Layout::read(reader.clone()) {
            place.topic = std::str::from_utf8(layout.topic).ok().map(str::to_owned);
        }
        let mut fill = || -> Result<(), RecordProblem> {
            let [_size, magic, _crc] = [reader.u32("")?, reader.u32("")?, reader.u32("")?];
            if magic == MAGIC_V1 || magic == MAGIC_V2 {
                place.queue_id = Some(reader.i32("")?);
                reader.i32("")?;
                place.queue_offset = Some(reader.i64("")?);
                place.commit_log_offset = Some(reader.i64("")?);
            }
            Ok(())
        };
        // Fields after an early end stay unknown.
        let _ = fill();
        place
    }
}
