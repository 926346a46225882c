//! How clients find NameServers and brokers.
//!
//! - `address_server`: NameServers that an HTTP address server lists
//! - `dialling`: translated addresses, IPv6 and names

mod address_server;
mod dialling;
