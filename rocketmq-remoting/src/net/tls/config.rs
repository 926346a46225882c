use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::pem::{Identity, PemSource};
use super::unverified::Unverified;
use super::{TlsConfigError, provider};

/// TLS settings of a client. Java: `TlsHelper`, `TlsSystemConfig`.
///
/// By default the client verifies the peer: its certificate must lead to an authority that the system trusts and be
/// valid for the dialled host name or IP address. (Java's client verifies neither by default.) TLS 1.2 and 1.3. Files
/// are read once, when a client is made with these settings.
///
/// ```
/// use rocketmq_remoting::net::tls::TlsConfig;
///
/// let tls = TlsConfig::new()
///     .with_ca_file("ca.pem")
///     .with_identity_files("client.pem", "client.key")
///     .with_server_name("broker.example");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "settings do nothing by themselves"]
pub struct TlsConfig {
    roots: Vec<PemSource>,
    identity: Option<Identity>,
    server_name: Option<String>,
    verify: bool,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self { roots: Vec::new(), identity: None, server_name: None, verify: true }
    }
}

impl TlsConfig {
    /// Settings that trust the certificate authorities of the system.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates in this PEM file instead of the system's authorities. Call it again to add more.
    /// Java: `tls.client.trustCertPath`.
    pub fn with_ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.roots.push(PemSource::file(path));
        self
    }

    /// Like [`with_ca_file`](Self::with_ca_file), with the PEM text itself.
    pub fn with_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(PemSource::given(pem));
        self
    }

    /// Shows this certificate to peers that ask for one. `certificate` is a PEM file: the client's certificate, then
    /// the certificates between it and the root. `key` is the PEM file of its private key, unencrypted. Java:
    /// `tls.client.certPath`, `tls.client.keyPath`.
    pub fn with_identity_files(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.identity = Some(Identity { chain: PemSource::file(certificate), key: PemSource::file(key) });
        self
    }

    /// Like [`with_identity_files`](Self::with_identity_files), with the PEM texts themselves. The key is wiped from
    /// memory with the last copy of these settings.
    pub fn with_identity_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(Identity { chain: PemSource::given(certificate), key: PemSource::given(key) });
        self
    }

    /// Expects this name in the certificates of all peers instead of the dialled host. Use it for brokers that
    /// advertise addresses which their certificates do not contain.
    pub fn with_server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Accepts any certificate of any peer. For tests only: anyone on the network path can read and change all traffic.
    pub fn dangerous_without_verification(mut self) -> Self {
        self.verify = false;
        self
    }

    pub(super) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// The name that all peers must have, if one is set.
    pub(super) fn fixed_name(&self) -> Result<Option<ServerName<'static>>, TlsConfigError> {
        let Some(name) = &self.server_name else { return Ok(None) };
        let bad = |_| TlsConfigError::BadServerName { name: name.clone() };
        ServerName::try_from(name.clone()).map(Some).map_err(bad)
    }

    pub(super) fn client_config(&self) -> Result<ClientConfig, TlsConfigError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(bad_identity)?;
        let builder = if self.verify {
            builder.with_root_certificates(self.root_store()?)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified::new(provider)))
        };
        let mut config = match &self.identity {
            Some(identity) => {
                let (chain, key) = identity.read()?;
                builder.with_client_auth_cert(chain, key).map_err(bad_identity)?
            }
            None => builder.with_no_client_auth(),
        };
        // Connections live long: resuming saves little, and without it each connection verifies its peer.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn root_store(&self) -> Result<RootCertStore, TlsConfigError> {
        let mut roots = RootCertStore::empty();
        for source in &self.roots {
            source.add_roots(&mut roots)?;
        }
        if self.roots.is_empty() {
            let found = rustls_native_certs::load_native_certs();
            // System stores often hold certificates that cannot be parsed: skip them.
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
                let reason = if errors.is_empty() { "none found".to_owned() } else { errors.join(", ") };
                return Err(TlsConfigError::NoSystemRoots { reason });
            }
        }
        Ok(roots)
    }
}

pub(super) fn bad_identity(error: rustls::Error) -> TlsConfigError {
    TlsConfigError::BadIdentity { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LXNlY3JldA==\n-----END PRIVATE KEY-----\n";

    fn reason(config: &TlsConfig) -> String {
        config.client_config().unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_with_a_file_or_text_is_said() {
        let missing = TlsConfig::new().with_ca_file("/no/such/ca.pem");
        assert_eq!(reason(&missing), "cannot read /no/such/ca.pem");
        let key_as_ca = TlsConfig::new().with_ca_pem(KEY);
        assert!(reason(&key_as_ca).contains("no certificate is in it"), "{}", reason(&key_as_ca));
        let text =
            TlsConfig::new().with_ca_pem("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
        assert!(reason(&text).contains("its base64 is broken"), "{}", reason(&text));
        let cut = TlsConfig::new().with_ca_pem("-----BEGIN CERTIFICATE-----\nAAAA\n");
        assert!(reason(&cut).contains("\"-----END\" line is missing"), "{}", reason(&cut));
        let no_key = TlsConfig::new().dangerous_without_verification().with_identity_pem(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        assert!(reason(&no_key).contains("decrypt an encrypted one first"), "{}", reason(&no_key));
    }

    #[test]
    fn a_server_name_is_a_name_or_an_address() {
        for good in ["broker.example", "10.0.0.1", "::1"] {
            assert!(TlsConfig::new().with_server_name(good).fixed_name().unwrap().is_some(), "{good}");
        }
        for bad in ["", "broker.example:10911", "[::1]", "a b"] {
            let error = TlsConfig::new().with_server_name(bad).fixed_name().unwrap_err();
            assert!(error.to_string().contains("is no server name"), "{error}");
        }
    }

    #[test]
    fn a_private_key_is_not_printed() {
        let config = TlsConfig::new().with_ca_pem(KEY).with_identity_pem(KEY, KEY);
        let texts = [format!("{config:?}"), format!("{config:#?}"), reason(&config)];
        assert!(
            texts.iter().all(|text| !text.contains("c2VjcmV0") && !text.contains("115, 101")),
            "{texts:?}"
        );
    }
}
