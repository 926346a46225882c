//! TLS from a user's side.
//!
//! - `client`: producers and admins over TLS
//! - `handshake`: whom a client trusts, and what a refusal says
//! - `client_certificates`: servers that want to know the client
//! - `traffic`: much traffic through one connection
//! - `support`: an authority and an echo server

mod client;
mod client_certificates;
mod handshake;
mod support;
mod traffic;
