//! A topic that moves to another broker, while its old place is all that the producer knows.

use std::time::Duration;

use rocketmq::admin::{Brokers, MQAdmin, PermName, TopicConfig};
use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

use super::site::{SLACK, timed};

/// SERVICE_NOT_AVAILABLE, NO_PERMISSION, TOPIC_NOT_EXIST.
const CODES: [i32; 3] = [14, 16, 17];

fn message() -> Message {
    Message::new("T", "x")
}

/// The topic is on the first of two brokers, and the producer has its route.
async fn one_place(change: impl FnOnce(&mut ProducerOption)) -> (MockCluster, Producer) {
    let cluster = MockCluster::builder().brokers(2).start().await.unwrap();
    create(&cluster, "broker-a", PermName::READ_WRITE).await;
    let mut option = ProducerOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_group_name("moved");
    // The regular look would come too late.
    option.set_poll_name_server_interval(60_000);
    change(&mut option);
    let producer = Producer::new(option);
    producer.start().await.unwrap();
    let sent = producer.send(message()).await.unwrap();
    assert_eq!(sent.message_queue.broker_name(), "broker-a");
    (cluster, producer)
}

async fn create(cluster: &MockCluster, broker: &str, perm: PermName) {
    let admin = MQAdmin::connect(cluster.name_server_addr()).await.unwrap();
    let topic = TopicConfig::new("T", 2).with_perm(perm);
    admin.create_topic(&topic, &Brokers::named([broker])).await.unwrap();
}

fn refuse(cluster: &MockCluster, code: i32) {
    let refuse = FaultAction::Refuse { code: ResponseCode(code), remark: "no more".into() };
    cluster.inject(Fault::on_sends(refuse).server("broker-a"));
}

#[tokio::test]
async fn a_retry_sees_where_the_topic_went() {
    for code in CODES {
        let (cluster, producer) = one_place(|_| {}).await;
        create(&cluster, "broker-b", PermName::READ_WRITE).await;
        create(&cluster, "broker-a", PermName::READ).await;
        refuse(&cluster, code);
        let sent = producer.send(message()).await.unwrap();
        assert_eq!(sent.message_queue.broker_name(), "broker-b", "{code}");
        assert_eq!(producer.get_stats().unwrap().retry_count, 1, "{code}");
    }
}

#[tokio::test]
async fn when_it_went_nowhere_the_error_is_the_broker_s() {
    for code in CODES {
        let (cluster, producer) = one_place(|_| {}).await;
        refuse(&cluster, code);
        let error = producer.send(message()).await.unwrap_err();
        assert_eq!((error.response_code(), error.attempts().len()), (Some(ResponseCode(code)), 3), "{error}");
        // The topic takes no more writes. The retry finds this out.
        create(&cluster, "broker-a", PermName::READ).await;
        let error = producer.send(message()).await.unwrap_err();
        assert_eq!((error.response_code(), error.attempts().len()), (Some(ResponseCode(code)), 1), "{error}");
    }
}

#[tokio::test]
async fn many_sends_look_once() {
    let (cluster, producer) = one_place(|_| {}).await;
    let looks = || {
        let requests = cluster.requests();
        requests.iter().filter(|request| request.code == RequestCode::GET_ROUTEINFO_BY_TOPIC).count()
    };
    refuse(&cluster, 14);
    let before = looks();
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let producer = producer.clone();
        sends.spawn(async move { producer.send(message()).await });
    }
    while let Some(sent) = sends.join_next().await {
        assert_eq!(sent.unwrap().unwrap_err().attempts().len(), 3);
    }
    // Each has two retries.
    assert!(looks() - before < 100, "{} looks", looks() - before);
}

#[tokio::test]
async fn a_silent_name_server_leaves_time_for_the_retries() {
    let (cluster, producer) = one_place(|option| _ = option.set_send_msg_timeout(2_000)).await;
    refuse(&cluster, 14);
    cluster.inject(Fault::on(RequestCode::GET_ROUTEINFO_BY_TOPIC, FaultAction::DropRequest));
    let (error, took) = timed(Box::pin(producer.send(message()))).await;
    let error = error.unwrap_err();
    assert_eq!((error.response_code(), error.attempts().len()), (Some(ResponseCode(14)), 3), "{error}");
    assert!(took < Duration::from_millis(2_000) + SLACK, "{took:?}");
}
