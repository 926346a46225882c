use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::Handshake;
use super::verdict::{Asked, await_verdict};
use super::{TlsConfig, TlsConfigError, TlsError};
use crate::net::transport::tune;
use crate::net::{ByteStream, Connecting, Transport};

/// TLS over TCP, from the first byte.
///
/// A failed handshake is a failed dial, whose error holds a [`TlsError`]. The client's connect time-out covers the
/// handshake too.
pub struct TlsTransport {
    config: ClientConfig,
    /// Expected in certificates instead of the dialled host.
    server_name: Option<ServerName<'static>>,
    has_identity: bool,
}

impl TlsTransport {
    /// Makes a transport with these settings. Reads the files that they name, or the system's certificates if they name
    /// none; it blocks, so call it where blocking is allowed.
    ///
    /// # Errors
    /// A file or text cannot be used; the error says which and why.
    pub fn new(config: &TlsConfig) -> Result<Self, TlsConfigError> {
        Ok(Self {
            config: config.client_config()?,
            server_name: config.fixed_name()?,
            has_identity: config.has_identity(),
        })
    }

    async fn open(&self, address: &str) -> io::Result<Box<dyn ByteStream>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(address).map_err(TlsError::into_io)?,
        };
        let stream = TcpStream::connect(address).await?;
        tune(&stream)?;

        let mut config = self.config.clone();
        let asked = Arc::new(Asked::new(config.client_auth_cert_resolver.clone()));
        config.client_auth_cert_resolver = asked.clone();
        let failed = |error: io::Error| {
            let at =
                Handshake { name: &name.to_str(), asked: asked.was_asked(), has_identity: self.has_identity };
            TlsError::of_handshake(error, at).into_io()
        };
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name.clone(), stream).await.map_err(failed)?;
        if asked.was_asked() {
            await_verdict(&mut stream).await.map_err(failed)?;
        }
        Ok(Box::new(stream))
    }
}

impl Transport for TlsTransport {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(self.open(address))
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// The host of `host:port`, in the form that certificates name.
fn server_name(address: &str) -> Result<ServerName<'static>, TlsError> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::NoServerName { host: host.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_address_is_the_name_in_the_certificate() {
        for (address, name) in
            [("broker.example:10911", "broker.example"), ("10.0.0.1:9876", "10.0.0.1"), ("[::1]:9876", "::1")]
        {
            assert_eq!(server_name(address).unwrap().to_str(), name);
        }
        assert!(server_name("under score.example:1").is_err());
    }
}
