//! C19: notices without end. C21: topics that go, come again, grow and shrink.

use std::time::{Duration, SystemTime};

use rocketmq::consumer::ConsumerEvent;
use rocketmq::model::{Message, MessageQueue};
use rocketmq_namesrv_mock::{BrokerEvent, RequestCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use super::scene::{GROUP, Scene, Seen, TOPIC, bodies, drain, simulate, until, until_within};
use super::table::{Row, seen as tell};

/// Opens a connection to a broker and joins the group there; the connection has to be kept.
async fn join(scene: &Scene) -> TcpStream {
    let header = json!({
        "code": 34, "flag": 0, "language": "JAVA", "opaque": 7, "serializeTypeCurrentRPC": "JSON", "version": 513,
        "extFields": {},
    })
    .to_string();
    let subscription = json!({
        "topic": TOPIC, "subString": "*", "tagsSet": [], "codeSet": [], "subVersion": 1, "expressionType": "TAG",
    });
    let body = json!({
        "clientID": "ghost@1", "producerDataSet": [], "consumerDataSet": [{
            "groupName": GROUP, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING",
            "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "subscriptionDataSet": [subscription], "unitMode": false,
        }],
    })
    .to_string();
    let mut frame = u32::try_from(4 + header.len() + body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(u32::try_from(header.len()).unwrap().to_be_bytes());
    frame.extend(header.bytes().chain(body.bytes()));
    let mut stream = TcpStream::connect(scene.cluster.broker_addr("broker-a").unwrap()).await.unwrap();
    stream.write_all(&frame).await.unwrap();
    let length = stream.read_u32().await.unwrap();
    stream.read_exact(&mut vec![0; length as usize]).await.unwrap();
    stream
}

/// How many notices the members got since then.
fn notices(scene: &Scene, since: SystemTime) -> usize {
    let is_notice = |event: &BrokerEvent| matches!(event, BrokerEvent::Notified { .. });
    scene.cluster.history().iter().filter(|entry| entry.at >= since && is_notice(&entry.event)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c19_a_thousand_notices_in_a_second_cost_three_rebalances_and_no_message_waits() {
    let scene = Scene::on_sockets(|builder| builder).await;
    let seen = Seen::default();
    let consumer = scene.member().listener(seen.listener()).start().await.unwrap();
    // A second member, whose queues nobody reads; each further connection of it is a notice, and so is its end.
    let _ghost = join(&scene).await;
    let shared = || consumer.assignment().iter().filter(|queue| queue.topic() == TOPIC).count() == 2;
    until("the queues are shared", shared).await;
    sleep(Duration::from_secs(2)).await;
    let (since, runs) = (scene.cluster.now(), consumer.get_stats().unwrap().rebalance_count);
    let began = Instant::now();
    let queue = consumer.assignment().into_iter().find(|queue| queue.topic() == TOPIC).unwrap();
    let mut longest = Duration::ZERO;
    for number in 0..500 {
        drop(join(&scene).await);
        if number % 25 == 0 {
            let (sent, body) = (Instant::now(), format!("m{number}"));
            scene.producer.send_to(Message::new(TOPIC, body.clone()), &queue).await.unwrap();
            until("a message meanwhile", || seen.counts().contains_key(&body)).await;
            longest = longest.max(sent.elapsed());
        }
        sleep_until(began + Duration::from_millis(2 * number)).await;
    }
    let took = began.elapsed();
    until("a thousand notices", || notices(&scene, since) >= 1_000).await;
    sleep(Duration::from_millis(500)).await;
    let runs = consumer.get_stats().unwrap().rebalance_count - runs;
    // A busy machine takes longer for them.
    let seconds = took.as_millis().div_ceil(1_000) as u64;
    assert!(runs <= 3 * seconds, "{runs} runs in {took:?}");
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    let lists = scene.requests_of(RequestCode::GET_CONSUMER_LIST_BY_GROUP);
    let asked = lists.iter().filter(|request| request.at >= since).count() as u64;
    assert!(asked <= runs * 2, "members were asked for {asked} times in {runs} runs");
    assert!(shared(), "the assignment is as before");
    tell(
        Row::C19,
        format!(
            "{} notices in {seconds} s: {runs} runs; messages meanwhile within 0.5 s",
            notices(&scene, since)
        ),
    );
    consumer.shutdown().await.unwrap();
}

#[test]
fn c19_a_change_that_is_announced_last_is_not_missed() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let start = || scene.member().listener(|_, _| async {}).start();
        let first = start().await.unwrap();
        for _ in 0..6 {
            let second = start().await.unwrap();
            let owned = |consumer: &rocketmq::consumer::PushConsumer| {
                consumer.assignment().iter().filter(|queue| queue.topic() == TOPIC).count()
            };
            until_within(Duration::from_secs(3), "two members", || (owned(&first), owned(&second)) == (2, 2))
                .await;
            second.shutdown().await.unwrap();
            until_within(Duration::from_secs(2), "one member", || owned(&first) == 4).await;
        }
        first.shutdown().await.unwrap();
    });
}

#[test]
fn c21_a_topic_that_is_deleted_and_created_again_goes_on_with_its_first_message() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let seen = Seen::default();
        let consumer = scene.member().listener(seen.listener()).build().unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        scene.send(bodies("first", 40)).await;
        seen.wait_for(40).await;
        sleep(Duration::from_secs(6)).await;
        for (round, gone) in [5, 60, 300].into_iter().enumerate() {
            scene.cluster.delete_topic(TOPIC);
            let began = scene.cluster.now();
            sleep(Duration::from_secs(gone)).await;
            let asked = scene.cluster.requests();
            let asked =
                asked.iter().filter(|request| request.at >= began && &*request.server == "broker-a").count();
            assert!(asked as u64 <= 5 * (10 + gone), "{asked} requests in {gone} s");
            if gone > 30 {
                let missing = |event: &ConsumerEvent| matches!(event, ConsumerEvent::TopicMissing { .. });
                assert!(drain(&mut events).iter().any(missing), "an event tells of it");
            }
            scene.cluster.create_topic(TOPIC, 4).unwrap();
            // Fewer messages than the old topic had.
            let (count, created) = (seen.distinct(), Instant::now());
            scene.send(bodies(&format!("again{round}-"), 20)).await;
            let all = || seen.distinct() == count + 20;
            until_within(Duration::from_secs(65), &format!("messages after {gone} s"), all).await;
            println!("gone for {gone} s: its messages came {:?} after they were sent", created.elapsed());
            sleep(Duration::from_secs(6)).await;
            scene.assert_all_committed();
        }
        seen.assert_no_duplicates();
        scene.ends_committed(consumer).await;
        let what = "gone for 5, 60 and 300 s: each new message once, from the first on;";
        tell(Row::C21, format!("{what} 4 to 16 to 4 queues, three times: each message once, in order"));
    });
}

#[test]
fn c21_queues_that_are_added_are_read_from_their_first_message_and_those_that_go_stall_no_other() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let seen = Seen::default();
        // Where new groups begin at the end, a queue that is added begins at its first message all the same.
        let consumer = scene
            .member_with(|option| {
                option.set_consume_from_where(rocketmq::consumer::ConsumeFromWhere::LastExactly);
            })
            .listener(seen.listener())
            .start()
            .await
            .unwrap();
        scene.send(bodies("four", 16)).await;
        seen.wait_for(16).await;
        for round in 0..3 {
            let count = seen.distinct();
            scene.cluster.create_topic(TOPIC, 16).unwrap();
            // Before the consumer knows of them.
            let producer = scene.another_producer().await;
            for id in 0..16 {
                for number in 0..5 {
                    let queue = MessageQueue::new(TOPIC, "broker-a", id);
                    let message = Message::new(TOPIC, format!("sixteen{round}-{id}-{number}"));
                    producer.send_to(message, &queue).await.unwrap();
                }
            }
            let all = || seen.distinct() == count + 80;
            until_within(Duration::from_secs(65), "messages of the new queues", all).await;
            let owned = consumer.assignment().iter().filter(|queue| queue.topic() == TOPIC).count();
            assert_eq!(owned, 16);
            scene.cluster.create_topic(TOPIC, 4).unwrap();
            let producer = scene.another_producer().await;
            for body in bodies(&format!("four-again{round}-"), 16) {
                producer.send(Message::new(TOPIC, body)).await.unwrap();
            }
            seen.wait_for(count + 96).await;
            let four = || consumer.assignment().iter().filter(|queue| queue.topic() == TOPIC).count() == 4;
            until_within(Duration::from_secs(95), "four queues", four).await;
            let began = scene.cluster.now();
            sleep(Duration::from_secs(60)).await;
            let pulls = scene.requests_of(RequestCode::PULL_MESSAGE);
            let pulls = pulls.iter().filter(|request| request.at >= began).count();
            assert!(pulls <= 5 * 5, "{pulls} pulls in an idle minute");
        }
        seen.assert_once_in_order();
        scene.ends_committed(consumer).await;
    });
}
