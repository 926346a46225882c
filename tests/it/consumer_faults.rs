//! Push consumers while their brokers or their group misbehave.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq::conf::ProducerOption;
use rocketmq::consumer::{ConsumeFromWhere, PushConsumer};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use rocketmq_remoting::protocol::RequestCode;

const TOPIC: &str = "Faulty";
const GROUP: &str = "faulty";

/// The bodies that listeners have seen.
type Seen = Arc<Mutex<Vec<String>>>;

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn send(cluster: &MockCluster, bodies: &[&str]) {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_group_name("faulty_producer");
    let producer = Producer::new(option);
    producer.start().await.unwrap();
    for body in bodies {
        producer.send(Message::new(TOPIC, body.to_string())).await.unwrap();
    }
    producer.shutdown().await.unwrap();
}

fn member(cluster: &MockCluster, from: ConsumeFromWhere, seen: &Seen) -> PushConsumer {
    let collect = seen.clone();
    PushConsumer::builder(GROUP)
        .name_server_addr(cluster.name_server_addr())
        .option(|option| _ = option.set_consume_from_where(from))
        .subscribe(TOPIC, "*")
        .listener(move |message, _| {
            collect.lock().unwrap().push(String::from_utf8_lossy(message.body()).into_owned());
            async {}
        })
        .build()
        .unwrap()
}

#[tokio::test]
async fn members_of_a_new_group_that_start_together_replay_nothing() {
    let cluster = MockCluster::builder().start().await.unwrap();
    cluster.preload(TOPIC, 8, 100, b"old").unwrap();
    let seen = Seen::default();
    let (late, early) = (
        member(&cluster, ConsumeFromWhere::LastExactly, &seen),
        member(&cluster, ConsumeFromWhere::LastExactly, &seen),
    );
    // Brokers know the late member already, but the first commits of the other come before it takes its queues.
    let mut fault =
        Fault::on(RequestCode::GET_CONSUMER_LIST_BY_GROUP, FaultAction::DelayAnswer(Duration::from_secs(2)));
    fault.times = Some(1);
    cluster.inject(fault);
    let starting = tokio::spawn({
        let late = late.clone();
        async move { late.start().await }
    });
    until("the late member has asked", || cluster.fault_hits().iter().any(|(_, hits)| *hits == 1)).await;
    early.start().await.unwrap();
    until("queues of the early member", || !early.assignment().is_empty()).await;
    starting.await.unwrap().unwrap();
    send(&cluster, &["new"]).await;
    until("the new message", || !seen.lock().unwrap().is_empty()).await;
    assert_eq!(*seen.lock().unwrap(), ["new"]);
    early.shutdown().await.unwrap();
    late.shutdown().await.unwrap();
}
