//! Routes that change while a producer sends.

use std::collections::BTreeSet;

use rocketmq::error::MQClientError;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use rocketmq_remoting::protocol::RequestCode;

use super::site::{producer, until};
use crate::peer::{Act, NameServer, Peer};

/// Two brokers that store everything, at these addresses.
async fn brokers() -> ([String; 2], [Peer; 2]) {
    let brokers = [Peer::broker(|_| Act::Store).await, Peer::broker(|_| Act::Store).await];
    (brokers.each_ref().map(Peer::address), brokers)
}

async fn polling(name_server: &NameServer) -> Producer {
    producer(name_server, |option| {
        option.set_poll_name_server_interval(100).set_retry_times_when_send_failed(0);
    })
    .await
}

/// Sends a round and returns the queues that got it, each written `broker:id`.
async fn queues(producer: &Producer) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for _ in 0..8 {
        let sent = producer.send(Message::new("T", "x")).await.unwrap();
        used.insert(format!("{}:{}", sent.message_queue.broker_name(), sent.message_queue.queue_id()));
    }
    used
}

fn set(queues: &[&str]) -> BTreeSet<String> {
    queues.iter().map(|queue| (*queue).to_owned()).collect()
}

#[tokio::test]
async fn queues_that_come_and_go_are_used_and_left() {
    let ([a, b], _brokers) = brokers().await;
    let name_server = NameServer::of_broker(&a).await;
    let producer = polling(&name_server).await;
    assert_eq!(queues(&producer).await, set(&["broker-a:0"]));
    name_server.set_route(&[("broker-a", 0, &a, 2, 6), ("broker-b", 0, &b, 1, 6)]);
    let grown = set(&["broker-a:0", "broker-a:1", "broker-b:0"]);
    until("the new queues are used", async || queues(&producer).await == grown).await;
    name_server.set_route(&[("broker-b", 0, &b, 1, 6)]);
    until("the old ones are left", async || queues(&producer).await == set(&["broker-b:0"])).await;
}

#[tokio::test]
async fn a_broker_that_is_only_read_or_has_no_master_gets_nothing() {
    let ([a, b], _brokers) = brokers().await;
    let both = [("broker-a", 0, &*a, 1, 6), ("broker-b", 0, &*b, 1, 6)];
    let name_server = NameServer::start(&both).await;
    let producer = polling(&name_server).await;
    let all = set(&["broker-a:0", "broker-b:0"]);
    assert_eq!(queues(&producer).await, all);
    for without_b in [("broker-b", 0, &*b, 1, 4), ("broker-b", 1, &*b, 1, 6)] {
        name_server.set_route(&[both[0], without_b]);
        until("it gets nothing", async || queues(&producer).await == set(&["broker-a:0"])).await;
        name_server.set_route(&both);
        until("it is back", async || queues(&producer).await == all).await;
    }
}

#[tokio::test]
async fn a_new_master_takes_over_when_the_old_one_refuses() {
    let old = Peer::broker(|_| Act::Answer(14)).await;
    let new = Peer::broker(|_| Act::Store).await;
    let name_server = NameServer::of_broker(&old.address()).await;
    // The regular look-up would come too late: the refusal starts a look-up.
    let producer = producer(&name_server, |option| {
        option.set_poll_name_server_interval(60_000);
    })
    .await;
    let error = producer.send(Message::new("T", "x")).await.unwrap_err();
    assert!(matches!(error, MQClientError::ServiceNotAvailable { .. }), "{error}");
    name_server.set_route(&[("broker-a", 0, &new.address(), 1, 6)]);
    let sent = async || producer.send(Message::new("T", "x")).await.is_ok();
    until("sends reach the new master", sent).await;
    assert!(!old.sends().is_empty());
    assert_eq!(new.sends().len(), 1);
}

#[tokio::test]
async fn a_route_without_a_queue_is_an_error_until_one_comes() {
    let ([a, _], _brokers) = brokers().await;
    let name_server = NameServer::of_broker(&a).await;
    let producer = polling(&name_server).await;
    queues(&producer).await;
    name_server.set_route(&[("broker-a", 0, &a, 1, 4)]);
    let refused = async || match producer.send(Message::new("T", "x")).await {
        Err(MQClientError::BrokerNotFound { hint, .. }) => hint.contains("no writable queue"),
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    };
    until("the route without queues is known", refused).await;
    name_server.set_route(&[("broker-a", 0, &a, 1, 6)]);
    producer.send(Message::new("T", "x")).await.unwrap();
}

#[tokio::test]
async fn a_name_server_that_is_gone_stops_no_send() {
    let ([a, _], _brokers) = brokers().await;
    let name_server = NameServer::of_broker(&a).await;
    let producer = polling(&name_server).await;
    queues(&producer).await;
    assert!(name_server.peer.server.shutdown(std::time::Duration::from_secs(3)).await);
    drop(name_server);
    let until_looked = std::time::Instant::now() + std::time::Duration::from_millis(300);
    until("routes were looked for in vain", async || {
        queues(&producer).await;
        std::time::Instant::now() > until_looked
    })
    .await;
    let unknown = producer.send(Message::new("Unknown", "x")).await.unwrap_err();
    assert!(matches!(unknown, MQClientError::NameServerUnreachable { .. }), "{unknown}");
}

#[tokio::test]
async fn a_name_server_that_ends_the_connection_is_asked_again() {
    let cluster = MockCluster::start().await.unwrap();
    let producer = Producer::builder("looking").name_server_addr(cluster.name_server_addr()).start();
    let producer = producer.await.unwrap();
    for action in [FaultAction::Close, FaultAction::Reset, FaultAction::CutAnswer { at: 10, reset: false }] {
        let look_up = RequestCode::GET_ROUTEINFO_BY_TOPIC;
        let topic = format!("After{}", cluster.requests().len());
        cluster.inject(Fault::on(look_up, action).topic(&topic).times(1));
        producer.send(Message::new(topic, "x")).await.unwrap();
    }
}
