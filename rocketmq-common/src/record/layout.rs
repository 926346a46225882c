//! Positions of the parts of a record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::{MAGIC_BLANK, MAGIC_V1, MAGIC_V2, RecordProblem};
use crate::message_ext::RecordHeader;
use crate::reader::Reader;
use crate::record_error::RecordPlace;
use crate::sysflag::MessageSysFlag;

/// A record split into its parts; only lengths are checked.
pub(super) struct Layout<'a> {
    pub(super) header: RecordHeader,
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
        let [_size, magic] = [reader.u32("size")?, reader.u32("magic")?];
        let topic_length_bytes = match magic {
            MAGIC_V1 => 1,
            MAGIC_V2 => 2,
            MAGIC_BLANK => return Ok(None),
            magic => return Err(RecordProblem::Magic { magic }),
        };
        let body_crc = reader.u32("body checksum")?;
        let queue_id = reader.i32("queue id")?;
        let flag = reader.i32("flag")?;
        let header = header(queue_id, &mut reader)?;
        let body_len = length("body length", reader.i32("body length")?)?;
        let body = reader.bytes("body", body_len)?;
        let topic_len = match topic_length_bytes {
            1 => i32::from(reader.u8("topic length")? as i8),
            _ => i32::from(reader.u16("topic length")? as i16),
        };
        let topic = reader.slice("topic", length("topic length", topic_len)?)?;
        let properties_len = i32::from(reader.u16("properties length")? as i16);
        let properties = reader.bytes("properties", length("properties length", properties_len)?)?;
        reader.finish()?;
        Ok(Some(Self { header, flag, body_crc, body, topic, properties }))
    }
}

#[inline(always)]
fn header(queue_id: i32, reader: &mut Reader<'_>) -> Result<RecordHeader, RecordProblem> {
    let queue_offset = reader.i64("queue offset")?;
    let commit_log_offset = reader.i64("commit log offset")?;
    let sys_flag = MessageSysFlag::from_bits(reader.i32("system flags")?);
    let born_timestamp = reader.i64("born timestamp")?;
    let born_host = host("born host", sys_flag.contains(MessageSysFlag::BORNHOST_V6), reader)?;
    let store_timestamp = reader.i64("store timestamp")?;
    let store_host = host("store host", sys_flag.contains(MessageSysFlag::STOREHOSTADDRESS_V6), reader)?;
    Ok(RecordHeader {
        queue_id,
        queue_offset,
        commit_log_offset,
        sys_flag,
        born_timestamp,
        born_host,
        store_timestamp,
        store_host,
        reconsume_times: reader.i32("reconsume times")?,
        prepared_transaction_offset: reader.i64("prepared transaction offset")?,
    })
}

#[inline(always)]
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
