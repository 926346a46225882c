//! Servers that want to know who the client is.

use rocketmq_namesrv_mock::MockAuthority;
use rocketmq_remoting::net::tls::{TlsConfig, TlsError, TlsServerConfig};

use super::support::*;

/// A server that lets in whom this authority vouches for.
fn demanding(authority: &MockAuthority) -> TlsServerConfig {
    serving(&authority.issue(&["127.0.0.1"]).unwrap()).with_client_ca_pem(authority.certificate_pem())
}

fn known_by(config: TlsConfig, issuer: &MockAuthority) -> TlsConfig {
    let identity = issuer.issue(&["client.example"]).unwrap();
    config.with_identity_pem(identity.certificate_pem, identity.key_pem)
}

#[tokio::test]
async fn a_client_with_a_certificate_is_let_in() {
    let authority = authority();
    let server = server(&demanding(&authority)).await;
    assert_echo(&known_by(trusting(&authority), &authority), &server.local_addr().to_string()).await;
}

#[tokio::test]
async fn a_client_without_one_learns_it_from_the_dial_before_anything_is_sent() {
    let authority = authority();
    let server = server(&demanding(&authority)).await;
    let (error, text) = refusal(&trusting(&authority), &server.local_addr().to_string()).await;
    assert!(matches!(tls_error(&error), TlsError::ClientCertificateRequired { .. }), "{text}");
    assert!(text.contains("wants a client certificate"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let authority = authority();
    let server = server(&demanding(&authority)).await;
    let stranger = known_by(trusting(&authority), &MockAuthority::new("stranger").unwrap());
    let (error, text) = refusal(&stranger, &server.local_addr().to_string()).await;
    assert!(matches!(tls_error(&error), TlsError::ClientCertificateRefused { .. }), "{text}");
}

#[tokio::test]
async fn a_certificate_that_nobody_asked_for_is_not_shown_and_does_no_harm() {
    let authority = authority();
    let server = server(&serving(&authority.issue(&["127.0.0.1"]).unwrap())).await;
    assert_echo(&known_by(trusting(&authority), &authority), &server.local_addr().to_string()).await;
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_an_error_of_the_settings() {
    let authority = authority();
    let (one, other) = (authority.issue(&["a.example"]).unwrap(), authority.issue(&["b.example"]).unwrap());
    let config = trusting(&authority).with_identity_pem(one.certificate_pem, other.key_pem);
    let error = rocketmq_remoting::net::tls::TlsTransport::new(&config).unwrap_err();
    assert!(error.to_string().contains("the certificate and its key cannot be used"), "{error}");
}
