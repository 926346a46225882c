//! Waits until a server has judged the client's certificate, before the first request is sent.

use std::future::poll_fn;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// The longest wait for the server's verdict. Servers that accept a certificate usually send a session ticket at once;
/// with a server that sends none, each dial takes this much longer.
const VERDICT_WITHIN: Duration = Duration::from_millis(300);

/// Records whether the server asked for a certificate: rustls has no call for it. Each handshake has its own.
#[derive(Debug)]
pub(super) struct Asked {
    certificates: Arc<dyn ResolvesClientCert>,
    asked: AtomicBool,
}

impl Asked {
    pub(super) fn new(certificates: Arc<dyn ResolvesClientCert>) -> Self {
        Self { certificates, asked: AtomicBool::new(false) }
    }

    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.certificates.resolve(issuers, schemes)
    }

    fn has_certs(&self) -> bool {
        self.certificates.has_certs()
    }
}

/// Waits for the server's verdict. In TLS 1.3 the client's handshake ends before the server has looked at the client's
/// certificate: without this wait, a refusal would hit the first request, and its outcome would be unknown.
pub(super) async fn await_verdict(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    if stream.get_ref().1.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    let verdict = poll_fn(|cx| {
        let (tcp, session) = stream.get_mut();
        loop {
            if session.tls13_tickets_received() > 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(tcp.poll_read_ready(cx))?;
            match session.read_tls(&mut Available(tcp)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Poll::Ready(Err(error)),
            }
            let state = session.process_new_packets().map_err(io::Error::other)?;
            if state.peer_has_closed() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if state.plaintext_bytes_to_read() > 0 {
                // The server sent data, so it has accepted the certificate.
                return Poll::Ready(Ok(()));
            }
        }
    });
    timeout(VERDICT_WITHIN, verdict).await.unwrap_or(Ok(()))
}

/// Reads the bytes that have arrived, without waiting.
struct Available<'a>(&'a TcpStream);

impl Read for Available<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}
