//! TLS as a user meets it: who is trusted, what a refusal says, and that everything else stays as it is.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod client;
mod client_certificates;
mod handshake;
mod support;
mod traffic;
