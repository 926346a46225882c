//! A member of a group. Java: `ClientChannelInfo`.

use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::LanguageCode;

/// One connection of a producer or a consumer.
#[derive(Debug, Clone)]
pub(crate) struct ClientChannelInfo {
    pub(crate) connection: Connection,
    pub(crate) client_id: String,
    pub(crate) language: LanguageCode,
    pub(crate) version: i32,
    /// When the last heartbeat came.
    pub(crate) heard_ms: i64,
}
