/// Declares the options of one kind of client: its own fields and those that all clients share.
///
/// For each field: its documentation, `plain`, `list`, `text` or `secret`, its name, its setter, its type and default. From that come
/// the struct, its `Default`, the setter, a reader of the field's name, and the name in configuration files. A
/// `text` setter takes anything that becomes a `String`, and its reader is `None` while the text is empty. A
/// `secret` has no reader, and is never printed.
macro_rules! client_options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($own:tt)* }
    ) => {
        $crate::conf::macros::options! {
            $(#[$meta])*
            pub struct $name {
                $($own)*
                /// The NameServers, as `host:port;host:port`. Host names, IPv4, IPv6 in brackets. Required, unless
                /// an address server is named.
                text name_server_addr / set_name_server_addr: String = String::new();
                /// An HTTP address server that knows the NameServers, as `http://host:port/path`. It is asked at
                /// the start and every two minutes, and answers with `host:port;host:port`; an answer that is
                /// none leaves the list as it was. Used only while `name_server_addr` is empty.
                /// Java: `TopAddressing`.
                text name_server_http_address / set_name_server_http_address: String = String::new();
                /// Tells several clients of one process apart in their client id, `ip@instance_name`. Default:
                /// the process id and a time stamp.
                text instance_name / set_instance_name: String = String::new();
                /// The address in the client id. Default: the one that the system would use to reach the
                /// NameServer.
                text client_ip / set_client_ip: String = String::new();
                /// A unit name, appended to the client id.
                text unit_name / set_unit_name: String = String::new();
                /// A namespace of version 1: topics and groups become `namespace%name` on the wire, and results
                /// name them without it.
                text namespace / set_namespace: String = String::new();
                /// The wait in ms for a connection that another caller is opening. Default: 3000.
                plain tcp_transport_try_lock_timeout / set_tcp_transport_try_lock_timeout: u64 = 3000;
                /// The limit in ms for opening a connection, name look-up included. Default: 3000.
                plain tcp_transport_connect_timeout / set_tcp_transport_connect_timeout: u64 = 3000;
                /// No traffic for that many seconds and nothing outstanding: the connection is closed.
                /// Default: 120.
                plain client_channel_max_idle_time_seconds / set_client_channel_max_idle_time_seconds: u64 = 120;
                /// Requests outstanding and not one byte from the peer for that many seconds: the connection
                /// is closed, and what was in flight fails. Default: 180.
                plain client_channel_expire_timeout_seconds / set_client_channel_expire_timeout_seconds: u64 = 180;
                /// How often routes are fetched again, in ms. Default: 30000.
                plain poll_name_server_interval / set_poll_name_server_interval: u64 = 30_000;
                /// How often brokers get a heartbeat, in ms. Default: 30000.
                plain heartbeat_broker_interval / set_heartbeat_broker_interval: u64 = 30_000;
                /// The limit in ms for requests that are no sends: routes, heartbeats, reads. Default: 3000.
                plain mq_client_api_timeout / set_mq_client_api_timeout: u64 = 3000;
                /// Whether `start` succeeds when no NameServer can be reached; calls then fail until one can.
                /// Default: false.
                plain retry_on_initial_connect / set_retry_on_initial_connect: bool = false;
                /// How the headers of requests are written. Default: binary (`ROCKETMQ`), which every broker
                /// of 4.x and 5.x reads; Java's own default is JSON.
                plain serialize_type / set_serialize_type: SerializeType = SerializeType::RocketMq;
                /// The access key: the name under which this client is known to a cluster with ACL. It needs a
                /// secret key; see [`set_credentials`](Self::set_credentials).
                text access_key / set_access_key: String = String::new();
                /// The secret key with which requests are signed.
                secret secret_key / set_secret_key: $crate::acl::Secret = $crate::acl::Secret::default();
                /// A token that goes with temporary credentials.
                secret security_token / set_security_token: $crate::acl::Secret = $crate::acl::Secret::default();
                /// The namespace (5.x) that every request names, in the fields `ns` and `nsd`. It leaves the
                /// names of topics and groups as they are. Java: `ClientConfig.namespaceV2`.
                text namespace_v2 / set_namespace_v2: String = String::new();
                /// The zone that every request names. NameServers then leave brokers of other zones out of
                /// routes. Java: `rocketmq.zone` with `rocketmq.zone.mode=true`.
                text zone / set_zone: String = String::new();
                /// Whether every request says that this client reads and writes streams (`ReqT`), for proxies
                /// that treat them differently. Default: false. Java: `enableStreamRequestType`.
                plain enable_stream_request_type / set_enable_stream_request_type: bool = false;
            }
        }

        impl $name {
            /// The defaults, with what the variables of Java's clients say: `NAMESRV_ADDR`,
            /// `ROCKETMQ_SERIALIZE_TYPE` (`JSON` or `ROCKETMQ`), and `ROCKETMQ_ZONE` if `ROCKETMQ_ZONE_MODE` is
            /// `true`. Nothing else reads the environment.
            ///
            /// # Errors
            /// When a variable is not Unicode, or has a value that it cannot have.
            pub fn from_env() -> Result<Self, MQClientError> {
                let (mut option, env) = (Self::default(), $crate::conf::env::Environment::read()?);
                option.name_server_addr = env.name_server_addr.unwrap_or_default();
                option.serialize_type = env.serialize_type.unwrap_or(option.serialize_type);
                option.zone = env.zone.unwrap_or_default();
                Ok(option)
            }

            /// Maps advertised broker addresses to ones that can be reached from here.
            pub fn set_address_translator(&mut self, translator: $crate::conf::AddressTranslator) -> &mut Self {
                self.address_translator = Some(translator);
                self
            }

            /// See [`set_address_translator`](Self::set_address_translator).
            pub fn address_translator(&self) -> Option<&$crate::conf::AddressTranslator> {
                self.address_translator.as_ref()
            }

            /// Adds a hook that sees every request, behind those that are there.
            pub fn add_rpc_hook(&mut self, hook: std::sync::Arc<dyn $crate::hook::RpcHook>) -> &mut Self {
                self.hooks.rpc.push(hook);
                self
            }

            /// Signs every request with this key pair, for clusters with ACL. That proves who sends a request; it
            /// hides nothing, and who sees a signed request can send it again: use TLS too.
            /// Java: `AclClientRPCHook`.
            pub fn set_credentials(
                &mut self,
                access_key: impl Into<String>,
                secret_key: impl Into<String>,
            ) -> &mut Self {
                self.set_access_key(access_key).set_secret_key(secret_key)
            }

            /// Speaks TLS with NameServers and brokers. Java: `ClientConfig.useTLS`.
            #[cfg(feature = "tls")]
            pub fn set_tls(&mut self, tls: $crate::conf::TlsConfig) -> &mut Self {
                self.tls = Some(tls);
                self
            }

            /// See [`set_tls`](Self::set_tls).
            #[cfg(feature = "tls")]
            pub fn tls(&self) -> Option<&$crate::conf::TlsConfig> {
                self.tls.as_ref()
            }

            /// What the shared part of a client needs to know of these options, checked.
            pub(crate) fn client_config(&self) -> Result<$crate::conf::ClientConfig, MQClientError> {
                use std::time::Duration;

                $crate::conf::at_least_one(&[
                    ("tcp_transport_try_lock_timeout", self.tcp_transport_try_lock_timeout),
                    ("tcp_transport_connect_timeout", self.tcp_transport_connect_timeout),
                    ("client_channel_max_idle_time_seconds", self.client_channel_max_idle_time_seconds),
                    ("client_channel_expire_timeout_seconds", self.client_channel_expire_timeout_seconds),
                    ("poll_name_server_interval", self.poll_name_server_interval),
                    ("heartbeat_broker_interval", self.heartbeat_broker_interval),
                    ("mq_client_api_timeout", self.mq_client_api_timeout),
                ])?;
                let mut connection = rocketmq_remoting::net::ConnectionOptions::default();
                connection.serialize_type = self.serialize_type;
                connection.connect_timeout = $crate::conf::millis(self.tcp_transport_connect_timeout);
                connection.try_lock_timeout = $crate::conf::millis(self.tcp_transport_try_lock_timeout);
                connection.max_idle = Duration::from_secs(self.client_channel_max_idle_time_seconds);
                connection.expire = Duration::from_secs(self.client_channel_expire_timeout_seconds);
                Ok($crate::conf::ClientConfig {
                    name_servers: $crate::conf::NameServerSource::from_options(
                        &self.name_server_addr,
                        &self.name_server_http_address,
                    )?,
                    instance_name: self.instance_name().map(str::to_owned),
                    client_ip: self.client_ip().map(str::to_owned),
                    unit_name: self.unit_name().map(str::to_owned),
                    connection,
                    address_translator: self.address_translator.clone(),
                    #[cfg(feature = "tls")]
                    tls: self.tls.clone(),
                    credentials: $crate::acl::SessionCredentials::from_options(
                        &self.access_key,
                        &self.secret_key,
                        &self.security_token,
                    )?,
                    fixed_fields: $crate::conf::FixedFields {
                        namespace_v2: self.namespace_v2().map(str::to_owned),
                        zone: self.zone().map(str::to_owned),
                        stream_request_type: self.enable_stream_request_type,
                    },
                    hooks: self.hooks.clone(),
                    poll_name_server_interval: $crate::conf::millis(self.poll_name_server_interval),
                    heartbeat_broker_interval: $crate::conf::millis(self.heartbeat_broker_interval),
                    api_timeout: $crate::conf::millis(self.mq_client_api_timeout),
                    retry_on_initial_connect: self.retry_on_initial_connect,
                })
            }
        }
    };
}

/// The part of [`client_options`] that knows nothing of what the options are.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ $kind:ident $field:ident / $setter:ident: $type:ty = $default:expr;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $name {
            $($field: $type,)*
            #[serde(skip)]
            address_translator: Option<$crate::conf::AddressTranslator>,
            #[cfg(feature = "tls")]
            #[serde(skip)]
            tls: Option<$crate::conf::TlsConfig>,
            #[serde(skip)]
            hooks: $crate::hook::Hooks,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)*
                    address_translator: None,
                    hooks: $crate::hook::Hooks::default(),
                    #[cfg(feature = "tls")]
                    tls: None,
                }
            }
        }

        impl $name {
            $($crate::conf::macros::accessors!($kind [$($doc)+] $field $setter $type);)*
        }
    };
}

/// The setter and the reader of one option.
macro_rules! accessors {
    (plain [$($doc:literal)+] $field:ident $setter:ident $type:ty) => {
        $(#[doc = $doc])+
        pub fn $setter(&mut self, value: $type) -> &mut Self {
            self.$field = value;
            self
        }

        #[doc = concat!("See [`", stringify!($setter), "`](Self::", stringify!($setter), ").")]
        pub fn $field(&self) -> $type {
            self.$field
        }
    };
    (list [$($doc:literal)+] $field:ident $setter:ident $type:ty) => {
        $(#[doc = $doc])+
        pub fn $setter(&mut self, value: $type) -> &mut Self {
            self.$field = value;
            self
        }

        #[doc = concat!("See [`", stringify!($setter), "`](Self::", stringify!($setter), ").")]
        pub fn $field(&self) -> &$type {
            &self.$field
        }
    };
    (text [$($doc:literal)+] $field:ident $setter:ident $type:ty) => {
        $(#[doc = $doc])+
        pub fn $setter(&mut self, value: impl Into<String>) -> &mut Self {
            self.$field = value.into();
            self
        }

        #[doc = concat!("See [`", stringify!($setter), "`](Self::", stringify!($setter), ").")]
        pub fn $field(&self) -> Option<&str> {
            Some(self.$field.as_str()).filter(|text| !text.is_empty())
        }
    };
    (secret [$($doc:literal)+] $field:ident $setter:ident $type:ty) => {
        $(#[doc = $doc])+
        pub fn $setter(&mut self, value: impl Into<String>) -> &mut Self {
            self.$field = <$type>::new(value);
            self
        }
    };
}

pub(super) use {accessors, client_options, options};
