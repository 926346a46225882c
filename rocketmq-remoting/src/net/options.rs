use std::time::Duration;

use super::back_off::BackOff;
use crate::protocol::{FrameLimits, LanguageCode, SerializeType, mq_version};

/// How connections behave. Java: `NettyClientConfig`, `NettySystemConfig`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionOptions {
    /// Header encoding of what this side sends; the peer's own choice is read from each frame. Default: JSON,
    /// as in Java.
    pub serialize_type: SerializeType,
    /// What this side says that it is. Default: Rust.
    pub language: LanguageCode,
    /// The version ordinal that this side says that it has (`MQVersion`); peers choose dialects by it.
    /// Default: 513 (5.5.0).
    pub version: i32,
    /// Limits for frames from the peer.
    pub limits: FrameLimits,
    /// A dial, name look-up included, takes at most this. Default: 3 s.
    pub connect_timeout: Duration,
    /// The longest wait for a connection that another caller is opening. Default: 3 s.
    pub try_lock_timeout: Duration,
    /// No traffic for that long and nothing outstanding: closed. Default: 120 s.
    pub max_idle: Duration,
    /// Requests outstanding and not one byte from the peer for that long: closed. Default: 180 s.
    pub expire: Duration,
    /// A frame that has begun must be complete within this. Default: 60 s.
    pub frame_timeout: Duration,
    /// Bytes that may wait for the socket; a request past them waits for room. Default: 8 MiB.
    pub write_buffer_limit: usize,
    /// Waits between dials of an address that could not be reached.
    pub back_off: BackOff,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            serialize_type: SerializeType::Json,
            language: LanguageCode::RUST,
            version: mq_version::CURRENT_VERSION,
            limits: FrameLimits::default(),
            connect_timeout: Duration::from_secs(3),
            try_lock_timeout: Duration::from_secs(3),
            max_idle: Duration::from_secs(120),
            expire: Duration::from_secs(180),
            frame_timeout: Duration::from_secs(60),
            write_buffer_limit: 8 * 1024 * 1024,
            back_off: BackOff::default(),
        }
    }
}
