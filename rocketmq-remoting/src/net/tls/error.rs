use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error as RustlsError};

/// Why settings of TLS cannot be used.
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
    /// A PEM text does not hold what it should.
    #[error("{from}: {reason}")]
    BadPem {
        /// The file, or that the text was given.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system has no certificates to trust.
    #[error("the system trusts no certificate authority ({reason}): name the one to trust")]
    NoSystemRoots {
        /// What was found instead.
        reason: String,
    },
    /// The server name is neither a host name nor an IP address.
    #[error("\"{}\" is no server name: give a host name or an IP address, without a port", name.escape_debug())]
    BadServerName {
        /// The name.
        name: String,
    },
    /// The certificate and the key do not go together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {reason}")]
    BadIdentity {
        /// What is wrong with them.
        reason: String,
    },
}

/// Why a TLS handshake failed. Nothing of the protocol above it was sent.
///
/// It is the inner error of the [`io::Error`] in [`DialError::Failed`](crate::net::DialError::Failed):
/// `error.get_ref()` and `downcast_ref::<TlsError>()` give it back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The address that was dialled has no host that a certificate could be for.
    #[error("\"{}\" is neither a host name nor an IP address: set the server name", host.escape_debug())]
    NoServerName {
        /// The host of the address.
        host: String,
    },
    /// The peer's certificate is for other names than the one that was dialled.
    #[error("the peer's certificate is not for \"{name}\": dial a name that it has, or set the server name")]
    WrongName {
        /// The name that it should have.
        name: String,
        /// Which names it has.
        #[source]
        source: io::Error,
    },
    /// No authority that is trusted issued the peer's certificate.
    #[error("the peer's certificate was issued by an authority that is not trusted here: trust its CA")]
    UnknownAuthority {
        /// What the check said.
        #[source]
        source: io::Error,
    },
    /// The peer's certificate is no longer valid, or not yet.
    #[error("the peer's certificate is expired or not valid yet: renew it, or set this machine's clock")]
    OutOfDate {
        /// Since when, or until when.
        #[source]
        source: io::Error,
    },
    /// The peer's certificate has another fault.
    #[error("the peer's certificate is not acceptable")]
    BadCertificate {
        /// What the check said.
        #[source]
        source: io::Error,
    },
    /// The peer wants a certificate from this side, which has none.
    #[error("the peer wants a client certificate: set one and its key")]
    ClientCertificateRequired {
        /// What the peer said.
        #[source]
        source: io::Error,
    },
    /// The peer does not accept the certificate of this side.
    #[error("the peer refuses the client certificate")]
    ClientCertificateRefused {
        /// What the peer said.
        #[source]
        source: io::Error,
    },
    /// The peer answered with something else than TLS.
    #[error("the peer does not speak TLS: it may be served in plain text")]
    NotTls {
        /// What was received.
        #[source]
        source: io::Error,
    },
    /// The peer closed the connection.
    #[error("the peer closed the connection during the TLS handshake: it may not speak TLS")]
    Closed {
        /// What the socket said.
        #[source]
        source: io::Error,
    },
    /// Anything else: no common version or cipher, a broken peer, a socket that failed.
    #[error("the TLS handshake failed")]
    Failed {
        /// What happened.
        #[source]
        source: io::Error,
    },
}

/// How far a client's handshake had come when it failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handshake<'a> {
    pub(super) name: &'a str,
    /// The peer asked for a certificate.
    pub(super) asked: bool,
    /// This side has one.
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
                // The second: signed by one of the same name with another key.
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

/// What servers send when they find fault with a client's certificate, or with there being none.
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
