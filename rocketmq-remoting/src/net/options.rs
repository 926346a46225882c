use std::time::Duration;

use super::back_off::BackOff;
use crate::protocol::{FrameLimits, LanguageCode, SerializeType, mq_version};

/// Settings of connections. Java: `NettyClientConfig`, `NettySystemConfig`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionOptions {
    /// Header encoding of frames from this side; the peer's frames are read in either encoding. Default: JSON, like
    /// Java.
    pub serialize_type: SerializeType,
    /// The language that this side announces. Default: Rust.
    pub language: LanguageCode,
    /// The version ordinal that this side announces (`MQVersion`); peers choose dialects by it. Default: 513 (5.5.0).
    pub version: i32,
    /// Size limits for frames from the peer.
    pub limits: FrameLimits,
    /// The longest time for a dial, including name look-up and TLS handshake. Default: 3 s.
    pub connect_timeout: Duration,
    /// The longest wait for a connection that another caller is opening. Default: 3 s.
    pub try_lock_timeout: Duration,
    /// A connection without traffic and without outstanding requests is closed after this time. Default: 120 s.
    pub max_idle: Duration,
    /// A connection with outstanding requests and no byte from the peer is closed after this time. Default: 180 s.
    pub expire: Duration,
    /// The longest time from the first byte of a frame to its last. Default: 60 s.
    pub frame_timeout: Duration,
    /// Bytes that may wait for the socket; further requests wait for room. Default: 8 MiB.
    pub write_buffer_limit: usize,
    /// Waits between dials of an address that cannot be reached.
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
