//! C13: a flood and a slow listener. C14: records that cannot be read. C18: brokers that put consumers off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::consumer::{ConsumeFromWhere, ConsumerEvent, PushConsumer, QueueState, Throttle};
use rocketmq::model::{Message, MessageExt, RecordHeader, mix_all};
use rocketmq_common::record::{RecordFields, encode_record};
use rocketmq_namesrv_mock::{
    AnswerChange, Fault, FaultAction, MockCluster, RecordDamage, RequestCode, ResponseCode,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::scene::{GROUP, Scene, Seen, TOPIC, bodies, drain, simulate, until, until_within};
use super::table::{Row, seen as tell};
use crate::alone::run_alone;
use crate::world::producer;

const MIB: u64 = 1024 * 1024;
const BODY: usize = 64 * 1024;
const BUDGET: u64 = 48 * MIB;
/// The name server of the flood, for the process of its consumer.
const NAME_SERVER: &str = "FLOOD_NAME_SERVER";
/// How the consumer begins the line that tells by how many MiB it grew.
const GREW: &str = "MiB more than before:";
/// How many messages it has.
const FLOOD: &str = "FLOOD_COUNT";

/// Runs the consumer of a flood in a process of its own, whose memory holds no broker.
/// Returns by how many MiB it grew.
async fn flood(cluster: &MockCluster, count: usize) -> u64 {
    let variables = [(NAME_SERVER, cluster.name_server_addr()), (FLOOD, count.to_string())];
    let consumer = tokio::task::spawn_blocking(move || {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        run_alone("faults::limits::the_consumer_of_a_flood", &variables)
    });
    let said = consumer.await.unwrap();
    let grew = said.lines().find_map(|line| line.strip_prefix(GREW)).unwrap();
    grew.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c13_a_flood_of_large_messages_stays_within_the_budget() {
    let cluster = MockCluster::builder().start().await.unwrap();
    // 64 queues × 100 messages × 64 KiB: 400 MiB.
    cluster.preload(TOPIC, 64, 100, &[b'x'; BODY]).unwrap();
    let grew = flood(&cluster, 6_400).await;
    let budget = BUDGET / MIB;
    let what = format!(
        "6,400 messages of 64 KiB, 400 MiB in all, budget {budget} MiB: the process grows by less than"
    );
    tell(Row::C13, format!("{what} {} MiB", grew.next_multiple_of(16)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c13_a_flood_of_messages_that_inflate_stays_within_the_budget() {
    let cluster = MockCluster::builder().start().await.unwrap();
    cluster.create_topic(TOPIC, 8).unwrap();
    let producer = producer(&cluster, None).await;
    // A few hundred bytes each at the broker, 250 MiB in all at the consumer.
    for _ in 0..40 {
        let send = |_| {
            let producer = producer.clone();
            tokio::spawn(async move { producer.send(Message::new(TOPIC, vec![b'x'; BODY])).await.unwrap() })
        };
        for sent in (0..100).map(send).collect::<Vec<_>>() {
            sent.await.unwrap();
        }
    }
    let grew = flood(&cluster, 4_000).await;
    println!("compressed: grew by {grew} MiB");
}

#[test]
fn c13_small_answers_that_inflate_overshoot_the_budget_by_a_quarter() {
    const SMALL: usize = 16 * 1024;
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.cluster.create_topic("Packed", 16).unwrap();
        // One answer for each queue, of a few KiB; inflated, they are 8 MiB.
        for _ in 0..16 * 32 {
            scene.producer.send(Message::new("Packed", vec![b'x'; SMALL])).await.unwrap();
        }
        let gate = Arc::new(Semaphore::new(0));
        let (opens, seen) = (gate.clone(), Seen::default());
        let collect = seen.clone();
        let consumer = scene
            .member_with(|option| _ = option.set_cache_limit(MIB))
            .subscribe("Packed", "*")
            .listener(move |message, _| {
                collect.add(&message);
                let opens = opens.clone();
                async move { opens.acquire().await.unwrap().forget() }
            })
            .start()
            .await
            .unwrap();
        let throttled = |state| matches!(state, QueueState::Throttled(Throttle::Budget));
        let full = || consumer.health().queues.iter().filter(|queue| throttled(queue.state)).count() >= 13;
        // The first few have all that there is, and wait for more.
        until("queues wait for the budget", full).await;
        // The answers that were on their way brought one message each, and are kept whole for it.
        let most = MIB + MIB / 4 + 16 * (SMALL as u64 + 16 * 1_024);
        let cached = consumer.health().cached_bytes;
        assert!(cached <= most, "{cached} of {most}");
        gate.add_permits(16 * 32);
        until("all messages", || seen.all().len() >= 16 * 32).await;
        let places: std::collections::BTreeSet<_> =
            seen.all().into_iter().map(|message| (message.queue, message.offset)).collect();
        assert_eq!(places.len(), 16 * 32, "none is lost, and none comes twice");
        consumer.shutdown().await.unwrap();
    });
}

/// A line of `/proc/self/status`, in bytes.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    value.trim_start_matches(':').split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the floods, in a process of its own"]
async fn the_consumer_of_a_flood() {
    let (name_server, count) = (std::env::var(NAME_SERVER).unwrap(), std::env::var(FLOOD).unwrap());
    let count: usize = count.parse().unwrap();
    let (seen, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (done, opens) = (seen.clone(), gate.clone());
    let consumer = PushConsumer::builder(GROUP)
        .name_server_addr(name_server)
        .option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_cache_limit(BUDGET);
        })
        .subscribe(TOPIC, "*")
        .listener(move |message, _| {
            let (done, opens) = (done.clone(), opens.clone());
            async move {
                assert_eq!(message.body().len(), BODY);
                opens.acquire().await.unwrap().forget();
                done.add_permits(1);
            }
        })
        .build()
        .unwrap();
    let before = memory("VmRSS");
    consumer.start().await.unwrap();
    let budgeted = || {
        let health = consumer.health();
        let throttled = |state| matches!(state, QueueState::Throttled(Throttle::Budget));
        health.queues.iter().any(|queue| throttled(queue.state)) && health.cached_bytes >= BUDGET
    };
    until("the budget is used up", budgeted).await;
    sleep(Duration::from_millis(500)).await;
    let stalled = consumer.get_stats().unwrap();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(consumer.get_stats().unwrap().received_count, stalled.received_count, "pulling pauses");
    gate.add_permits(count);
    until("all messages", || seen.available_permits() >= count).await;
    let grew = memory("VmHWM").saturating_sub(before);
    println!("\n{GREW} {}", grew / MIB);
    assert!(grew <= BUDGET + 64 * MIB, "grew by {} MiB", grew / MIB);
    assert!(grew >= BUDGET / 2, "the flood was not held: {} MiB", grew / MIB);
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn c13_a_queue_that_waits_for_the_budget_goes_on_when_another_queue_is_released() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.cluster.create_topic("Other", 1).unwrap();
        let seen = Seen::default();
        let collect = seen.clone();
        let consumer = scene
            .member_with(|option| _ = option.set_cache_limit(20_000).set_consume_concurrency(2))
            .subscribe("Other", "*")
            .listener(move |message, _| {
                collect.add(&message);
                async move {
                    if message.topic() == "Other" {
                        std::future::pending::<()>().await;
                    }
                }
            })
            .start()
            .await
            .unwrap();
        scene.producer.send(Message::new("Other", vec![b'o'; 30_000])).await.unwrap();
        until("the other topic has the budget", || consumer.health().cached_bytes > 30_000).await;
        scene.send(bodies("m", 8)).await;
        let waits = || {
            let health = consumer.health();
            let waiting = |queue: &&rocketmq::consumer::QueueHealth| {
                queue.queue.topic() == TOPIC && queue.state == QueueState::Throttled(Throttle::Budget)
            };
            health.queues.iter().filter(waiting).count() == 4
        };
        // Pulls that were held at the brokers bring one message each.
        until("the topic waits for the budget", waits).await;
        consumer.unsubscribe("Other").await.unwrap();
        seen.wait_for(1 + 8).await;
        consumer.shutdown().await.unwrap();
    });
}

#[tokio::test]
async fn c14_neighbours_of_records_that_cannot_be_read_are_delivered() {
    for (damage, record) in [
        (RecordDamage::Crc, 3),
        (RecordDamage::Body, 0),
        (RecordDamage::Magic, 9),
        (RecordDamage::Size, 5),
        (RecordDamage::Bomb, 4),
    ] {
        let scene = Scene::on_sockets(|builder| builder).await;
        scene.cluster.create_topic("One", 1).unwrap();
        for body in bodies("m", 10) {
            scene.producer.send(Message::new("One", body)).await.unwrap();
        }
        let change = AnswerChange::new().damage(record, damage);
        scene.cluster.inject(
            Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(change)).topic("One").times(1),
        );
        let seen = Seen::default();
        let consumer = scene.member().subscribe("One", "*").listener(seen.listener()).build().unwrap();
        let mut events = consumer.events();
        let before = memory("VmHWM");
        consumer.start().await.unwrap();
        // A size that leads nowhere hides the rest of the answer: it is pulled again, whole this time.
        let lost = if damage == RecordDamage::Size { 0 } else { 1 };
        seen.wait_for(10 - lost).await;
        let is_stored = || scene.cluster.message_count(&mix_all::dlq_topic(GROUP)) == lost;
        until("the dead letter", is_stored).await;
        let report = consumer.shutdown().await.unwrap();
        assert!(report.is_clean(), "{damage:?}: {report:?}");
        let broken = format!("m{record}");
        assert_eq!(seen.counts().contains_key(&broken), lost == 0, "{damage:?}");
        seen.assert_no_duplicates();
        seen.assert_complete(bodies("m", 10).filter(|body| lost == 0 || *body != broken));
        let undecodable: Vec<_> = drain(&mut events)
            .into_iter()
            .filter_map(|event| match event {
                ConsumerEvent::MessageUndecodable { offset, reason, .. } => Some((offset, reason)),
                _ => None,
            })
            .collect();
        assert_eq!(undecodable.len(), 1, "{damage:?}: {undecodable:?}");
        if damage == RecordDamage::Bomb {
            assert!(memory("VmHWM") - before < 128 * MIB, "the bomb of 1 GiB is not inflated");
        }
        let committed = scene.cluster.group_offsets(GROUP, "One").into_values().collect::<Vec<_>>();
        assert_eq!(committed, [10], "{damage:?}");
    }
    let what = "a wrong CRC, flipped bits, a wrong magic number or size, a bomb of 1 GiB:";
    tell(Row::C14, format!("{what} all 9 neighbours delivered once, the record is a dead letter"));
}

#[test]
fn c14_a_record_whose_size_cannot_be_read_costs_itself_only() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.cluster.create_topic("One", 1).unwrap();
        for body in bodies("m", 10) {
            scene.producer.send(Message::new("One", body)).await.unwrap();
        }
        // The disk is damaged: each answer that begins there is.
        let seen = Seen::default();
        let first = AnswerChange::new().damage(4, RecordDamage::Size);
        let fault = |change, times| {
            Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(change)).topic("One").times(times)
        };
        scene.cluster.inject(fault(first, 1));
        scene.cluster.inject(fault(AnswerChange::new().damage(0, RecordDamage::Size), 2));
        let consumer = scene.member().subscribe("One", "*").listener(seen.listener()).start().await.unwrap();
        seen.wait_for(9).await;
        until("the dead letter", || scene.cluster.message_count(&mix_all::dlq_topic(GROUP)) == 1).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
        seen.assert_no_duplicates();
        seen.assert_complete(bodies("m", 10).filter(|body| body != "m4"));
        let committed = scene.cluster.group_offsets(GROUP, "One").into_values().collect::<Vec<_>>();
        assert_eq!(committed, [10]);
    });
}

/// The record of a message, as a broker stores it.
fn record(body: &'static str, queue_offset: i64) -> bytes::Bytes {
    let header = RecordHeader { queue_offset, ..RecordHeader::default() };
    let mut record = bytes::BytesMut::new();
    let message = MessageExt::new(Message::new("One", body), header);
    encode_record(&RecordFields::from(&message), &mut record).unwrap();
    record.freeze()
}

#[test]
fn c14_a_record_with_a_wrong_offset_passes_no_other_message() {
    for offset in [1 << 40, i64::MAX, -7] {
        simulate(async {
            let scene = Scene::new(|builder| builder).await;
            scene.cluster.create_topic("One", 1).unwrap();
            for body in bodies("m", 10) {
                scene.producer.send(Message::new("One", body)).await.unwrap();
            }
            let change = FaultAction::ChangeAnswer(AnswerChange::new().body(record("m0", offset)));
            scene.cluster.inject(Fault::on(RequestCode::PULL_MESSAGE, change).topic("One").times(1));
            let seen = Seen::default();
            let member = scene.member_with(|option| _ = option.set_pull_batch_size(1)).subscribe("One", "*");
            let consumer = member.listener(seen.listener()).start().await.unwrap();
            seen.wait_for(10).await;
            assert!(consumer.shutdown().await.unwrap().is_clean());
            seen.assert_once_in_order();
            let committed = scene.cluster.group_offsets(GROUP, "One").into_values().collect::<Vec<_>>();
            assert_eq!(committed, [10], "{offset}");
        });
    }
}

#[test]
fn c14_an_end_of_a_queue_that_cannot_be_true_stops_no_commit() {
    for end in [i64::MIN, i64::MAX] {
        simulate(async {
            let scene = Scene::new(|builder| builder).await;
            let change = AnswerChange::new().field("maxOffset", end.to_string());
            scene.cluster.inject(Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(change)));
            let seen = Seen::default();
            let consumer = scene.member().listener(seen.listener()).start().await.unwrap();
            for _ in 0..2 {
                // The commits of an interval, with the figures of all queues.
                scene.send(bodies("m", 4)).await;
                sleep(Duration::from_secs(6)).await;
            }
            let lag = consumer.health().lag();
            assert_eq!(lag, if end == i64::MIN { 0 } else { i64::MAX });
            let committed = || scene.cluster.group_offsets(GROUP, TOPIC).into_values().sum::<i64>() == 8;
            assert!(committed(), "by the interval, and not only with the next pull");
            consumer.shutdown().await.unwrap();
        });
    }
}

#[test]
fn c18_brokers_that_put_consumers_off_get_few_requests_and_serve_them_afterwards() {
    let refuse = |code| FaultAction::Refuse { code, remark: "not now".to_owned() };
    let (mut busiest, mut slowest) = (0, Duration::ZERO);
    for (name, action) in [
        ("GO_AWAY", FaultAction::GoAway),
        ("24", refuse(ResponseCode::SUBSCRIPTION_NOT_EXIST)),
        ("25", refuse(ResponseCode::SUBSCRIPTION_NOT_LATEST)),
        ("215", refuse(ResponseCode::FLOW_CONTROL)),
        ("2", refuse(ResponseCode::SYSTEM_BUSY)),
        ("1", refuse(ResponseCode::SYSTEM_ERROR)),
    ] {
        let (most, healed) = simulate(async {
            let scene = Scene::new(|builder| builder).await;
            let seen = Seen::default();
            let consumer = scene.member().listener(seen.listener()).start().await.unwrap();
            scene.send(bodies("before", 40)).await;
            seen.wait_for(40).await;
            let began = scene.cluster.now();
            scene.cluster.inject(Fault::on(RequestCode::PULL_MESSAGE, action));
            // Messages end the pulls that are held.
            scene.send(bodies("while", 40)).await;
            sleep(Duration::from_secs(10)).await;
            let mut seconds: BTreeMap<u64, usize> = BTreeMap::new();
            for request in scene.cluster.requests() {
                if let Ok(after) = request.at.duration_since(began)
                    && request.server.starts_with("broker")
                    && request.code != RequestCode::SEND_MESSAGE_V2
                {
                    *seconds.entry(after.as_secs()).or_default() += 1;
                }
            }
            println!("{name}: requests by second: {:?}", seconds.values().collect::<Vec<_>>());
            // Five queues, the retry topic's included.
            let later = seconds.iter().filter(|(second, _)| **second >= 1);
            let most = later.map(|(_, count)| *count).max().unwrap_or(0);
            assert!(most <= 5 * 4, "{name}: {seconds:?}");
            assert!(seconds.values().sum::<usize>() <= 5 * 60, "{name}: {seconds:?}");
            scene.cluster.clear_faults();
            let healed = Instant::now();
            scene.send(bodies("after", 40)).await;
            until_within(Duration::from_secs(7), name, || seen.distinct() == 120).await;
            let healed = healed.elapsed();
            seen.assert_once_in_order();
            scene.ends_committed(consumer).await;
            (most, healed)
        });
        (busiest, slowest) = (busiest.max(most), slowest.max(healed));
    }
    let what = format!("after the first second at most {busiest} requests per second for 5 queues");
    tell(Row::C18, format!("{what}; all delivered {slowest:?} after the heal at the latest"));
}
