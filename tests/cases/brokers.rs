//! Clusters of several brokers that come and go: masters `broker-a` and `broker-b`, and slaves that may be read, one of
//! them `broker-a-s1`. Each case leaves all of them running.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rocketmq::admin::{Brokers, TopicConfig};
use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::{Message, MessageQueue, SendStatus};
use rocketmq::selector::SelectMessageQueueByHash;
use rocketmq_common::PullSysFlag;
use rocketmq_common::record::RecordDecoder;
use rocketmq_remoting::client::{RemotingClient, RemotingError};
use rocketmq_remoting::net::{ConnectionOptions, NoRequests};
use rocketmq_remoting::protocol::header::{
    EndTransactionRequestHeader, PullMessageRequestHeader, SendMessageRequestHeader,
};
use rocketmq_remoting::protocol::{CommandRef, RequestHeader, ResponseCode};

use super::support::{Site, fresh_topic};
use crate::stage;

/// Apache's brokers tell each other and the NameServer every ten seconds, at best.
const NOTICED_WITHIN: Duration = Duration::from_secs(180);

/// Starts and stops the brokers of a cluster.
pub(crate) trait Operator {
    fn name_server_addr(&self) -> String;
    /// Masters and slaves.
    fn brokers(&self) -> Vec<&str>;
    fn addr_of(&self, broker: &str) -> String;
    async fn stop(&self, broker: &str);
    async fn start(&self, broker: &str);
}

/// A site whose producer looks for changed routes all the time.
async fn site<O: Operator>(operator: &O) -> Site {
    Site::with(&operator.name_server_addr(), |option| {
        option.set_poll_name_server_interval(200);
    })
    .await
}

/// Sends `count` messages, and counts them by broker and queue.
async fn send(site: &Site, topic: &str, count: usize) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for _ in 0..count {
        let sent = site.producer.send(Message::new(topic, "x")).await.expect("some master takes it");
        assert_eq!(sent.send_status, SendStatus::SendOk);
        let queue = sent.message_queue;
        *counts.entry(format!("{}:{}", queue.broker_name(), queue.queue_id())).or_default() += 1;
    }
    counts
}

/// Polls until `ask` returns true.
async fn until(what: &str, ask: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !ask().await {
        assert!(began.elapsed() < NOTICED_WITHIN, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn id_of(broker: &str) -> i64 {
    broker.split_once("-s").map_or(0, |(_, id)| id.parse().expect("a slave's number"))
}

/// The ids of the members that a route lists of `broker-a`.
async fn members(site: &Site, topic: &str) -> Vec<i64> {
    let route = site.admin.route(topic).await.expect("it has a route");
    let found = route.broker_datas.into_iter().find(|data| data.broker_name == "broker-a");
    found.map(|data| data.broker_addrs.into_keys().collect()).unwrap_or_default()
}

async fn until_queues_are(site: &Site, topic: &str, expected: &[&str]) {
    until("the new route", async || {
        let queues = site.producer.fetch_publish_message_queues(topic).await.unwrap_or_default();
        let names: Vec<_> =
            queues.iter().map(|queue| format!("{}:{}", queue.broker_name(), queue.queue_id())).collect();
        names == expected
    })
    .await;
}

/// One request to one server.
async fn ask<H: RequestHeader>(address: &str, header: &H) -> Result<(ResponseCode, Bytes), RemotingError> {
    let client =
        RemotingClient::new(ConnectionOptions::default(), Arc::new(NoRequests)).expect("within a runtime");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let answer = client.invoke(address, &CommandRef::request(header.code(), header), deadline).await?;
    Ok((answer.response_code(), answer.body))
}

fn pull(queue: &MessageQueue) -> PullMessageRequestHeader {
    PullMessageRequestHeader {
        consumer_group: "TOOLS_CONSUMER".into(),
        topic: queue.topic().into(),
        queue_id: queue.queue_id(),
        queue_offset: 0,
        max_msg_nums: 32,
        sys_flag: PullSysFlag::SUBSCRIPTION.bits(),
        subscription: Some("*".into()),
        expression_type: Some("TAG".into()),
        ..PullMessageRequestHeader::default()
    }
}

fn a_send(topic: &str) -> SendMessageRequestHeader {
    SendMessageRequestHeader {
        producer_group: "stubborn".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        ..SendMessageRequestHeader::default()
    }
}

#[tokio::test]
async fn routes_list_masters_and_slaves_and_sends_go_to_masters_in_turn() {
    let operator = &stage::masters_and_slaves().await;
    let site = site(operator).await;
    let topic = site.create("turns", 2).await;
    let route = site.admin.route(&topic).await.expect("it has a route");
    let listed: BTreeSet<_> = route.broker_datas.iter().flat_map(|data| &data.broker_addrs).collect();
    let expected: Vec<_> =
        operator.brokers().iter().map(|name| (id_of(name), operator.addr_of(name))).collect();
    assert_eq!(listed, expected.iter().map(|(id, address)| (id, address)).collect());
    assert!(route.broker_datas.iter().all(|data| !data.enable_acting_master));

    let counts = send(&site, &topic, 12).await;
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [3; 4], "each queue of each master in its turn");
    // A broker that another case has just started again may not answer yet.
    let figures = async || {
        let info = site.admin.broker_runtime_info(&Brokers::All).await.expect("figures");
        let masters = info.done.iter().filter(|(server, _)| server.is_master()).count();
        (masters, info.done.len()) == (2, expected.len())
    };
    until("the figures of all masters and slaves", figures).await;
}

#[tokio::test]
async fn a_slave_is_read_and_takes_no_sends() {
    let operator = &stage::masters_and_slaves().await;
    let site = site(operator).await;
    let topic = fresh_topic("replicated");
    let config = TopicConfig::new(topic.as_str(), 1);
    site.admin.create_topic(&config, &Brokers::named(["broker-a"])).await.expect("created");
    let (sent, stored) = site.round_trip(Message::new(topic.as_str(), "copied").with_keys("k")).await;
    let slave = operator.addr_of("broker-a-s1");
    until("the copy", async || {
        let Ok((ResponseCode::SUCCESS, body)) = ask(&slave, &pull(&sent.message_queue)).await else {
            return false;
        };
        let copy = RecordDecoder::new(body).next().expect("a record").expect("one that can be read");
        assert_eq!((copy.body(), copy.offset_msg_id()), (stored.body(), stored.offset_msg_id()));
        true
    })
    .await;

    let (code, _) = ask(&slave, &a_send(&topic)).await.expect("an answer");
    assert_eq!(code, ResponseCode::SYSTEM_BUSY);
    let (code, _) = ask(&slave, &EndTransactionRequestHeader::default()).await.expect("an answer");
    assert_eq!(code, ResponseCode::SLAVE_NOT_AVAILABLE);
}

#[tokio::test]
async fn a_master_that_stops_leaves_its_sends_to_the_other() {
    let operator = &stage::masters_and_slaves().await;
    let site = site(operator).await;
    let topic = site.create("moved", 2).await;
    let before = send(&site, &topic, 4).await;
    assert_eq!(before.len(), 4);

    operator.stop("broker-a").await;
    let meanwhile = send(&site, &topic, 8).await;
    assert!(meanwhile.keys().all(|queue| queue.starts_with("broker-b:")), "{meanwhile:?}");
    until("the route without the master", async || members(&site, &topic).await == [1]).await;
    until_queues_are(&site, &topic, &["broker-b:0", "broker-b:1"]).await;

    operator.start("broker-a").await;
    until_queues_are(&site, &topic, &["broker-a:0", "broker-a:1", "broker-b:0", "broker-b:1"]).await;
    assert_eq!(send(&site, &topic, 4).await, before, "all queues in turn again");
}

#[tokio::test]
async fn a_slave_alone_is_no_broker_to_send_to() {
    let operator = &stage::masters_and_slaves().await;
    let site = site(operator).await;
    let topic = fresh_topic("alone");
    let config = TopicConfig::new(topic.as_str(), 1);
    site.admin.create_topic(&config, &Brokers::named(["broker-a"])).await.expect("created");
    let (sent, stored) = site.round_trip(Message::new(topic.as_str(), "kept")).await;
    until("the copy", async || {
        let answer = ask(&operator.addr_of("broker-a-s1"), &pull(&sent.message_queue)).await;
        matches!(answer, Ok((ResponseCode::SUCCESS, _)))
    })
    .await;

    operator.stop("broker-a").await;
    until("the route without the master", async || members(&site, &topic).await == [1]).await;
    until_queues_are(&site, &topic, &[]).await;
    let error = site.producer.send(Message::new(topic.as_str(), "x")).await.expect_err("nobody takes it");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotStored);
    assert!(error.to_string().contains("no writable queue on a broker with a master"), "{error}");

    // The messages that the slave has can be read.
    assert_eq!(site.pull_one(&sent.message_queue, 0).await, stored);
    assert_eq!(site.admin.max_offset(&sent.message_queue).await.expect("an offset"), 1);
    let described = site.admin.describe_topic(&topic).await.expect("it can be described");
    assert!(described.done.iter().all(|(server, _)| !server.is_master()));
    let created = site.admin.create_topic(&config, &Brokers::named(["broker-a"])).await;
    assert!(created.expect_err("nobody creates it").to_string().contains("no master"));

    operator.start("broker-a").await;
    until_queues_are(&site, &topic, &["broker-a:0"]).await;
    assert_eq!(site.producer.send(Message::new(topic.as_str(), "x")).await.expect("sent").queue_offset, 1);
}

#[tokio::test]
async fn topics_grow_and_shrink() {
    let operator = &stage::masters_and_slaves().await;
    let site = site(operator).await;
    let topic = site.create("sizes", 1).await;
    assert_eq!(send(&site, &topic, 4).await.into_values().collect::<Vec<_>>(), [2, 2]);

    site.create_topic(&topic, 2).await;
    until_queues_are(&site, &topic, &["broker-a:0", "broker-a:1", "broker-b:0", "broker-b:1"]).await;
    assert_eq!(send(&site, &topic, 8).await.into_values().collect::<Vec<_>>(), [2; 4]);

    let only_b = TopicConfig::new(topic.as_str(), 1).with_perm(rocketmq::admin::PermName::READ);
    site.admin.create_topic(&only_b, &Brokers::named(["broker-a"])).await.expect("changed");
    site.admin
        .create_topic(&TopicConfig::new(topic.as_str(), 1), &Brokers::named(["broker-b"]))
        .await
        .expect("changed");
    until_queues_are(&site, &topic, &["broker-b:0"]).await;
    assert_eq!(send(&site, &topic, 2).await, BTreeMap::from([("broker-b:0".to_owned(), 2)]));
}

#[tokio::test]
async fn ordered_topics_have_the_queues_that_were_written_down() {
    let operator = &stage::masters_and_slaves().await;
    let site = site(operator).await;
    let topic = fresh_topic("ordered");
    let config = |queues: u32| TopicConfig::new(topic.as_str(), queues).with_order(true);
    let create = async |queues: u32, brokers: Brokers| {
        let created = site.admin.create_topic(&config(queues), &brokers).await.expect("created");
        assert!(created.is_complete() && created.done.len() > 1, "the NameServer was told: {created:?}");
        site.admin.route(&topic).await.expect("it has a route").order_topic_conf
    };
    let cluster = Brokers::cluster(site.cluster().await);
    assert_eq!(create(2, Brokers::named(["broker-a"])).await.as_deref(), Some("broker-a:2"));
    assert_eq!(create(1, Brokers::named(["broker-b"])).await.as_deref(), Some("broker-a:2;broker-b:1"));
    assert_eq!(create(1, cluster).await.as_deref(), Some("broker-a:1;broker-b:1"));
    let queues = ["broker-a:0", "broker-b:0"];
    until_queues_are(&site, &topic, &queues).await;

    // Keys keep their queues, also of a broker that is away.
    let send = async |key: &str| {
        site.producer
            .send_with_selector(Message::new(topic.as_str(), "x"), SelectMessageQueueByHash, key)
            .await
    };
    let queue_of = async |key: &str| send(key).await.expect("sent").message_queue.to_string();
    let before = [queue_of("k0").await, queue_of("k1").await];
    assert_ne!(before[0], before[1]);
    operator.stop("broker-a").await;
    until("the route without the master", async || members(&site, &topic).await == [1]).await;
    assert_eq!(site.producer.fetch_publish_message_queues(&topic).await.expect("queues").len(), 2);
    for (key, queue) in ["k0", "k1"].into_iter().zip(&before) {
        if queue.contains("broker-b") {
            assert_eq!(&queue_of(key).await, queue);
        } else {
            assert_eq!(send(key).await.expect_err("not elsewhere").outcome(), Outcome::NotStored);
        }
    }
    assert_eq!(super::brokers::send(&site, &topic, 3).await.into_keys().collect::<Vec<_>>(), ["broker-b:0"]);
    operator.start("broker-a").await;
    until("sends as before", async || match (send("k0").await, send("k1").await) {
        (Ok(one), Ok(other)) => [one, other].map(|sent| sent.message_queue.to_string()) == before,
        _ => false,
    })
    .await;
    site.admin.delete_topic(&topic, &site.cluster().await).await.expect("deleted");
}

/// The master wants each message in two places. Its slave `broker-a-s1` may not be read.
#[tokio::test]
async fn a_master_that_waits_for_its_slave_says_when_it_has_none() {
    let operator = &stage::a_master_that_waits_for_its_slave().await;
    let site = site(operator).await;
    let topic = site.create("both", 1).await;
    let statuses = async |expected: SendStatus| {
        until("the slave's state", async || {
            let sent = site.producer.send(Message::new(topic.as_str(), "x")).await.expect("stored at least");
            sent.send_status == expected
        })
        .await;
    };
    statuses(SendStatus::SendOk).await;
    let queue = MessageQueue::new(topic.as_str(), "broker-a", 0);
    let (code, _) = ask(&operator.addr_of("broker-a-s1"), &pull(&queue)).await.expect("an answer");
    assert_eq!(code, ResponseCode::SYSTEM_BUSY, "slaves are not read by default");

    operator.stop("broker-a-s1").await;
    statuses(SendStatus::FlushSlaveTimeout).await;
    let sent = site.producer.send(Message::new(topic.as_str(), "alone")).await.expect("stored at least");
    assert_eq!(site.pull_one(&sent.message_queue, sent.queue_offset).await.body(), "alone");
    operator.start("broker-a-s1").await;
    statuses(SendStatus::SendOk).await;
}
