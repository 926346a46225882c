//! Certificates made at run time: no test needs a key in the repository.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::MockError;

/// A certificate authority for tests. Only clients that are given its certificate trust it.
///
/// ```
/// # fn main() -> Result<(), rocketmq_namesrv_mock::MockError> {
/// use rocketmq_namesrv_mock::MockAuthority;
///
/// let authority = MockAuthority::new("test authority")?;
/// let server = authority.issue(&["127.0.0.1", "localhost"])?;
/// assert!(server.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
/// # Ok(())
/// # }
/// ```
pub struct MockAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its private key, as PEM texts.
#[derive(Clone)]
#[non_exhaustive]
pub struct MockCertificate {
    /// The certificate.
    pub certificate_pem: String,
    /// Its key, PKCS#8, not encrypted.
    pub key_pem: String,
}

impl MockAuthority {
    /// A new authority of this name, with a key of its own.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(name: &str) -> Result<Self, MockError> {
        let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed)?;
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, key).map_err(failed)? })
    }

    /// The authority's own certificate, for clients and servers that shall trust it.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these host names and IP addresses, for servers and clients.
    ///
    /// # Errors
    /// A name cannot be in a certificate.
    pub fn issue(&self, names: &[&str]) -> Result<MockCertificate, MockError> {
        self.sign(params(names)?)
    }

    /// Like [`issue`](Self::issue), with a certificate that expired long ago.
    ///
    /// # Errors
    /// A name cannot be in a certificate.
    pub fn issue_expired(&self, names: &[&str]) -> Result<MockCertificate, MockError> {
        let mut params = params(names)?;
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Result<MockCertificate, MockError> {
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(MockCertificate { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

impl std::fmt::Debug for MockAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockAuthority").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for MockCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockCertificate").finish_non_exhaustive()
    }
}

fn params(names: &[&str]) -> Result<CertificateParams, MockError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "mock");
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn failed(error: rcgen::Error) -> MockError {
    MockError::Certificate { reason: error.to_string() }
}
