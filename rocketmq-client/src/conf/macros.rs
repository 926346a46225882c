/// Declares the options of one kind of client: its own fields and those of every client.
///
/// For each field: its documentation, `plain`, `optional`, `list`, `text`, `secret` or `strategy`, its name, its setter, its type and default. From that come
/// the struct, its `Default`, the setter, a reader of the field's name, and the name in configuration files. The fields
/// behind `@client` are those of the client, which it may share with others. An `optional`
/// setter takes a value with or without `Some`. A
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
                @client
                /// The NameServers, as `host:port;host:port`. Host names, IPv4, IPv6 in brackets. Required, unless an
                /// address server is set.
                text name_server_addr / set_name_server_addr: String = String::new();
                /// An HTTP address server that knows the NameServers, as `http://host:port/path`. It is asked at
                /// the start and every two minutes, and answers `host:port;host:port`; an invalid answer keeps the
                /// former list. Used only while `name_server_addr` is empty.
                /// Java: `TopAddressing`.
                text name_server_http_address / set_name_server_http_address: String = String::new();
                /// Distinguishes several clients of one process in their client id, `ip@instance_name`. Default:
                /// the process id and a time stamp.
                text instance_name / set_instance_name: String = String::new();
                /// The address in the client id. Default: the local address from which the system would reach the
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
                /// A connection without traffic and without outstanding requests is closed after this many
                /// seconds. Default: 120.
                plain client_channel_max_idle_time_seconds / set_client_channel_max_idle_time_seconds: u64 = 120;
                /// A connection with outstanding requests and no byte from the peer is closed after this many
                /// seconds, and its requests fail. Default: 180.
                plain client_channel_expire_timeout_seconds / set_client_channel_expire_timeout_seconds: u64 = 180;
                /// The interval in ms between look-ups of routes. Default: 30000.
                plain poll_name_server_interval / set_poll_name_server_interval: u64 = 30_000;
                /// The interval in ms between heartbeats. Default: 30000.
                plain heartbeat_broker_interval / set_heartbeat_broker_interval: u64 = 30_000;
                /// The limit in ms for all requests except sends: routes, heartbeats, reads. Default: 3000.
                plain mq_client_api_timeout / set_mq_client_api_timeout: u64 = 3000;
                /// Whether `start` succeeds without a reachable NameServer; calls then fail until one is
                /// reachable. Default: false.
                plain retry_on_initial_connect / set_retry_on_initial_connect: bool = false;
                /// The encoding of request headers. Default: binary (`ROCKETMQ`), which every broker of 4.x and
                /// 5.x reads; Java's default is JSON.
                plain serialize_type / set_serialize_type: SerializeType = SerializeType::RocketMq;
                /// The access key: the name of this client in a cluster with ACL. It needs a secret key; see
                /// [`set_credentials`](Self::set_credentials).
                text access_key / set_access_key: String = String::new();
                /// The secret key that signs requests.
                secret secret_key / set_secret_key: $crate::acl::Secret = $crate::acl::Secret::default();
                /// The token of temporary credentials.
                secret security_token / set_security_token: $crate::acl::Secret = $crate::acl::Secret::default();
                /// The namespace (5.x) that every request names, in the fields `ns` and `nsd`. Names of topics and
                /// groups stay unchanged. Java: `ClientConfig.namespaceV2`.
                text namespace_v2 / set_namespace_v2: String = String::new();
                /// The zone that every request names. NameServers then leave brokers of other zones out of
                /// routes. Java: `rocketmq.zone` with `rocketmq.zone.mode=true`.
                text zone / set_zone: String = String::new();
                /// Whether every request is marked as coming from a client that reads and writes streams
                /// (`ReqT`), for proxies that treat such clients differently. Default: false. Java:
                /// `enableStreamRequestType`.
                plain enable_stream_request_type / set_enable_stream_request_type: bool = false;
                /// Whether connections, heartbeats and callbacks run on a thread of their own, which the shutdown
                /// stops. A runtime whose threads are blocked then loses neither heartbeats nor the locks that they
                /// keep. Sends from other threads pay for it: each send wakes that thread, and its answer wakes the
                /// sender's. Default: false, the runtime in which the client is started.
                plain own_thread / set_own_thread: bool = false;
            }
        }

        impl $name {
            /// The defaults, changed by the variables of Java's clients: `NAMESRV_ADDR`,
            /// `ROCKETMQ_SERIALIZE_TYPE` (`JSON` or `ROCKETMQ`), and `ROCKETMQ_ZONE` if `ROCKETMQ_ZONE_MODE` is
            /// `true`. Nothing else reads the environment.
            ///
            /// # Errors
            /// A variable is not Unicode, or has an invalid value.
            pub fn from_env() -> Result<Self, MQClientError> {
                let (mut option, env) = (Self::default(), $crate::conf::env::Environment::read()?);
                option.name_server_addr = env.name_server_addr.unwrap_or_default();
                option.serialize_type = env.serialize_type.unwrap_or(option.serialize_type);
                option.zone = env.zone.unwrap_or_default();
                Ok(option)
            }

            /// Sets a translation of advertised broker addresses to addresses that can be reached from here.
            pub fn set_address_translator(&mut self, translator: $crate::conf::AddressTranslator) -> &mut Self {
                self.address_translator = Some(translator);
                self
            }

            /// The value of [`set_address_translator`](Self::set_address_translator).
            pub fn address_translator(&self) -> Option<&$crate::conf::AddressTranslator> {
                self.address_translator.as_ref()
            }

            /// Sets another source of byte streams than TCP, such as a network in memory: a client and a mock
            /// cluster then run in one thread on a paused clock. Default: TCP, or TLS if that is set; both at
            /// once are an error.
            pub fn set_transport(&mut self, transport: std::sync::Arc<dyn $crate::conf::Transport>) -> &mut Self {
                self.transport = Some(transport);
                self
            }

            /// The value of [`set_transport`](Self::set_transport).
            pub fn transport(&self) -> Option<&std::sync::Arc<dyn $crate::conf::Transport>> {
                self.transport.as_ref()
            }

            /// Adds a hook that sees every request. It runs after the hooks added before it.
            pub fn add_rpc_hook(&mut self, hook: std::sync::Arc<dyn $crate::hook::RpcHook>) -> &mut Self {
                self.hooks.rpc.push(hook);
                self
            }

            /// Signs every request with this key pair, for clusters with ACL. The signature proves the sender;
            /// it hides nothing, and anyone who sees a signed request can send it again: use TLS too.
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

            /// The value of [`set_tls`](Self::set_tls).
            #[cfg(feature = "tls")]
            pub fn tls(&self) -> Option<&$crate::conf::TlsConfig> {
                self.tls.as_ref()
            }
        }
    };
}

/// The part of [`client_options`] that does not depend on the options.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ $kind:ident $field:ident / $setter:ident: $type:ty = $default:expr;)*
            @client
            $(
                $(#[doc = $shared_doc:literal])+ $shared_kind:ident $shared:ident / $shared_setter:ident:
                    $shared_type:ty = $shared_default:expr;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $name {
            $($field: $type,)*
            $(pub(super) $shared: $shared_type,)*
            #[serde(skip)]
            pub(super) address_translator: Option<$crate::conf::AddressTranslator>,
            #[serde(skip)]
            pub(super) transport: Option<std::sync::Arc<dyn $crate::conf::Transport>>,
            #[cfg(feature = "tls")]
            #[serde(skip)]
            pub(super) tls: Option<$crate::conf::TlsConfig>,
            #[serde(skip)]
            pub(super) hooks: $crate::hook::Hooks,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)*
                    $($shared: $shared_default,)*
                    address_translator: None,
                    transport: None,
                    hooks: $crate::hook::Hooks::default(),
                    #[cfg(feature = "tls")]
                    tls: None,
                }
            }
        }

        impl $name {
            $($crate::conf::macros::accessors!($kind [$($doc)+] $field $setter $type);)*
            $(
                $crate::conf::macros::accessors!(
                    $shared_kind [$($shared_doc)+] $shared $shared_setter $shared_type
                );
            )*

            /// The client's options among these.
            #[allow(dead_code, reason = "of no use for the options of a client itself")]
            pub(crate) fn client_option(&self) -> $crate::conf::ClientOption {
                let mut option = $crate::conf::ClientOption::default();
                $(option.$shared = self.$shared.clone();)*
                option.address_translator = self.address_translator.clone();
                option.transport = self.transport.clone();
                option.hooks.rpc = self.hooks.rpc.clone();
                #[cfg(feature = "tls")]
                {
                    option.tls = self.tls.clone();
                }
                option
            }

            /// Sets the client's options.
            #[allow(dead_code, reason = "of no use for the options of a client itself")]
            pub(crate) fn set_client_option(&mut self, client: &$crate::conf::ClientOption) {
                $(self.$shared = client.$shared.clone();)*
                self.address_translator = client.address_translator.clone();
                self.transport = client.transport.clone();
                self.hooks.rpc = client.hooks.rpc.clone();
                #[cfg(feature = "tls")]
                {
                    self.tls = client.tls.clone();
                }
            }

            /// The name of a client option whose value differs from that client's.
            #[allow(dead_code, reason = "of no use for the options of a client itself")]
            pub(crate) fn differs_from(&self, client: &$crate::conf::ClientOption) -> Option<&'static str> {
                $(
                    if self.$shared != client.$shared {
                        return Some(stringify!($shared));
                    }
                )*
                self.client_option().differs_in_parts(client)
            }
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
    (optional [$($doc:literal)+] $field:ident $setter:ident $type:ty) => {
        $(#[doc = $doc])+
        pub fn $setter(&mut self, value: impl Into<$type>) -> &mut Self {
            self.$field = value.into();
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
    (strategy [$($doc:literal)+] $field:ident $setter:ident $type:ty) => {
        $(#[doc = $doc])+
        pub fn $setter(
            &mut self,
            value: impl $crate::strategy::AllocateMessageQueueStrategy + 'static,
        ) -> &mut Self {
            self.$field = <$type>::new(value);
            self
        }

        #[doc = concat!("See [`", stringify!($setter), "`](Self::", stringify!($setter), ").")]
        pub fn $field(&self) -> &std::sync::Arc<dyn $crate::strategy::AllocateMessageQueueStrategy> {
            self.$field.get()
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
