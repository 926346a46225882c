//! One client that several producers and an admin share, and a client with a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocketmq::admin::MQAdmin;
use rocketmq::client::MQClient;
use rocketmq::conf::{ClientOption, ProducerOption};
use rocketmq::consumer::ConsumeFailure;
use rocketmq::error::MQClientError;
use rocketmq::model::Message;
use rocketmq::producer::{Producer, reply_message};
use rocketmq_namesrv_mock::{InMemoryNetwork, MockCluster};
use rocketmq_remoting::protocol::RequestCode;
use tokio::runtime;

const TOPIC: &str = "TopicTest";
const PATIENCE: Duration = Duration::from_secs(10);

/// A client whose heartbeats come when there is something to tell, and not by the clock.
async fn client(cluster: &MockCluster) -> MQClient {
    let mut option = ClientOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_heartbeat_broker_interval(600_000);
    let client = MQClient::new(option);
    client.start().await.unwrap();
    client
}

async fn send(producer: &Producer) {
    producer.send(Message::new(TOPIC, "x")).await.unwrap();
}

/// The members of some groups, each as `client id from address`, once each group has one.
async fn members<const N: usize>(admin: &MQAdmin, groups: [&str; N]) -> [String; N] {
    let began = Instant::now();
    loop {
        let mut members = [const { String::new() }; N];
        for (group, members) in groups.iter().zip(&mut members) {
            let answers = admin.producer_connections(group, TOPIC).await.unwrap();
            let connections = answers.done.iter().flat_map(|(_, connections)| connections);
            let texts = connections.map(|member| format!("{} from {}", member.client_id, member.client_addr));
            *members = texts.collect::<Vec<_>>().join(", ");
        }
        if members.iter().all(|members| !members.is_empty()) {
            return members;
        }
        assert!(began.elapsed() < PATIENCE, "{members:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The connections that each server got requests on.
fn connections(cluster: &MockCluster) -> BTreeMap<String, BTreeSet<String>> {
    let mut connections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in cluster.requests() {
        connections.entry(request.server.to_string()).or_default().insert(request.peer.to_string());
    }
    connections
}

fn goodbyes(cluster: &MockCluster) -> Vec<String> {
    let requests = cluster.requests().into_iter();
    let goodbyes = requests.filter(|request| request.code == RequestCode::UNREGISTER_CLIENT);
    let mut groups: Vec<String> = goodbyes.map(|request| request.group().unwrap().into_owned()).collect();
    groups.sort_unstable();
    groups
}

#[tokio::test]
async fn producers_and_an_admin_share_one_connection_and_one_id() {
    let cluster = MockCluster::start().await.unwrap();
    let client = client(&cluster).await;
    let orders = client.producer("orders").start().await.unwrap();
    send(&orders).await;
    // It comes when the connections are open: a heartbeat still has to name it.
    let invoices = client.producer("invoices").start().await.unwrap();
    send(&invoices).await;
    let [one, other] = members(&client.admin(), ["orders", "invoices"]).await;
    assert_eq!(one, other, "the same client on the same connection");
    for (server, connections) in connections(&cluster) {
        assert_eq!(connections.len(), 1, "{server}: {connections:?}");
    }
    assert!(client.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_consumes_produces_and_asks_has_one_connection_and_one_heartbeat() {
    let network = InMemoryNetwork::new(7);
    let cluster = MockCluster::builder().network(network.clone()).start().await.unwrap();
    cluster.create_topic("Questions", 2).unwrap();
    let mut option = ClientOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_transport(Arc::new(network));
    let client = MQClient::new(option);
    client.start().await.unwrap();
    let producer = client.producer("asking").start().await.unwrap();
    let replier = producer.clone();
    let consumer =
        client.push_consumer("replying").subscribe("Questions", "*").listener(move |question, _| {
            let replier = replier.clone();
            async move {
                replier.send(reply_message(&question, "an answer")?).await?;
                Ok::<_, ConsumeFailure>(())
            }
        });
    let consumer = consumer.start().await.unwrap();
    let polling = client.pull_consumer("reading").subscribe("Questions", "*").start().await.unwrap();
    for _ in 0..4 {
        let answer = producer.request(Message::new("Questions", "a question"), 5000).await.unwrap();
        assert_eq!(answer.body(), "an answer");
    }
    client.admin().route("Questions").await.unwrap();

    let heartbeats = || {
        let requests = cluster.requests().into_iter();
        requests.filter(|request| request.code == RequestCode::HEART_BEAT).count()
    };
    // Each 30 s, and none besides once nothing joins any more.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = heartbeats();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(heartbeats() - before, 10, "one for all groups of the service");
    for (server, connections) in connections(&cluster) {
        assert_eq!(connections.len(), 1, "{server}: {connections:?}");
    }
    assert_eq!((consumer.assignment().len(), polling.assignment().len()), (3, 2));
    let report = client.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn a_producer_that_leaves_takes_its_own_group_along() {
    let cluster = MockCluster::start().await.unwrap();
    let client = client(&cluster).await;
    let orders = client.producer("orders").start().await.unwrap();
    let invoices = client.producer("invoices").start().await.unwrap();
    send(&orders).await;
    members(&client.admin(), ["orders", "invoices"]).await;
    assert!(orders.shutdown().await.unwrap().is_clean());
    assert_eq!(goodbyes(&cluster), ["orders"]);
    let left = client.admin().producer_connections("orders", TOPIC).await.unwrap();
    assert!(left.done.iter().all(|(_, members)| members.is_empty()), "{left:?}");
    members(&client.admin(), ["invoices"]).await;
    send(&invoices).await;
    // The name is free again.
    send(&client.producer("orders").start().await.unwrap()).await;
    assert!(client.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn the_shutdown_of_a_client_is_that_of_all_who_share_it() {
    let cluster = MockCluster::start().await.unwrap();
    let client = client(&cluster).await;
    let (admin, early) = (client.admin(), client.producer("never_started"));
    let orders = client.producer("orders").start().await.unwrap();
    let invoices = client.producer("invoices").start().await.unwrap();
    send(&orders).await;
    members(&admin, ["orders", "invoices"]).await;
    let report = client.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(goodbyes(&cluster), ["invoices", "orders"]);
    for producer in [&orders, &invoices] {
        let error = producer.send(Message::new(TOPIC, "x")).await.unwrap_err();
        assert!(matches!(error, MQClientError::ShutDown { .. }), "{error}");
    }
    assert!(matches!(admin.route(TOPIC).await, Err(MQClientError::ShutDown { .. })));
    assert!(matches!(early.start().await, Err(MQClientError::ShutDown { .. })));
    assert!(client.shutdown().await.unwrap().is_clean(), "again");
}

#[tokio::test]
async fn what_would_change_the_client_for_others_is_refused() {
    let cluster = MockCluster::start().await.unwrap();
    let not_started = MQClient::new(ClientOption::default());
    assert!(matches!(not_started.admin().route(TOPIC).await, Err(MQClientError::NotStarted { .. })));
    assert!(matches!(not_started.producer("g").start().await, Err(MQClientError::NotStarted { .. })));
    let client = client(&cluster).await;
    type Change = fn(&mut ProducerOption);
    let changes: [(&str, Change); 3] = [
        ("name_server_addr", |option| _ = option.set_name_server_addr("127.0.0.1:1")),
        ("namespace", |option| _ = option.set_namespace("another")),
        ("own_thread", |option| _ = option.set_own_thread(true)),
    ];
    for (name, change) in changes {
        let error = client.producer("orders").option(change).start().await.unwrap_err();
        assert!(matches!(error, MQClientError::InvalidOption { option, .. } if option == name), "{error}");
    }
    let _orders = client.producer("orders").start().await.unwrap();
    let error = client.producer("orders").start().await.unwrap_err();
    assert!(matches!(error, MQClientError::InvalidOption { option: "group_name", .. }), "{error}");
}

#[tokio::test]
async fn a_traced_producer_has_no_second_client() {
    let cluster = MockCluster::start().await.unwrap();
    let builder = Producer::builder("traced").name_server_addr(cluster.name_server_addr());
    let producer = builder.option(|option| _ = option.set_enable_trace(true)).start().await.unwrap();
    send(&producer).await;
    assert!(producer.shutdown().await.unwrap().is_clean());
    assert_eq!(cluster.message_count("RMQ_SYS_TRACE_TOPIC"), 1);
    for (server, connections) in connections(&cluster) {
        assert_eq!(connections.len(), 1, "{server}: {connections:?}");
    }
}

#[test]
fn a_client_with_a_thread_of_its_own_sends_heartbeats_while_the_user_s_runtime_is_blocked() {
    let servers = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let cluster = servers.block_on(MockCluster::start()).unwrap();
    let user = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let producer = user.block_on(async {
        let builder = Producer::builder("blocked").name_server_addr(cluster.name_server_addr());
        let option = |option: &mut ProducerOption| {
            option.set_own_thread(true).set_heartbeat_broker_interval(20);
        };
        let producer = builder.option(option).start().await.unwrap();
        send(&producer).await;
        producer
    });
    let heartbeats = || {
        let requests = cluster.requests().into_iter();
        requests.filter(|request| request.code == RequestCode::HEART_BEAT).count()
    };
    // Outside of `block_on` nothing runs on the user's runtime.
    let (before, began) = (heartbeats(), Instant::now());
    while heartbeats() < before + 3 {
        assert!(began.elapsed() < PATIENCE, "{} heartbeats", heartbeats() - before);
        std::thread::sleep(Duration::from_millis(5));
    }
    user.block_on(async {
        send(&producer).await;
        let (answer, answered) = tokio::sync::oneshot::channel();
        let callback = move |sent: Result<_, _>| {
            let thread = std::thread::current().name().map(str::to_owned);
            answer.send((sent.is_ok(), thread)).unwrap();
        };
        producer.send_async(Message::new(TOPIC, "x"), callback).await.unwrap();
        assert_eq!(answered.await.unwrap(), (true, Some("rocketmq-client".to_owned())));
        assert!(producer.shutdown().await.unwrap().is_clean());
    });
    assert_eq!(cluster.message_count(TOPIC), 3);
}
