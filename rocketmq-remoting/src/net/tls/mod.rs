//! TLS over TCP: certificates are verified, with the host's name, unless a caller says otherwise in so many words.
//!
//! The cryptography is ring's. It is set for each configuration by itself, so that nothing here depends on, or
//! changes, a default of the whole process.

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
