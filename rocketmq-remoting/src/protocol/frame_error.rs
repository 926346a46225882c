//! Faults of frames.

use std::fmt;

/// Why a peer's bytes are no frame. The connection is then useless: the start of the next frame is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length is negative or too small to hold the header's length.
    #[error("frame length {length} is less than 4{hint}")]
    LengthTooSmall {
        /// The length that the peer sent.
        length: i32,
        /// A guess about the peer.
        hint: PeerHint,
    },
    /// The frame is larger than the limit.
    #[error("frame of {length} bytes is over the limit of {limit}{hint}")]
    TooLarge {
        /// Size of the frame with its length prefix.
        length: usize,
        /// The limit, [`FrameLimits::max_frame`](super::FrameLimits::max_frame).
        limit: usize,
        /// A guess about the peer.
        hint: PeerHint,
    },
    /// The header's encoding is neither JSON nor binary.
    #[error("header form {0} is unknown, 0 is JSON and 1 is binary")]
    UnknownSerializeType(
        /// The byte that the peer sent.
        u8,
    ),
    /// The header would end after the frame.
    #[error("header of {header} bytes does not fit into a frame with {frame} bytes left")]
    HeaderTooLong {
        /// The header's length that the peer sent, 24 bits.
        header: usize,
        /// The bytes in the frame after the two length words.
        frame: usize,
    },
    /// A binary header ends within a field.
    #[error("binary header ends {missing} bytes too early")]
    HeaderTooShort {
        /// How many bytes of that field are missing.
        missing: usize,
    },
    /// A text in a binary header is longer than the header, or its length is negative.
    #[error("binary header has a text of {length} bytes where {left} are left")]
    FieldTooLong {
        /// The length that the peer sent.
        length: i32,
        /// The bytes that are left of the header.
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
        /// The fault at that index.
        problem: &'static str,
    },
    /// A fixed field of a JSON header is no 32-bit integer.
    #[error("{field} of the JSON header is no 32-bit integer")]
    NotAnInteger {
        /// Name of the field.
        field: &'static str,
    },
    /// `extFields` of a JSON header is not an object.
    #[error("extFields of the JSON header is no object")]
    ExtFieldsNotAnObject,
}

/// A guess about the peer, from bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerHint {
    /// No guess.
    Unknown,
    /// An HTTP server or client.
    Http,
    /// A TLS record: one side uses TLS, the other does not.
    Tls,
}

impl PeerHint {
    /// Guesses from the first bytes of a broken frame.
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

/// Why a command does not fit into a frame. The buffer is then unchanged.
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
        /// Length of the header, or of a single field in it, in bytes.
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
