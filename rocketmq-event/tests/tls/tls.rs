//! TLS to RabbitMQ and Kafka, whose certificates come from an authority that is made here: with that authority an event goes to the
//! server and back; without it nothing connects.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "../servers/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the suite of servers needs more of it")]
mod support;

use std::time::Duration;

// Named for their features.
use lapin as _;
use rdkafka as _;
use rocketmq_event::backend::kafka::{KafkaBackend, KafkaSettings};
use rocketmq_event::backend::rabbitmq::{RabbitMqBackend, RabbitMqSettings};
use rocketmq_event::{Bus, Context, Event, EventType};
use rocketmq_namesrv_mock::{MockAuthority, MockCertificate};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use support::kafka::Kafka;
use support::rabbitmq::RabbitMq;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Greeting {
    text: String,
}

impl EventType for Greeting {
    const NAMES: &'static [&'static str] = &["greeting"];
}

/// The certificate of an authority of its own, and one that it issued for this machine.
fn certificates() -> (String, MockCertificate) {
    let authority = MockAuthority::new("an authority of this test").unwrap();
    (authority.certificate_pem(), authority.issue(&["127.0.0.1", "localhost"]).unwrap())
}

async fn there_and_back(bus: Bus) {
    let (tell, mut heard) = mpsc::channel(1);
    let handler = move |event: Event<Greeting>, _: Context| {
        let tell = tell.clone();
        async move { Ok(tell.send(event.data).await?) }
    };
    let listener = bus.consumer("greetings", "listener").on(handler).start().await.unwrap();
    let greeting = || Greeting { text: "hello".to_owned() };
    bus.producer("greetings").await.unwrap().send(&greeting()).await.unwrap();
    let heard = timeout(Duration::from_secs(60), heard.recv()).await.expect("no event came for a minute");
    assert_eq!(heard, Some(greeting()));
    listener.shutdown(Duration::from_secs(10)).await.unwrap();
    bus.close().await.unwrap();
}

/// An error and its causes.
fn text(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[tokio::test]
async fn rabbitmq() {
    let (authority, server) = certificates();
    let server = spawn_blocking(move || RabbitMq::start_with_tls(&server.certificate_pem, &server.key_pem));
    let server = server.await.unwrap();
    let address = format!("amqps://guest:guest@127.0.0.1:{}", server.tls_port().unwrap());
    let mut settings = RabbitMqSettings::new(&*address);
    settings.root_certificates = Some(authority);
    there_and_back(Bus::new(RabbitMqBackend::connect(settings.clone()).await.unwrap())).await;

    let stranger = text(&Bus::connect(&address).await.unwrap_err());
    assert!(stranger.contains("certificate"), "{stranger}");
    settings.root_certificates = Some(certificates().0);
    let other = text(&RabbitMqBackend::connect(settings).await.unwrap_err());
    assert!(other.contains("certificate"), "{other}");
}

#[tokio::test]
async fn kafka() {
    let (authority, server) = certificates();
    let server = spawn_blocking(move || Kafka::start_with_tls(&server.certificate_pem, &server.key_pem));
    let server = server.await.unwrap();
    let connect = |authority: String| {
        let mut settings = KafkaSettings::new(format!("127.0.0.1:{}", server.tls_port().unwrap()));
        let properties = [("security.protocol", "ssl".to_owned()), ("ssl.ca.pem", authority)];
        settings.properties = properties.map(|(name, value)| (name.to_owned(), value)).into();
        KafkaBackend::connect(settings)
    };
    there_and_back(Bus::new(connect(authority).await.unwrap())).await;
    // librdkafka tells of the certificate in its log alone.
    connect(certificates().0).await.unwrap_err();
}
