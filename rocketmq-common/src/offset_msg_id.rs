//! The message id that tells where a message is stored.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

use crate::hex;
use crate::shorten::Shorten;

/// Broker and commit log offset of a message (Java: `MessageDecoder.createMessageId`, `decodeMessageId`).
///
/// As text, in upper-case hexadecimal: the address, four bytes of port and eight of offset. That makes 32 characters
/// for IPv4 and 56 for IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OffsetMsgId {
    /// The broker that stored the message.
    pub store_host: SocketAddr,
    /// The position in the broker's commit log, in bytes.
    pub commit_log_offset: i64,
}

/// Why a text is no [`OffsetMsgId`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OffsetMsgIdError {
    /// Neither 32 nor 56 hexadecimal digits.
    #[error("`{}` is no offset message id: it has to be 32 or 56 hexadecimal digits", Shorten(.text))]
    NotHex {
        /// The text.
        text: String,
    },
    /// The port is above 65535. Unique ids of clients have the length of offset ids; an impossible port tells them
    /// apart.
    #[error("`{text}` is no offset message id: {port} is no port, so it is probably a unique key")]
    NotAPort {
        /// The text.
        text: String,
        /// The number in the place of the port.
        port: u32,
    },
}

impl OffsetMsgId {
    /// Reads the id.
    ///
    /// ```
    /// use rocketmq_common::OffsetMsgId;
    ///
    /// let id = OffsetMsgId::parse("7F00000100002A9F0000000000000400")?;
    /// assert_eq!((id.store_host.to_string(), id.commit_log_offset), ("127.0.0.1:10911".to_owned(), 1024));
    /// assert_eq!(id.to_string(), "7F00000100002A9F0000000000000400");
    /// # Ok::<(), rocketmq_common::offset_msg_id::OffsetMsgIdError>(())
    /// ```
    ///
    /// # Errors
    /// The text has another length or other characters, or no port from 0 to 65,535. A text with an impossible port may
    /// be a [unique key](crate::unique_id): both ids have one length.
    pub fn parse(text: &str) -> Result<Self, OffsetMsgIdError> {
        if let Some(bytes) = hex::decode::<16>(text) {
            let (ip, rest) = split::<4, 12>(bytes);
            return Self::from_parts(IpAddr::V4(Ipv4Addr::from(ip)), rest, text);
        }
        if let Some(bytes) = hex::decode::<28>(text) {
            let (ip, rest) = split::<16, 12>(bytes);
            return Self::from_parts(IpAddr::V6(Ipv6Addr::from(ip)), rest, text);
        }
        Err(OffsetMsgIdError::NotHex { text: text.to_owned() })
    }

    fn from_parts(ip: IpAddr, rest: [u8; 12], text: &str) -> Result<Self, OffsetMsgIdError> {
        let (port, offset) = split::<4, 8>(rest);
        let port = u32::from_be_bytes(port);
        match u16::try_from(port) {
            Ok(port) => {
                let store_host = SocketAddr::new(ip, port);
                Ok(Self { store_host, commit_log_offset: i64::from_be_bytes(offset) })
            }
            Err(_) => Err(OffsetMsgIdError::NotAPort { text: text.to_owned(), port }),
        }
    }
}

impl fmt::Display for OffsetMsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.store_host.ip() {
            IpAddr::V4(ip) => write!(f, "{:08X}", u32::from(ip))?,
            IpAddr::V6(ip) => write!(f, "{:032X}", u128::from(ip))?,
        }
        write!(f, "{:08X}{:016X}", self.store_host.port(), self.commit_log_offset)
    }
}

impl FromStr for OffsetMsgId {
    type Err = OffsetMsgIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Splits an array in two whose lengths add up to its own.
fn split<const A: usize, const B: usize>(bytes: impl AsRef<[u8]>) -> ([u8; A], [u8; B]) {
    let (mut head, mut tail) = ([0; A], [0; B]);
    let (left, right) = bytes.as_ref().split_at(A);
    head.copy_from_slice(left);
    tail.copy_from_slice(right);
    (head, tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_a_real_broker_are_read_and_written() {
        let text = "7F00000100002A9F0000000031696699";
        let id = OffsetMsgId::parse(text).unwrap();
        assert_eq!(id.store_host, "127.0.0.1:10911".parse().unwrap());
        assert_eq!((id.commit_log_offset, id.to_string()), (0x3169_6699, text.to_owned()));
        assert_eq!(OffsetMsgId::parse(&text.to_lowercase()), Ok(id));
    }

    #[test]
    fn a_unique_key_is_told_apart_by_its_port() {
        let error = OffsetMsgId::parse("7F0000010001251A69D70000000000AA").unwrap_err();
        assert!(matches!(error, OffsetMsgIdError::NotAPort { port: 0x0001_251A, .. }), "{error}");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "7F", "x", &"0".repeat(31), &"0".repeat(33), &"G".repeat(32), &"é".repeat(16)] {
            assert!(matches!(OffsetMsgId::parse(text), Err(OffsetMsgIdError::NotHex { .. })), "{text}");
        }
    }

    proptest! {
        #[test]
        fn ids_survive_a_round_trip(ip: IpAddr, port: u16, commit_log_offset: i64) {
            let id = OffsetMsgId { store_host: SocketAddr::new(ip, port), commit_log_offset };
            let text = id.to_string();
            prop_assert_eq!(text.len(), if ip.is_ipv4() { 32 } else { 56 });
            prop_assert_eq!(text.parse(), Ok(id));
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text in "[0-9A-Fa-fG]{0,60}|.{0,60}") {
            let _ = OffsetMsgId::parse(&text);
        }
    }
}
