//! The answer to a send.

use std::net::IpAddr;

use rocketmq_common::OffsetMsgId;
use rocketmq_remoting::protocol::{EncodeHeader, FieldSink};

/// Java: `SendMessageResponseHeader`.
pub(crate) struct SendAnswer<'a> {
    pub(crate) queue_id: i32,
    pub(crate) queue_offset: i64,
    pub(crate) msg_id: &'a str,
    pub(crate) transaction_id: Option<&'a str>,
    pub(crate) recall_handle: Option<&'a str>,
    /// The unique key of an inner batch.
    pub(crate) batch_id: Option<&'a str>,
}

impl EncodeHeader for SendAnswer<'_> {
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        sink.int("queueId", i64::from(self.queue_id));
        if let Some(id) = self.transaction_id {
            sink.text("transactionId", id);
        }
        sink.text("msgId", self.msg_id);
        if let Some(id) = self.batch_id {
            sink.text("batchUniqId", id);
        }
        if let Some(handle) = self.recall_handle {
            sink.text("recallHandle", handle);
        }
        sink.int("queueOffset", self.queue_offset);
    }
}

/// Offset ids as text; a single id needs no allocation.
pub(crate) enum MsgId {
    One { digits: [u8; 56], length: usize },
    Several(String),
}

impl MsgId {
    /// One id.
    pub(crate) fn one(id: OffsetMsgId) -> Self {
        let mut digits = [0; 56];
        let mut length = 0;
        let mut push = |bytes: &[u8]| {
            for byte in bytes {
                digits[length] = digit(byte >> 4);
                digits[length + 1] = digit(byte & 0xF);
                length += 2;
            }
        };
        match id.store_host.ip() {
            IpAddr::V4(ip) => push(&ip.octets()),
            IpAddr::V6(ip) => push(&ip.octets()),
        }
        push(&u32::from(id.store_host.port()).to_be_bytes());
        push(&id.commit_log_offset.to_be_bytes());
        Self::One { digits, length }
    }

    /// The ids of a batch, joined by commas.
    pub(crate) fn several(ids: impl Iterator<Item = OffsetMsgId>) -> Self {
        let mut joined = String::new();
        for id in ids {
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(Self::one(id).as_str());
        }
        Self::Several(joined)
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            // Hexadecimal digits are UTF-8: the default is never used.
            Self::One { digits, length } => std::str::from_utf8(&digits[..*length]).unwrap_or_default(),
            Self::Several(ids) => ids,
        }
    }
}

fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'A' + value - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_common_crate() {
        for store_host in ["127.0.0.1:10911", "[::1]:65535"] {
            let store_host = store_host.parse().unwrap();
            let id = OffsetMsgId { store_host, commit_log_offset: 0x3169_6699 };
            assert_eq!(MsgId::one(id).as_str(), id.to_string());
            let twice = MsgId::several([id, id].into_iter());
            assert_eq!(twice.as_str(), format!("{id},{id}"));
        }
    }
}
