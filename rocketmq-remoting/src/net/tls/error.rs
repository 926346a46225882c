use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error as RustlsError};

/// Why TLS settings cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// A PEM text lacks the expected certificate or key.
    #[error("{from}: {reason}")]
    BadPem {
        /// The file's path, or a note that the text was given directly.
        from: String,
        /// The fault in the text.
        reason: String,
    },
    /// The system's store holds no usable certificate.
    #[error("the system trusts no certificate authority ({reason}): name the one to trust")]
    NoSystemRoots {
        /// The errors met while reading the store.
        reason: String,
    },
    /// The server name is neither a host name nor an IP address.
    #[error("\"{}\" is no server name: give a host name or an IP address, without a port", name.escape_debug())]
    BadServerName {
        /// The name.
        name: String,
    },
    /// The certificate and the key do not belong together, or their kind is not supported.
    #[error("the certificate and its key cannot be used: {reason}")]
    BadIdentity {
        /// The fault.
        reason: String,
    },
}

/// Why a TLS handshake failed. No RocketMQ frame was sent.
///
/// It is the inner error of the [`io::Error`] in [`DialError::Failed`](crate::net::DialError::Failed):
/// `error.get_ref()` and `downcast_ref::<TlsError>()` give it back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The dialled address has no host for which a certificate could be valid.
    #[error("\"{}\" is neither a host name nor an IP address: set the server name", host.escape_debug())]
    NoServerName {
        /// The host part of the address.
        host: String,
    },
    /// The peer's certificate is valid for other names than the dialled one.
    #[error("the peer's certificate is not for \"{name}\": dial a name that it has, or set the server name")]
    WrongName {
        /// The expected name.
        name: String,
        /// The check's error, which lists the names in the certificate.
        #[source]
        source: io::Error,
    },
    /// The peer's certificate was issued by no trusted authority.
    #[error("the peer's certificate was issued by an authority that is not trusted here: trust its CA")]
    UnknownAuthority {
        /// The check's error.
        #[source]
        source: io::Error,
    },
    /// The peer's certificate has expired, or is not valid yet.
    #[error("the peer's certificate is expired or not valid yet: renew it, or set this machine's clock")]
    OutOfDate {
        /// The check's error, with the time limits.
        #[source]
        source: io::Error,
    },
    /// The peer's certificate has another fault.
    #[error("the peer's certificate is not acceptable")]
    BadCertificate {
        /// The check's error.
        #[source]
        source: io::Error,
    },
    /// The peer demands a client certificate, and this side has none.
    #[error("the peer wants a client certificate: set one and its key")]
    ClientCertificateRequired {
        /// The peer's alert.
        #[source]
        source: io::Error,
    },
    /// The peer refuses the certificate of this side.
    #[error("the peer refuses the client certificate")]
    ClientCertificateRefused {
        /// The peer's alert.
        #[source]
        source: io::Error,
    },
    /// The peer's answer is not TLS.
    #[error("the peer does not speak TLS: it may be served in plain text")]
    NotTls {
        /// The error about the bytes received.
        #[source]
        source: io::Error,
    },
    /// The peer closed the connection during the handshake.
    #[error("the peer closed the connection during the TLS handshake: it may not speak TLS")]
    Closed {
        /// The socket's error.
        #[source]
        source: io::Error,
    },
    /// Any other failure: no common version or cipher, a faulty peer, a socket error.
    #[error("the TLS handshake failed")]
    Failed {
        /// The error.
        #[source]
        source: io::Error,
    },
}

/// The state of a client's handshake when it failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handshake<'a> {
    pub(super) name: &'a str,
    /// The peer asked for a certificate.
    pub(super) asked: bool,
    /// This side has a certificate.
    pub(super) has_identity: bool,
}

impl TlsError {
    pub(super) fn of_handshake(source: io::Error, at: Handshake<'_>) -> Self {
        let cause = source.get_ref().and_then(|inner| inner.downcast_ref::<RustlsError>());
        match cause {
            Some(RustlsError::InvalidCertificate(error)) => match error {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    TlsError::WrongName { name: at.name.to_owned(), source }
                }
                // `BadSignature`: an authority of the expected name signed with another key.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    TlsError::UnknownAuthority { source }
                }
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => TlsError::OutOfDate { source },
                _ => TlsError::BadCertificate { source },
            },
            Some(RustlsError::AlertReceived(alert)) if at.asked && is_about_certificates(*alert) => {
                if at.has_identity {
                    TlsError::ClientCertificateRefused { source }
                } else {
                    TlsError::ClientCertificateRequired { source }
                }
            }
            Some(RustlsError::InvalidMessage(_)) => TlsError::NotTls { source },
            None if is_end(&source) => TlsError::Closed { source },
            _ => TlsError::Failed { source },
        }
    }

    pub(super) fn into_io(self) -> io::Error {
        let kind = match &self {
            TlsError::NoServerName { .. } => io::ErrorKind::InvalidInput,
            TlsError::Closed { source } | TlsError::Failed { source } => source.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, self)
    }
}

/// Whether servers send this alert when they refuse a client's certificate, or when it is missing.
fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::NoCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::HandshakeFailure
    )
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}
