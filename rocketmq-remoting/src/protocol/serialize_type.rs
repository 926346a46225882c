//! Encodings of a frame's header.

/// The encoding of a frame's header. Java `SerializeType`.
///
/// A peer answers in its own encoding, not in the request's: Apache's brokers always answer in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SerializeType {
    /// A JSON object. Carries every code and distinguishes an empty value from a missing one.
    #[default]
    Json = 0,
    /// Java `RocketMQSerializable`: binary and smaller. Codes have 16 bits, and an empty value reads as missing.
    RocketMq = 1,
}

impl SerializeType {
    /// The encoding with this byte on the wire; `None` if the byte is unknown.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Json),
            1 => Some(Self::RocketMq),
            _ => None,
        }
    }

    /// The byte on the wire.
    #[must_use]
    pub fn as_byte(self) -> u8 {
        self as u8
    }
}
