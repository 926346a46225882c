use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Buf;
use rocketmq_remoting::protocol::{RequestCode, SerializeType};

use crate::broker::SendRequest;

/// A send out of a frame.
#[derive(Debug)]
pub(super) struct SendFrame<'a> {
    pub(super) opaque: i32,
    pub(super) request: SendRequest<'a>,
}

impl<'a> SendFrame<'a> {
    /// Reads a whole frame, if it is a send with short names and a binary header as nearly all clients write them.
    pub(super) fn read(mut frame: &'a [u8], remote: SocketAddr) -> Option<Self> {
        frame.try_get_u32().ok()?;
        let lengths = frame.try_get_u32().ok()?;
        if (lengths >> 24) as u8 != SerializeType::RocketMq.as_byte() {
            return None;
        }
        let (mut header, body) = frame.split_at_checked((lengths & 0x00FF_FFFF) as usize)?;
        let code = RequestCode(i32::from(header.try_get_i16().ok()?));
        if !matches!(code, RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE) || body.is_empty()
        {
            return None;
        }
        let _language = header.try_get_u8().ok()?;
        let version = i32::from(header.try_get_i16().ok()?);
        let opaque = header.try_get_i32().ok()?;
        let (flag, remark) = (header.try_get_i32().ok()?, header.try_get_i32().ok()?);
        let length = header.try_get_u32().ok()? as usize;
        if flag != 0 || remark != 0 || length != header.len() {
            return None;
        }
        let names = Names::read(header)?;
        let request = SendRequest {
            producer_group: Some(names.producer_group?.into()),
            topic: names.topic?.into(),
            default_topic: names.default_topic.map(Cow::Borrowed),
            default_topic_queue_nums: names.default_topic_queue_nums,
            queue_id: names.queue_id,
            sys_flag: names.sys_flag,
            born_timestamp: names.born_timestamp?,
            flag: names.flag,
            properties: names.properties.unwrap_or_default().into(),
            reconsume_times: names.reconsume_times.unwrap_or(0),
            unit_mode: names.unit_mode,
            batch: names.batch,
            max_reconsume_times: names.max_reconsume_times,
            body,
            version,
            born_host: remote,
        };
        Some(Self { opaque, request })
    }
}

/// Java: `SendMessageRequestHeaderV2`.
#[derive(Debug, Default)]
struct Names<'a> {
    producer_group: Option<&'a str>,
    topic: Option<&'a str>,
    default_topic: Option<&'a str>,
    default_topic_queue_nums: Option<i32>,
    queue_id: Option<i32>,
    sys_flag: Option<i32>,
    born_timestamp: Option<i64>,
    flag: Option<i32>,
    properties: Option<&'a str>,
    reconsume_times: Option<i32>,
    unit_mode: bool,
    batch: bool,
    max_reconsume_times: Option<i32>,
}

impl<'a> Names<'a> {
    /// Anything out of the ordinary is `None`, for the broker to say what is wrong with it.
    fn read(mut entries: &'a [u8]) -> Option<Self> {
        let mut names = Self::default();
        while entries.has_remaining() {
            let length = usize::from(entries.try_get_u16().ok()?);
            let name = take(&mut entries, length)?;
            let length = entries.try_get_u32().ok()? as usize;
            let value = take(&mut entries, length)?;
            let [letter] = name else { return None };
            match letter {
                b'a' => names.producer_group = Some(text(value)?),
                b'b' => names.topic = Some(text(value)?),
                b'c' => names.default_topic = Some(text(value)?),
                b'd' => names.default_topic_queue_nums = Some(small(value)?),
                b'e' => names.queue_id = Some(small(value)?),
                b'f' => names.sys_flag = Some(small(value)?),
                b'g' => names.born_timestamp = Some(number(value)?),
                b'h' => names.flag = Some(small(value)?),
                b'i' => names.properties = Some(text(value)?),
                b'j' => names.reconsume_times = Some(small(value)?),
                b'k' => names.unit_mode = flag(value)?,
                b'l' => names.max_reconsume_times = Some(small(value)?),
                b'm' => names.batch = flag(value)?,
                b'n' => _ = text(value)?,
                _ => return None,
            }
        }
        Some(names)
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// A number of one to 18 digits.
fn number(value: &[u8]) -> Option<i64> {
    let digit = |number: i64, byte: &u8| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'));
    if (1..=18).contains(&value.len()) { value.iter().try_fold(0, digit) } else { None }
}

fn small(value: &[u8]) -> Option<i32> {
    i32::try_from(number(value)?).ok()
}

fn flag(value: &[u8]) -> Option<bool> {
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}
