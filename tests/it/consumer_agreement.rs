//! Members of a group whose broker does not say what the group subscribes to.

use std::time::{Duration, Instant};

use rocketmq::consumer::{ConsumerEvent, PushConsumer};
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

const TOPIC: &str = "Agreed";

fn member(cluster: &MockCluster) -> PushConsumer {
    let member = PushConsumer::builder("agreed").name_server_addr(cluster.name_server_addr());
    let member = member.option(|option| _ = option.set_instance_name("twin")).subscribe(TOPIC, "*");
    member.listener(|_, _| async {}).build().unwrap()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_refused_look_at_the_group_is_told_once_and_twins_are_found_without_it() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic(TOPIC, 2).unwrap();
    let refusal = FaultAction::Refuse { code: ResponseCode::NO_PERMISSION, remark: "no".to_owned() };
    cluster.inject(Fault::on(RequestCode::GET_CONSUMER_CONNECTION_LIST, refusal));
    let looks = || cluster.fault_hits()[0].1;
    let one = member(&cluster);
    let mut events = one.events();
    one.start().await.unwrap();
    until("a first look", || looks() >= 1).await;
    let other = member(&cluster);
    other.start().await.unwrap();
    // Each change of the subscription leads to a rebalance, and that to a look.
    for tag in ["A", "B"] {
        let before = looks();
        one.subscribe(TOPIC, tag).await.unwrap();
        until("another look", || looks() > before).await;
    }
    let twin = |event: &ConsumerEvent| matches!(event, ConsumerEvent::DuplicateClientId { addresses, .. } if addresses.is_empty());
    let (mut unchecked, mut twins) = (Vec::new(), 0);
    while twins == 0 {
        let event = tokio::time::timeout(Duration::from_secs(30), events.next()).await.unwrap().unwrap();
        twins += usize::from(twin(&event));
        unchecked
            .extend(matches!(event, ConsumerEvent::SubscriptionsUnchecked { .. }).then(|| event.to_string()));
    }
    one.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
    while let Some(event) = events.try_next() {
        assert!(!twin(&event) && !matches!(event, ConsumerEvent::SubscriptionsUnchecked { .. }), "{event}");
    }
    let [unchecked] = &unchecked[..] else { panic!("{unchecked:?}") };
    assert!(unchecked.contains("cannot be checked") && unchecked.contains("NO_PERMISSION"), "{unchecked}");
}

#[tokio::test]
async fn a_busy_broker_is_no_refusal() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic(TOPIC, 2).unwrap();
    let busy = FaultAction::Refuse { code: ResponseCode::SYSTEM_BUSY, remark: "busy".to_owned() };
    let mut fault = Fault::on(RequestCode::GET_CONSUMER_CONNECTION_LIST, busy);
    fault.times = Some(1);
    cluster.inject(fault);
    let one = member(&cluster);
    let mut events = one.events();
    one.start().await.unwrap();
    until("a look", || cluster.fault_hits()[0].1 == 1).await;
    one.shutdown().await.unwrap();
    while let Some(event) = events.try_next() {
        assert!(!matches!(event, ConsumerEvent::SubscriptionsUnchecked { .. }), "{event}");
    }
}
