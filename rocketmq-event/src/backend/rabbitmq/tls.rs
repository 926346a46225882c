use std::net::Ipv4Addr;
use std::time::Duration;

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::backend::BackendError;

/// The first byte of a TLS connection: the type of the record with the client's hello.
const HANDSHAKE: u8 = 22;
const ADVICE: &str = "TLS to RabbitMQ is not built in: name `lapin` in the Cargo.toml of the program, of the version that this crate \
     uses, with the features \"rustls--ring\" and \"rustls-native-certs\"; or put a proxy that speaks TLS beside the service, and connect to \
     that by amqp://127.0.0.1";

/// Connects. For `amqps:` it trusts the certificates of the system, and these.
pub(super) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    trust: OwnedTLSConfig,
) -> lapin::Result<Connection> {
    Connection::connect_uri_with_config(uri, properties, trust, lapin::runtime::default_runtime()?).await
}

/// Refuses `amqps:` where the program has built the library without TLS: the library would then speak to the server in plain text, password
/// included. No feature of this crate tells, so it is tried, on a socket of this process.
pub(super) async fn check(trust: &OwnedTLSConfig) -> Result<(), BackendError> {
    let cannot =
        |error: std::io::Error| BackendError::with_source("cannot try whether TLS is built in", error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(cannot)?;
    let mut uri = AMQPUri { scheme: AMQPScheme::AMQPS, ..AMQPUri::default() };
    uri.authority.host = Ipv4Addr::LOCALHOST.to_string();
    uri.authority.port = listener.local_addr().map_err(cannot)?.port();
    let first_byte = async {
        let (mut client, _) = listener.accept().await.map_err(cannot)?;
        client.read_u8().await.map_err(cannot)
    };
    let connecting = connect(uri, ConnectionProperties::default(), trust.clone());
    let first = tokio::select! {
        biased;
        first = timeout(Duration::from_secs(10), first_byte) => first,
        // The handshake cannot succeed here; why it fails, for example without certificates, says more than a byte.
        Err(error) = connecting => return Err(BackendError::with_source("TLS to RabbitMQ cannot begin", error)),
    };
    match first {
        Ok(Ok(HANDSHAKE)) => Ok(()),
        Ok(Ok(_)) => Err(BackendError::new(ADVICE)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(BackendError::new("TLS to RabbitMQ did not begin for 10 s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bus;

    #[tokio::test]
    async fn without_tls_nothing_is_sent_to_the_server() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("amqps://user:secret@{}", server.local_addr().unwrap());
        let error = tokio::select! {
            connected = Bus::connect(&address) => connected.unwrap_err().to_string(),
            _ = server.accept() => panic!("the server was called"),
        };
        assert!(error.contains("rustls--ring") && !error.contains("secret"), "{error}");
    }
}
