use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::net::ConnectionOptions;

use super::macros::client_options;
use super::{ClientConfig, FixedFields, NameServerSource, SerializeType, at_least_one, millis};
use crate::acl::SessionCredentials;
use crate::error::MQClientError;

client_options! {
    /// Options of a client, which its producers and admins share. Java: the properties of `ClientConfig`.
    ///
    /// ```
    /// let mut option = rocketmq_client::conf::ClientOption::default();
    /// option.set_name_server_addr("127.0.0.1:9876").set_instance_name("orders");
    /// ```
    pub struct ClientOption {}
}

/// Options of an admin: those of its client. Java: the properties of `DefaultMQAdminExt` and `ClientConfig`.
pub type AdminOption = ClientOption;

impl ClientOption {
    /// Checks these options and converts them to working types.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, MQClientError> {
        at_least_one(&[
            ("tcp_transport_try_lock_timeout", self.tcp_transport_try_lock_timeout),
            ("tcp_transport_connect_timeout", self.tcp_transport_connect_timeout),
            ("client_channel_max_idle_time_seconds", self.client_channel_max_idle_time_seconds),
            ("client_channel_expire_timeout_seconds", self.client_channel_expire_timeout_seconds),
            ("poll_name_server_interval", self.poll_name_server_interval),
            ("heartbeat_broker_interval", self.heartbeat_broker_interval),
            ("mq_client_api_timeout", self.mq_client_api_timeout),
        ])?;
        let source = NameServerSource::from_options(&self.name_server_addr, &self.name_server_http_address)?;
        Ok(ClientConfig {
            name_servers: source,
            instance_name: self.instance_name().map(str::to_owned),
            client_ip: self.client_ip().map(str::to_owned),
            unit_name: self.unit_name().map(str::to_owned),
            connection: self.connection(),
            address_translator: self.address_translator.clone(),
            transport: self.transport.clone(),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            credentials: SessionCredentials::from_options(
                &self.access_key,
                &self.secret_key,
                &self.security_token,
            )?,
            fixed_fields: FixedFields {
                namespace_v2: self.namespace_v2().map(str::to_owned),
                zone: self.zone().map(str::to_owned),
                stream_request_type: self.enable_stream_request_type,
            },
            hooks: self.hooks.clone(),
            poll_name_server_interval: millis(self.poll_name_server_interval),
            heartbeat_broker_interval: millis(self.heartbeat_broker_interval),
            api_timeout: millis(self.mq_client_api_timeout),
            retry_on_initial_connect: self.retry_on_initial_connect,
            own_thread: self.own_thread,
        })
    }

    /// An option without a key in configuration files whose value differs from another client's.
    pub(super) fn differs_in_parts(&self, other: &Self) -> Option<&'static str> {
        let same_translator = match (&self.address_translator, &other.address_translator) {
            (Some(mine), Some(others)) => mine.is_same(others),
            (None, None) => true,
            _ => false,
        };
        let same_transport = match (&self.transport, &other.transport) {
            (Some(mine), Some(others)) => Arc::ptr_eq(mine, others),
            (None, None) => true,
            _ => false,
        };
        let (mine, others) = (&self.hooks.rpc, &other.hooks.rpc);
        let same_hooks =
            mine.len() == others.len() && mine.iter().zip(others).all(|(a, b)| Arc::ptr_eq(a, b));
        #[cfg(feature = "tls")]
        let same_tls = self.tls == other.tls;
        #[cfg(not(feature = "tls"))]
        let same_tls = true;
        let parts = [
            ("address_translator", same_translator),
            ("transport", same_transport),
            ("rpc_hook", same_hooks),
            ("tls", same_tls),
        ];
        parts.into_iter().find_map(|(option, same)| (!same).then_some(option))
    }

    fn connection(&self) -> ConnectionOptions {
        let mut connection = ConnectionOptions::default();
        connection.serialize_type = self.serialize_type;
        connection.connect_timeout = millis(self.tcp_transport_connect_timeout);
        connection.try_lock_timeout = millis(self.tcp_transport_try_lock_timeout);
        connection.max_idle = Duration::from_secs(self.client_channel_max_idle_time_seconds);
        connection.expire = Duration::from_secs(self.client_channel_expire_timeout_seconds);
        connection
    }
}
