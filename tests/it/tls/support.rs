use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketmq::error::with_causes;
use rocketmq_namesrv_mock::{MockAuthority, MockCertificate};
use rocketmq_remoting::client::{RemotingClient, RemotingError};
use rocketmq_remoting::net::tls::{TlsAcceptor, TlsConfig, TlsError, TlsServerConfig, TlsTransport};
use rocketmq_remoting::net::{ConnectionOptions, DialError, NoRequests, RequestHandler, Responder};
use rocketmq_remoting::protocol::{CommandRef, NoHeader, RemotingCommand, RequestCode, ResponseCode};
use rocketmq_remoting::server::RemotingServer;
use tokio::time::Instant;

/// Generous: the machine is shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Answers each request with its own body.
pub(crate) struct Echo;

impl RequestHandler for Echo {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        responder.answer_with(RemotingCommand::response(ResponseCode::SUCCESS).with_body(request.body));
    }
}

pub(crate) fn authority() -> MockAuthority {
    MockAuthority::new("authority").unwrap()
}

/// Settings of a server with this certificate.
pub(crate) fn serving(certificate: &MockCertificate) -> TlsServerConfig {
    TlsServerConfig::from_pem(certificate.certificate_pem.as_str(), certificate.key_pem.as_str())
}

/// Settings of a client that trusts this authority alone.
pub(crate) fn trusting(authority: &MockAuthority) -> TlsConfig {
    TlsConfig::new().with_ca_pem(authority.certificate_pem())
}

pub(crate) async fn server(config: &TlsServerConfig) -> RemotingServer {
    let acceptor = Arc::new(TlsAcceptor::new(config).unwrap());
    let options = ConnectionOptions::default();
    RemotingServer::bind_with(acceptor, "127.0.0.1:0", Arc::new(Echo), options).await.unwrap()
}

pub(crate) fn client(config: &TlsConfig) -> RemotingClient {
    client_with(config, PATIENCE)
}

pub(crate) fn client_with(config: &TlsConfig, connect_timeout: Duration) -> RemotingClient {
    let mut options = ConnectionOptions::default();
    options.connect_timeout = connect_timeout;
    options.try_lock_timeout = PATIENCE;
    let transport = Arc::new(TlsTransport::new(config).unwrap());
    RemotingClient::with_transport(transport, options, Arc::new(NoRequests)).unwrap()
}

/// Asks for an echo.
pub(crate) async fn echo(
    client: &RemotingClient,
    address: &str,
    body: impl Into<Bytes>,
) -> Result<Bytes, RemotingError> {
    let (body, deadline) = (body.into(), Instant::now() + PATIENCE);
    let answer = client
        .invoke(address, &CommandRef::request(RequestCode::HEART_BEAT, &NoHeader).with_body(&body), deadline)
        .await?;
    Ok(answer.body)
}

pub(crate) async fn assert_echo(config: &TlsConfig, address: &str) {
    assert_eq!(echo(&client(config), address, "hello").await.unwrap(), "hello");
}

/// The error of a dial with these settings, and its text with all causes.
pub(crate) async fn refusal(config: &TlsConfig, address: &str) -> (Arc<std::io::Error>, String) {
    match echo(&client(config), address, "never sent").await {
        Err(RemotingError::Connect(error @ DialError::Failed { .. })) => {
            let text = with_causes(&error);
            let DialError::Failed { source, .. } = error else { unreachable!() };
            (source, text)
        }
        other => panic!("expected a failed dial, found {other:?}"),
    }
}

pub(crate) fn tls_error(error: &std::io::Error) -> &TlsError {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("no TLS error: {error:?}"))
}
