use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::TlsConfigError;

/// A source of PEM text. A file is read when the configuration is used, not when it is made.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum PemSource {
    File(PathBuf),
    /// Text given by the caller. It may hold a private key, so it is wiped from memory when dropped.
    Given(Arc<Zeroizing<Vec<u8>>>),
}

impl PemSource {
    pub(super) fn file(path: impl AsRef<Path>) -> Self {
        PemSource::File(path.as_ref().to_owned())
    }

    pub(super) fn given(pem: impl Into<Vec<u8>>) -> Self {
        PemSource::Given(Arc::new(Zeroizing::new(pem.into())))
    }

    /// All certificates in the text, at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
        let pem = self.read()?;
        let certificates: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.map_err(|error| self.malformed("certificates", &error))?;
        if certificates.is_empty() {
            return Err(self.bad("no certificate is in it (\"-----BEGIN CERTIFICATE-----\")".to_owned()));
        }
        Ok(certificates)
    }

    /// The first private key in the text.
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| match error {
            PemError::NoItemsFound => self.bad(
                "no private key is in it (PKCS#8, PKCS#1 or SEC1; decrypt an encrypted one first)".to_owned(),
            ),
            other => self.malformed("a private key", &other),
        })
    }

    /// Adds all certificates in the text to `roots`.
    pub(super) fn add_roots(&self, roots: &mut RootCertStore) -> Result<(), TlsConfigError> {
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.bad(format!("it cannot be trusted: {error}")))?;
        }
        Ok(())
    }

    fn read(&self) -> Result<Arc<Zeroizing<Vec<u8>>>, TlsConfigError> {
        match self {
            PemSource::Given(pem) => Ok(pem.clone()),
            PemSource::File(path) => match std::fs::read(path) {
                Ok(pem) => Ok(Arc::new(Zeroizing::new(pem))),
                Err(source) => Err(TlsConfigError::Read { path: path.clone(), source: Arc::new(source) }),
            },
        }
    }

    fn malformed(&self, what: &str, error: &PemError) -> TlsConfigError {
        // Other kinds of this error quote the text, which may be a key: do not print them.
        let reason = match error {
            PemError::Base64Decode(_) => "its base64 is broken",
            PemError::MissingSectionEnd { .. } => "an \"-----END\" line is missing",
            _ => "it is no PEM text",
        };
        self.bad(format!("cannot read {what}: {reason}"))
    }

    fn bad(&self, reason: String) -> TlsConfigError {
        TlsConfigError::BadPem { from: self.to_string(), reason }
    }
}

impl fmt::Display for PemSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PemSource::File(path) => path.display().fmt(f),
            PemSource::Given(_) => f.write_str("the given PEM text"),
        }
    }
}

impl fmt::Debug for PemSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A certificate chain, own certificate first, and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) chain: PemSource,
    pub(super) key: PemSource,
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Identity {
    pub(super) fn read(&self) -> Result<ChainAndKey, TlsConfigError> {
        Ok((self.chain.certificates()?, self.key.private_key()?))
    }
}
