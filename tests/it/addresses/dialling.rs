//! Addresses that a client dials: advertised by a broker, translated or not, in every form.

use rocketmq::admin::MQAdmin;
use rocketmq::conf::{AddressTranslator, ProducerOption};
use rocketmq::error::with_causes;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;
use tokio::net::TcpListener;

async fn producer(name_server: &str, translator: Option<AddressTranslator>) -> Producer {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(name_server).set_group_name("dialling");
    option.set_send_msg_timeout(500).set_retry_times_when_send_failed(0);
    if let Some(translator) = translator {
        option.set_address_translator(translator);
    }
    let producer = Producer::new(option);
    producer.start().await.unwrap();
    producer
}

/// An address without a listener.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_broker_behind_a_tunnel_is_reached_through_the_translated_address() {
    let cluster = MockCluster::start().await.unwrap();
    let advertised = cluster.broker_addr("broker-a").unwrap();
    // `localhost` stands for the tunnel's name: names are resolved at the dial.
    let tunnel = format!("localhost:{}", advertised.port());
    let translator = AddressTranslator::new(move |asked| {
        assert_eq!(asked, advertised.to_string());
        Some(tunnel.clone())
    });
    let producer = producer(&cluster.name_server_addr(), Some(translator)).await;
    producer.send(Message::new("TopicTest", "x")).await.unwrap();
    assert_eq!(cluster.message_count("TopicTest"), 1);
}

#[tokio::test]
async fn a_failed_dial_names_the_advertised_address_and_who_said_so() {
    let cluster = MockCluster::start().await.unwrap();
    let advertised = cluster.broker_addr("broker-a").unwrap().to_string();
    let (name_server, down) = (cluster.name_server_addr(), nobody().await);
    let translator = AddressTranslator::new({
        let down = down.clone();
        move |_| Some(down.clone())
    });
    let producer = producer(&name_server, Some(translator)).await;
    let error = producer.send(Message::new("TopicTest", "x")).await.unwrap_err();
    let text = with_causes(&error);
    let dialled = format!("no answer from broker broker-a: cannot connect to {down}: ");
    let origin = format!(
        "; NameServer {name_server} says that it is at {advertised}, which the address translator made {down} (send"
    );
    assert!(text.starts_with(&dialled) && text.contains(&origin), "{text}");
    let attempt = &error.attempts()[0];
    assert_eq!(
        [&*attempt.address, &*attempt.advertised, &*attempt.name_server],
        [&*down, &*advertised, &*name_server]
    );
}

#[tokio::test]
async fn without_a_translator_the_address_is_named_once() {
    let cluster = MockCluster::start().await.unwrap();
    let advertised = cluster.broker_addr("broker-a").unwrap().to_string();
    let name_server = cluster.name_server_addr();
    let producer = producer(&name_server, None).await;
    producer.fetch_publish_message_queues("TopicTest").await.unwrap();
    cluster.shutdown().await;
    let error = producer.send(Message::new("TopicTest", "x")).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("no answer from broker broker-a: cannot connect to {advertised}: ")),
        "{text}"
    );
    assert!(
        text.contains(&format!("; NameServer {name_server} says that it is at {advertised} (send")),
        "{text}"
    );
}

#[tokio::test]
async fn ipv6_addresses_are_dialled_with_and_without_brackets() {
    let cluster = MockCluster::builder().ipv6(true).start().await.unwrap();
    let name_server = cluster.name_server_addr();
    assert!(name_server.starts_with("[::1]:"), "{name_server}");
    let broker = cluster.broker_addr("broker-a").unwrap();
    let bare = format!("::1:{}", broker.port());
    let plain = producer(&name_server, None).await;
    let sent = plain.send(Message::new("TopicTest", "as it is advertised")).await.unwrap();
    let in_brackets = AddressTranslator::new(move |advertised| {
        assert_eq!(advertised, bare, "Apache's brokers put no brackets around their address");
        Some(broker.to_string())
    });
    let bracketed = producer(&name_server, Some(in_brackets)).await;
    bracketed.send(Message::new("TopicTest", "in brackets")).await.unwrap();
    // An id with an IPv6 address leads back to its broker.
    let admin = MQAdmin::connect(name_server).await.unwrap();
    let message = admin.view_message(&sent.offset_msg_id).await.unwrap();
    assert_eq!(message.body(), "as it is advertised");
}
