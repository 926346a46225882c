//! What can be wrong with a frame.

use std::fmt;

/// Why a peer's bytes are no frame. The connection cannot be used any further: nobody knows where the next
/// frame starts, or what the peer understands by one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length does not even cover the header's length, or is negative.
    #[error("frame length {length} is less than 4{hint}")]
    LengthTooSmall {
        /// The length that the peer gave.
        length: i32,
        /// Who the peer seems to be.
        hint: PeerHint,
    },
    /// The frame is larger than the limit.
    #[error("frame of {length} bytes is over the limit of {limit}{hint}")]
    TooLarge {
        /// Size of the frame with its length prefix.
        length: usize,
        /// The limit, [`FrameLimits::max_frame`](super::FrameLimits::max_frame).
        limit: usize,
        /// Who the peer seems to be.
        hint: PeerHint,
    },
    /// The header has a form that is neither JSON nor binary.
    #[error("header form {0} is unknown, 0 is JSON and 1 is binary")]
    UnknownSerializeType(
        /// The byte that the peer gave.
        u8,
    ),
    /// The header would reach behind the frame's end.
    #[error("header of {header} bytes does not fit into a frame with {frame} bytes left")]
    HeaderTooLong {
        /// The header's length that the peer gave, 24 bits.
        header: usize,
        /// What the frame holds behind the two length words.
        frame: usize,
    },
    /// A binary header ends too early.
    #[error("binary header ends {missing} bytes too early")]
    HeaderTooShort {
        /// How many bytes the field lacks at which it ends.
        missing: usize,
    },
    /// A text in a binary header is longer than the header, or its length is negative.
    #[error("binary header has a text of {length} bytes where {left} are left")]
    FieldTooLong {
        /// The length that the peer gave.
        length: i32,
        /// What is left of the header.
        left: usize,
    },
    /// A header is not UTF-8.
    #[error("header is not valid UTF-8")]
    NotUtf8,
    /// A JSON header is no JSON object.
    #[error("JSON header is broken at byte {at}: {problem}")]
    Json {
        /// Index into the header.
        at: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A fixed field of a JSON header is no 32-bit integer.
    #[error("{field} of the JSON header is no 32-bit integer")]
    NotAnInteger {
        /// Name of the field.
        field: &'static str,
    },
    /// `extFields` of a JSON header is something else than an object.
    #[error("extFields of the JSON header is no object")]
    ExtFieldsNotAnObject,
}

/// Who seems to be at the other end, from bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerHint {
    /// Nothing is known.
    Unknown,
    /// An HTTP server or client.
    Http,
    /// A TLS record: one side has TLS on, the other has not.
    Tls,
}

impl PeerHint {
    /// Looks at the first bytes of a broken frame.
    pub(super) fn of(first: [u8; 4]) -> Self {
        match &first {
            b"HTTP" | b"GET " | b"POST" | b"PUT " | b"HEAD" | b"PRI " => Self::Http,
            [0x14..=0x17, 0x03, ..] => Self::Tls,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for PeerHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "",
            Self::Http => "; these bytes are HTTP: is the port that of a RocketMQ server?",
            Self::Tls => "; these bytes are a TLS record: is TLS on at the peer and off here?",
        })
    }
}

/// Why a command does not fit into a frame. The buffer is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The binary header has 16 bits for the code.
    #[error("code {code} does not fit into the binary header, use the JSON header")]
    CodeTooLarge {
        /// The code.
        code: i32,
    },
    /// The binary header has 16 bits for the version.
    #[error("version {version} does not fit into the binary header, use the JSON header")]
    VersionTooLarge {
        /// The version.
        version: i32,
    },
    /// The binary header has 15 bits for the length of a field's name.
    #[error("field name of {length} bytes does not fit into the binary header, use the JSON header")]
    NameTooLong {
        /// Length of the name in bytes.
        length: usize,
    },
    /// The frame has 24 bits for the length of the header.
    #[error("header of {length} bytes is over the limit of 16777215")]
    HeaderTooLong {
        /// Length of the header, or of the field in it, in bytes.
        length: usize,
    },
    /// The frame is larger than a peer accepts.
    #[error("frame of {length} bytes is over the limit of {limit}")]
    FrameTooLarge {
        /// Size of the frame with its length prefix.
        length: usize,
        /// The limit, [`MAX_FRAME_LENGTH`](super::MAX_FRAME_LENGTH).
        limit: usize,
    },
}
