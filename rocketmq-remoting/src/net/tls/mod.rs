//! TLS over TCP. Certificates and host names are verified unless the caller explicitly turns that off.
//!
//! ring does the cryptography. Each configuration names its provider, so that this crate neither depends on nor changes
//! a default of the whole process.
//!
//! * `config`, `acceptor`: settings of a client and of a server.
//! * `pem`: certificates and keys as PEM text.
//! * `transport`: the client's handshake. `verdict`: waits for the server to judge the client's certificate.
//! * `unverified`: accepts any certificate. `error`: what can be wrong with settings and handshakes.

mod acceptor;
mod config;
mod error;
mod pem;
mod transport;
mod unverified;
mod verdict;

pub use acceptor::{TlsAcceptor, TlsServerConfig};
pub use config::TlsConfig;
pub use error::{TlsConfigError, TlsError};
pub use transport::TlsTransport;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
