use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::config::bad_identity;
use super::pem::{Identity, PemSource};
use super::{TlsConfigError, provider};
use crate::net::{Acceptor, ByteStream, Connecting, Socket};

/// The first byte of every TLS connection: the type of a handshake record.
const HANDSHAKE: u8 = 0x16;

/// TLS settings of a server. Java: `TlsHelper`, `TlsSystemConfig`, `TlsMode`.
#[derive(Debug, Clone)]
#[must_use = "settings do nothing by themselves"]
pub struct TlsServerConfig {
    identity: Identity,
    client_roots: Vec<PemSource>,
    permissive: bool,
}

impl TlsServerConfig {
    /// Settings for a server with this certificate. `certificate` is a PEM file: the server's certificate, then the
    /// certificates between it and the root. `key` is the PEM file of its private key, unencrypted. Java:
    /// `tls.server.certPath`, `tls.server.keyPath`.
    pub fn from_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self::new(Identity { chain: PemSource::file(certificate), key: PemSource::file(key) })
    }

    /// Like [`from_files`](Self::from_files), with the PEM texts themselves.
    pub fn from_pem(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self::new(Identity { chain: PemSource::given(certificate), key: PemSource::given(key) })
    }

    fn new(identity: Identity) -> Self {
        Self { identity, client_roots: Vec::new(), permissive: false }
    }

    /// Turns away clients without a certificate issued by an authority in this PEM text. Call it again to add
    /// authorities. Java: `tls.server.need.client.auth=require`, `tls.server.trustCertPath`.
    pub fn with_client_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client_roots.push(PemSource::given(pem));
        self
    }

    /// Also serves clients in plain text: connections whose first byte begins no TLS handshake. Java:
    /// `tls.server.mode=permissive`. By default such a connection is closed, like with Java's `enforcing`.
    pub fn permissive(mut self) -> Self {
        self.permissive = true;
        self
    }

    fn server_config(&self) -> Result<ServerConfig, TlsConfigError> {
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(bad_identity)?;
        let builder = if self.client_roots.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for source in &self.client_roots {
                source.add_roots(&mut roots)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let bad = |error: rustls::server::VerifierBuilderError| TlsConfigError::BadPem {
                from: "the certificates of client authorities".to_owned(),
                reason: error.to_string(),
            };
            builder.with_client_cert_verifier(verifier.map_err(bad)?)
        };
        let (chain, key) = self.identity.read()?;
        builder.with_single_cert(chain, key).map_err(bad_identity)
    }
}

/// Serves TLS on accepted sockets.
pub struct TlsAcceptor {
    acceptor: tokio_rustls::TlsAcceptor,
    permissive: bool,
}

impl TlsAcceptor {
    /// Makes an acceptor with these settings; reads the files that they name.
    ///
    /// # Errors
    /// A file or text cannot be used; the error says which and why.
    pub fn new(config: &TlsServerConfig) -> Result<Self, TlsConfigError> {
        let acceptor = Arc::new(config.server_config()?).into();
        Ok(Self { acceptor, permissive: config.permissive })
    }

    async fn open(&self, socket: Socket) -> io::Result<Box<dyn ByteStream>> {
        let Socket::Tcp(stream) = socket else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is served over TCP only"));
        };
        let mut first = [0];
        let count = stream.peek(&mut first).await?;
        if count == 1 && first[0] == HANDSHAKE {
            return Ok(Box::new(self.acceptor.accept(stream).await?));
        }
        match (count, self.permissive) {
            (0, _) => Err(io::ErrorKind::UnexpectedEof.into()),
            (_, true) => Ok(Box::new(stream)),
            (_, false) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks plain text, not TLS"))
            }
        }
    }
}

impl Acceptor for TlsAcceptor {
    fn accept(&self, socket: Socket) -> Connecting<'_> {
        Box::pin(self.open(socket))
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").field("permissive", &self.permissive).finish_non_exhaustive()
    }
}
