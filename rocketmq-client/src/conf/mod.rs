//! Options of the clients. Every option has a setter, a reader (the setter's name without `set_`; secrets have none),
//! and a key of that name in configuration files (serde); unknown keys there are an error.
//!
//! - `client_option`: the options of a client, which its producers and admins share
//! - `producer_option`: the options of a producer, its client's included
//! - `consumer_option`: the options of a consumer, its client's included
//! - `consumer_enums`: options of a consumer that are a choice
//! - `macros`: declares each option once: field, default, setter, reader, documentation
//! - `client_config`: the options of a client, checked and converted to working types
//! - `address`: lists of NameServers, address servers, translated addresses
//! - `env`: options from the environment

mod address;
mod client_config;
mod client_option;
mod consumer_enums;
mod consumer_option;
pub(crate) mod env;
mod macros;
mod producer_option;

pub use rocketmq_common::CompressionType;
#[cfg(feature = "tls")]
pub use rocketmq_remoting::net::tls::TlsConfig;
pub use rocketmq_remoting::net::{ByteStream, Connecting, Transport};
pub use rocketmq_remoting::protocol::SerializeType;

pub use address::AddressTranslator;
pub use client_option::{AdminOption, ClientOption};
pub use consumer_enums::{ConsumeFromWhere, MessageModel, Undecodable};
pub use consumer_option::ConsumerOption;
pub use producer_option::ProducerOption;

pub(crate) use address::{NameServerSource, parse_name_servers};
pub(crate) use client_config::{ClientConfig, FixedFields, at_least_one, millis};
