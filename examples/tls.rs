//! Sends a message and reads it back over TLS.
//!
//! With no argument it makes a certificate authority and starts a mock cluster that speaks TLS, in this process, and
//! shows the error of a client that trusts another authority. With `NAMESRV_ADDR` set it uses that cluster instead:
//! `TLS_CA` is the PEM file to trust instead of the system's certificates, `TLS_CERT` and `TLS_KEY` belong to a client
//! certificate, `TLS_SERVER_NAME` is the name in the servers' certificates.
//! `NAMESRV_ADDR=127.0.0.1:9876 TLS_CA=ca.pem cargo run --features tls --example tls`.

use std::env::var;
use std::error::Error;

use rocketmq::admin::MQAdmin;
use rocketmq::conf::{AdminOption, ProducerOption, TlsConfig};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{MockAuthority, MockCluster, TlsServerConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut option = ProducerOption::from_env()?;
    option.set_group_name("tls_producer");
    let Some(name_server) = option.name_server_addr().map(str::to_owned) else {
        return on_a_mock(option).await;
    };
    let mut tls = TlsConfig::new();
    if let Ok(ca) = var("TLS_CA") {
        tls = tls.with_ca_file(ca);
    }
    if let (Ok(certificate), Ok(key)) = (var("TLS_CERT"), var("TLS_KEY")) {
        tls = tls.with_identity_files(certificate, key);
    }
    if let Ok(name) = var("TLS_SERVER_NAME") {
        tls = tls.with_server_name(name);
    }
    option.set_tls(tls);
    send_and_read_back(&name_server, option).await
}

async fn on_a_mock(mut option: ProducerOption) -> Result<(), Box<dyn Error>> {
    let authority = MockAuthority::new("example authority")?;
    let server = authority.issue(&["127.0.0.1"])?;
    let serving = TlsServerConfig::from_pem(server.certificate_pem, server.key_pem);
    let cluster = MockCluster::builder().tls(serving).start().await?;
    let name_server = cluster.name_server_addr();
    option.set_name_server_addr(name_server.as_str());

    let stranger = MockAuthority::new("another authority")?;
    option.set_tls(TlsConfig::new().with_ca_pem(stranger.certificate_pem()));
    match Producer::new(option.clone()).start().await {
        Ok(()) => return Err("a client that trusts another authority was let through".into()),
        Err(error) => println!("a client that trusts another authority: {error}"),
    }
    option.set_tls(TlsConfig::new().with_ca_pem(authority.certificate_pem()));
    send_and_read_back(&name_server, option).await
}

async fn send_and_read_back(name_server: &str, option: ProducerOption) -> Result<(), Box<dyn Error>> {
    let mut admin_option = AdminOption::default();
    admin_option.set_name_server_addr(name_server);
    if let Some(tls) = option.tls() {
        admin_option.set_tls(tls.clone());
    }
    let producer = Producer::new(option);
    producer.start().await?;
    let sent = producer.send(Message::new("TopicTest", "for nobody else's eyes")).await?;
    println!("sent over TLS: {} to {}", sent.msg_id, sent.message_queue);

    let admin = MQAdmin::with_option(&admin_option).await?;
    let stored = admin.view_message(&sent.offset_msg_id).await?;
    assert_eq!(&stored.body()[..], b"for nobody else's eyes");
    println!("read back over TLS: {} bytes, the same as were sent", stored.body().len());
    producer.shutdown().await?;
    Ok(())
}
