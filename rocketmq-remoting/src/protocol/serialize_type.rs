//! How the header of a frame is written.

/// The form of a frame's header. Java `SerializeType`.
///
/// A peer answers in its own form, whatever it was asked in: Apache's brokers always answer in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SerializeType {
    /// A JSON object. Carries every code and tells an empty value from a missing one.
    #[default]
    Json = 0,
    /// Java `RocketMQSerializable`: binary and smaller. Codes are 16 bits wide, and an empty value reads
    /// as a missing one.
    RocketMq = 1,
}

impl SerializeType {
    /// The type with this byte on the wire, if there is one.
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
