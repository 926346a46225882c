use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::net::{ConnectionOptions, Transport};

use super::{AddressTranslator, NameServerSource};
use crate::acl::SessionCredentials;
use crate::error::{MQClientError, invalid};
use crate::hook::Hooks;

/// The options that all kinds of clients share, checked and converted to working types. Java: `ClientConfig`.
#[derive(Debug, Clone)]
pub(crate) struct ClientConfig {
    pub(crate) name_servers: NameServerSource,
    pub(crate) instance_name: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) unit_name: Option<String>,
    pub(crate) connection: ConnectionOptions,
    pub(crate) address_translator: Option<AddressTranslator>,
    /// A transport instead of TCP.
    pub(crate) transport: Option<Arc<dyn Transport>>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<super::TlsConfig>,
    pub(crate) credentials: Option<SessionCredentials>,
    pub(crate) fixed_fields: FixedFields,
    pub(crate) hooks: Hooks,
    pub(crate) poll_name_server_interval: Duration,
    pub(crate) heartbeat_broker_interval: Duration,
    pub(crate) api_timeout: Duration,
    pub(crate) retry_on_initial_connect: bool,
    pub(crate) own_thread: bool,
}

/// Fields that every request gets besides its own header.
#[derive(Debug, Clone, Default)]
pub(crate) struct FixedFields {
    pub(crate) namespace_v2: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) stream_request_type: bool,
}

/// Refuses options that must not be zero.
pub(crate) fn at_least_one(options: &[(&'static str, u64)]) -> Result<(), MQClientError> {
    match options.iter().find(|(_, value)| *value == 0) {
        Some((option, _)) => Err(invalid(option, "it must be at least 1")),
        None => Ok(()),
    }
}

/// Converts milliseconds of an option. Longer than ten years becomes ten years: it would overflow clocks.
pub(crate) fn millis(ms: u64) -> Duration {
    const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    Duration::from_millis(ms).min(TEN_YEARS)
}
