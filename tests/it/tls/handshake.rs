//! Servers that a client trusts, and the errors about the others.

use std::time::Duration;

use rocketmq_namesrv_mock::MockAuthority;
use rocketmq_remoting::client::{RemotingClient, RemotingError};
use rocketmq_remoting::net::tls::{TlsConfig, TlsError};
use rocketmq_remoting::net::{ConnectionOptions, DialError, NoRequests};
use rocketmq_remoting::server::RemotingServer;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use super::support::*;

#[tokio::test]
async fn a_chain_to_a_trusted_authority_and_the_right_name_are_accepted() {
    let authority = authority();
    let server = server(&serving(&authority.issue(&["127.0.0.1", "localhost"]).unwrap())).await;
    let port = server.local_addr().port();
    assert_echo(&trusting(&authority), &format!("127.0.0.1:{port}")).await;
    assert_echo(&trusting(&authority), &format!("localhost:{port}")).await;
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_unless_its_name_is_expected() {
    let authority = authority();
    let server = server(&serving(&authority.issue(&["broker.example"]).unwrap())).await;
    let address = server.local_addr().to_string();
    let (error, text) = refusal(&trusting(&authority), &address).await;
    assert!(matches!(tls_error(&error), TlsError::WrongName { name, .. } if name == "127.0.0.1"), "{text}");
    assert!(text.contains("is not for \"127.0.0.1\"") && text.contains("broker.example"), "{text}");

    assert_echo(&trusting(&authority).with_server_name("broker.example"), &address).await;
    let (error, text) = refusal(&trusting(&authority).with_server_name("other.example"), &address).await;
    assert!(matches!(tls_error(&error), TlsError::WrongName { .. }), "{text}");
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_refused() {
    let server = server(&serving(&authority().issue(&["127.0.0.1"]).unwrap())).await;
    // The second authority has the right name and another key: a CA that was made anew.
    for stranger in [MockAuthority::new("stranger").unwrap(), authority()] {
        let (error, text) = refusal(&trusting(&stranger), &server.local_addr().to_string()).await;
        assert!(matches!(tls_error(&error), TlsError::UnknownAuthority { .. }), "{text}");
        assert!(text.contains("trust its CA"), "{text}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = authority();
    let server = server(&serving(&authority.issue_expired(&["127.0.0.1"]).unwrap())).await;
    let (error, text) = refusal(&trusting(&authority), &server.local_addr().to_string()).await;
    assert!(matches!(tls_error(&error), TlsError::OutOfDate { .. }), "{text}");
    assert!(text.contains("expired"), "{text}");
}

#[tokio::test]
async fn verification_ends_only_where_it_is_switched_off_in_so_many_words() {
    let server = server(&serving(&authority().issue_expired(&["other.example"]).unwrap())).await;
    assert_echo(&TlsConfig::new().dangerous_without_verification(), &server.local_addr().to_string()).await;
}

#[tokio::test]
async fn a_server_that_takes_tls_for_a_bad_frame_is_suspected_of_plain_text() {
    let server =
        RemotingServer::bind("127.0.0.1:0", Arc::new(Echo), ConnectionOptions::default()).await.unwrap();
    let (error, text) = refusal(&trusting(&authority()), &server.local_addr().to_string()).await;
    assert!(matches!(tls_error(&error), TlsError::Closed { .. }), "{text}");
    assert!(text.contains("it may not speak TLS"), "{text}");
}

#[tokio::test]
async fn a_server_that_answers_in_plain_text_is_told_from_one_that_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let trusting = trusting(&authority());
    let (refused, _) = tokio::join!(refusal(&trusting, &address), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    assert!(matches!(tls_error(&refused.0), TlsError::NotTls { .. }), "{}", refused.1);
    assert!(refused.1.contains("does not speak TLS"), "{}", refused.1);
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_with_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let client = client_with(&trusting(&authority()), Duration::from_millis(150));
    let began = Instant::now();
    let outcome = tokio::join!(echo(&client, &address, "never sent"), listener.accept()).0;
    let error = outcome.unwrap_err();
    assert!(matches!(error, RemotingError::Connect(DialError::TimedOut { .. })), "{error:?}");
    assert!(error.is_unsent());
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_enforcing_server_closes_on_plain_text_at_once_and_a_permissive_one_serves_it() {
    let authority = authority();
    let certificate = authority.issue(&["127.0.0.1"]).unwrap();
    let plain = RemotingClient::new(ConnectionOptions::default(), Arc::new(NoRequests)).unwrap();

    let enforcing = server(&serving(&certificate)).await;
    let error = echo(&plain, &enforcing.local_addr().to_string(), "in the clear").await.unwrap_err();
    assert!(matches!(error, RemotingError::Call { .. }), "{error:?}");

    let permissive = server(&serving(&certificate).permissive()).await;
    let address = permissive.local_addr().to_string();
    assert_eq!(echo(&plain, &address, "in the clear").await.unwrap(), "in the clear");
    assert_echo(&trusting(&authority), &address).await;
}

#[tokio::test]
async fn a_client_that_never_begins_holds_up_nobody_and_is_turned_away() {
    let authority = authority();
    let config = serving(&authority.issue(&["127.0.0.1"]).unwrap());
    let acceptor = Arc::new(rocketmq_remoting::net::tls::TlsAcceptor::new(&config).unwrap());
    let mut options = ConnectionOptions::default();
    options.connect_timeout = Duration::from_millis(300);
    let server = RemotingServer::bind_with(acceptor, "127.0.0.1:0", Arc::new(Echo), options).await.unwrap();
    let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
    assert_echo(&trusting(&authority), &server.local_addr().to_string()).await;
    let closed = timeout(PATIENCE, silent.read(&mut [0; 1])).await.expect("it is turned away");
    assert!(matches!(closed, Ok(0) | Err(_)));
}
