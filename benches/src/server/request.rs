//! Requests out of frames.

use std::borrow::Cow;

use bytes::Buf;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, SerializeType};

/// A send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Send<'a> {
    pub(super) opaque: i32,
    pub(super) topic: Cow<'a, str>,
    pub(super) queue_id: usize,
    pub(super) properties: Cow<'a, str>,
    /// Whether the body holds several messages.
    pub(super) batch: bool,
    pub(super) body: &'a [u8],
}

impl<'a> Send<'a> {
    /// Reads a whole frame without making a command of it, if it is a send in the usual form: short names, a binary
    /// header, not one-way. Returns `None` for all other frames; [`of`](Self::of) reads these.
    pub(super) fn read(mut frame: &'a [u8]) -> Option<Self> {
        frame.try_get_u32().ok()?;
        let lengths = frame.try_get_u32().ok()?;
        if (lengths >> 24) as u8 != SerializeType::RocketMq.as_byte() {
            return None;
        }
        let (mut header, body) = frame.split_at_checked((lengths & 0x00FF_FFFF) as usize)?;
        let code = RequestCode(i32::from(header.try_get_i16().ok()?));
        if !matches!(code, RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE) {
            return None;
        }
        let (_language, _version) = (header.try_get_u8().ok()?, header.try_get_i16().ok()?);
        let opaque = header.try_get_i32().ok()?;
        let (flag, remark) = (header.try_get_i32().ok()?, header.try_get_i32().ok()?);
        let length = header.try_get_u32().ok()? as usize;
        if flag != 0 || remark != 0 || length != header.len() {
            return None;
        }
        let (mut topic, mut queue_id, mut properties, mut batch) = (None, None, "", false);
        while header.has_remaining() {
            let length = usize::from(header.try_get_u16().ok()?);
            let name = take(&mut header, length)?;
            let length = header.try_get_u32().ok()? as usize;
            let value = take(&mut header, length)?;
            match name {
                b"b" => topic = Some(text(value)?),
                b"e" => queue_id = text(value)?.parse().ok(),
                b"i" => properties = text(value)?,
                b"m" => batch = value == b"true",
                _ => {}
            }
        }
        let (topic, queue_id) = (Cow::Borrowed(topic?), queue_id?);
        Some(Self { opaque, topic, queue_id, properties: properties.into(), batch, body })
    }

    /// Reads a command in any form, if it is a send with its topic and queue.
    pub(super) fn of(command: &'a RemotingCommand) -> Option<Self> {
        let [topic, queue_id, properties, batch] = match command.request_code() {
            RequestCode::SEND_MESSAGE => ["topic", "queueId", "properties", "batch"],
            RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE => ["b", "e", "i", "m"],
            _ => return None,
        };
        let fields = &command.ext_fields;
        Some(Self {
            opaque: command.opaque,
            topic: fields.get(topic)?,
            queue_id: fields.get(queue_id)?.parse().ok()?,
            properties: fields.get(properties).unwrap_or_default(),
            batch: fields.get(batch).as_deref() == Some("true"),
            body: &command.body,
        })
    }

    /// The id that the client gave the message.
    pub(super) fn unique_key(&self) -> Option<&str> {
        let mut entries = self.properties.split('\u{2}');
        entries.find_map(|entry| entry.strip_prefix("UNIQ_KEY\u{1}"))
    }

    /// The number of messages. Each message of a batch begins with its length.
    pub(super) fn count(&self) -> usize {
        if !self.batch {
            return 1;
        }
        let (mut rest, mut count) = (self.body, 0);
        while let Some(length) = rest.first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            rest = rest.get(length.max(4)..).unwrap_or_default();
            count += 1;
        }
        count
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
