//! How clients find NameServers and brokers: address servers, translated addresses, IPv6 and names.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test's peers are tasks of their own")]

mod address_server;
mod dialling;
