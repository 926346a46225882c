//! What is logged when brokers and NameServers go and come back: one line each.

use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;
use tracing_subscriber::filter::LevelFilter;

use crate::alone::run_alone;
use crate::log::Log;

#[test]
fn peers_that_go_and_come_back_are_logged_once() {
    run_alone("peer_log::each_change_is_one_line", &[]);
}

#[tokio::test]
#[ignore = "peers_that_go_and_come_back_are_logged_once runs it alone"]
async fn each_change_is_one_line() {
    let (log, _logging) = Log::start(LevelFilter::INFO);

    let cluster = MockCluster::start().await.unwrap();
    let start = |builder: rocketmq::producer::ProducerBuilder| {
        builder.name_server_addr(cluster.name_server_addr()).start()
    };
    let producer = start(Producer::builder("logged")).await.unwrap();
    let send = || producer.send(Message::new("T", "x"));
    for _ in 0..3 {
        send().await.unwrap();
    }
    assert_eq!(log.take("rocketmq"), [""; 0], "silence while all is well");

    let broker = cluster.broker_names()[0].to_owned();
    cluster.crash_broker(&broker).await.unwrap();
    for _ in 0..5 {
        send().await.unwrap_err();
    }
    let lines = log.take(" WARN ");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("the broker is gone or refuses"), "{lines:?}");
    cluster.start_broker(&broker).await.unwrap();
    while send().await.is_err() {}
    for _ in 0..3 {
        send().await.unwrap();
    }
    let lines = log.take("the broker is back");
    assert!(lines.len() == 1 && lines[0].contains(" INFO "), "{lines:?}");

    let guarded = MockCluster::builder().acl("user", "secret-of-user").start().await.unwrap();
    let stranger = Producer::builder("stranger").name_server_addr(guarded.name_server_addr()).start().await;
    let stranger = stranger.unwrap();
    for _ in 0..3 {
        let error = stranger.send(Message::new("T", "x")).await.unwrap_err();
        assert!(error.to_string().contains("set_credentials"), "{error}");
    }
    let lines = log.take("the broker is gone or refuses");
    assert_eq!(lines.len(), 1, "{lines:?}");

    let name_server = MockCluster::start().await.unwrap();
    let other =
        Producer::builder("other").name_server_addr(name_server.name_server_addr()).start().await.unwrap();
    name_server.stop_name_server(0).await.unwrap();
    for topic in ["A", "B", "C"] {
        other.send(Message::new(topic, "x")).await.unwrap_err();
    }
    let lines = log.take("the NameServer is gone or refuses");
    assert_eq!(lines.len(), 1, "{lines:?}");
    name_server.start_name_server(0).await.unwrap();
    while other.send(Message::new("A", "x")).await.is_err() {}
    let lines = log.take("the NameServer is back");
    assert_eq!(lines.len(), 1, "{lines:?}");
}
