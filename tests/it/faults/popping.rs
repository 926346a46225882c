//! C15: acknowledgements of popped messages that are late or lost, and handles of a broker that was restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq::admin::{Brokers, MessageRequestMode};
use rocketmq::client::MQClient;
use rocketmq::conf::{ClientOption, ConsumerOption};
use rocketmq::consumer::{
    ConsumeFailure, ConsumeFromWhere, ConsumerEvent, ConsumerStats, PushConsumer, PushConsumerBuilder,
};
use rocketmq::model::mix_all;
use rocketmq_namesrv_mock::{BrokerEvent, Fault, FaultAction, RecordDamage, RequestCode};
use rocketmq_remoting::protocol::ResponseCode;
use tokio::time::{Instant, sleep};

use super::scene::{GROUP, Scene, Seen, TOPIC, bodies, simulate, until, until_within};
use super::table::{Row, seen as tell};

/// How long a message is invisible in these tests.
pub(super) const INVISIBLE: Duration = Duration::from_secs(5);

pub(super) async fn popping_scene() -> Scene {
    let scene = Scene::new(|builder| builder).await;
    set_mode(&scene, MessageRequestMode::Pop).await;
    scene
}

/// An operator has the group pop or pull.
pub(super) async fn set_mode(scene: &Scene, mode: MessageRequestMode) {
    let mut option = ClientOption::default();
    option.set_name_server_addr(scene.cluster.name_server_addr());
    option.set_transport(Arc::new(scene.network.clone().unwrap()));
    let client = MQClient::new(option);
    client.start().await.unwrap();
    let set = client.admin().set_message_request_mode(TOPIC, GROUP, mode, 0, &Brokers::All).await;
    assert!(set.unwrap().is_complete());
    client.shutdown().await.unwrap();
}

pub(super) fn member(scene: &Scene, change: impl FnOnce(&mut ConsumerOption)) -> PushConsumerBuilder {
    scene.member_with(|option| {
        let millis = u64::try_from(INVISIBLE.as_millis()).unwrap();
        option.set_client_rebalance(false).set_pop_invisible_time(millis);
        change(option);
    })
}

/// Each message is with no member any more, and each member has forgotten it; it stays so.
pub(super) async fn assert_nothing_left(consumer: &PushConsumer, seen: &Seen) {
    let open = |consumer: &PushConsumer| -> usize {
        consumer.health().queues.iter().filter_map(|queue| queue.unacknowledged).sum()
    };
    until("nothing is open", || open(consumer) == 0).await;
    let count = seen.all().len();
    sleep(Duration::from_secs(120)).await;
    assert_eq!(seen.all().len(), count, "nothing comes again: {:?}", seen.counts());
    let stats = consumer.get_stats().unwrap();
    assert_eq!((stats.cached_count, stats.cached_bytes, stats.in_flight), (0, 0, 0));
}

/// How often a broker took an acknowledgement of each message at most.
fn acknowledged(scene: &Scene) -> usize {
    let acks = scene.cluster.history().into_iter().filter_map(|entry| match entry.event {
        BrokerEvent::Acknowledged { queue, offset, .. } => Some((queue, offset)),
        _ => None,
    });
    acks.count()
}

async fn collecting(member: PushConsumerBuilder, seen: &Seen, first: Duration) -> PushConsumer {
    let collect = seen.clone();
    let consumer = member.listener(move |message, _| {
        collect.add(&message);
        let work = if message.reconsume_times() == 0 { first } else { Duration::ZERO };
        sleep(work)
    });
    consumer.start().await.unwrap()
}

#[test]
fn c15_an_acknowledgement_that_is_too_late() {
    simulate(async {
        let scene = popping_scene().await;
        let seen = Seen::default();
        let consumer =
            collecting(member(&scene, |option| _ = option.set_pop_auto_extend(false)), &seen, 2 * INVISIBLE)
                .await;
        scene.send(bodies("m", 8)).await;
        until("each message twice", || seen.all().len() == 16).await;
        until("late ones are counted", || consumer.get_stats().unwrap().late_ack_count == 8).await;
        until("acknowledgements", || consumer.get_stats().unwrap().ack_count == 8).await;
        assert_eq!(acknowledged(&scene), 8, "what is too late is not sent");
        assert_nothing_left(&consumer, &seen).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());

        // In a stream, its reader is told.
        let consumer = member(&scene, |option| _ = option.set_pop_auto_extend(false)).build().unwrap();
        let mut messages = consumer.messages().unwrap();
        consumer.start().await.unwrap();
        scene.send(bodies("streamed", 1)).await;
        let first = messages.next().await.unwrap().unwrap();
        sleep(INVISIBLE + Duration::from_millis(100)).await;
        let late = first.ack_committed().await.unwrap_err().to_string();
        assert!(late.contains("too late"), "{late}");
        messages.next().await.unwrap().unwrap().ack_committed().await.unwrap();
        assert!(consumer.shutdown().await.unwrap().is_clean());
        note("late: 8 of 8 came once more, counted, none was sent to the broker, a stream's reader is told");
    });
}

/// A broker answers 0 to an acknowledgement of a message that can be seen again already.
#[test]
fn c15_an_acknowledgement_that_reaches_its_broker_too_late() {
    simulate(async {
        let scene = popping_scene().await;
        let consumer = member(&scene, |option| _ = option.set_pop_auto_extend(false)).build().unwrap();
        let mut messages = consumer.messages().unwrap();
        consumer.start().await.unwrap();
        scene.send(bodies("m", 1)).await;
        let first = messages.next().await.unwrap().unwrap();
        let on_its_way = Duration::from_secs(2);
        sleep(INVISIBLE - on_its_way).await;
        let slow = FaultAction::Delay(on_its_way + Duration::from_millis(500));
        scene.cluster.inject(Fault::on(RequestCode::ACK_MESSAGE, slow).times(1));
        let late = first.ack_committed().await.unwrap_err().to_string();
        assert!(late.contains("too late"), "{late}");
        messages.next().await.unwrap().unwrap().ack_committed().await.unwrap();
        let stats = consumer.get_stats().unwrap();
        assert_eq!((stats.ack_count, stats.late_ack_count), (1, 1));
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}

/// Members pop from all queues of a broker at once.
#[test]
fn a_popped_record_that_cannot_be_read_names_the_queue_that_holds_it() {
    simulate(async {
        let scene = popping_scene().await;
        scene.send(bodies("m", 8)).await;
        let queues = scene.cluster.queue_offsets(TOPIC);
        let last = queues.iter().rev().find(|queue| queue.max > 0).unwrap();
        assert!(scene.cluster.damage_record(&last.queue, last.max - 1, RecordDamage::Crc).unwrap());
        let seen = Seen::default();
        let member = member(&scene, |option| _ = option.set_consume_from_where(ConsumeFromWhere::First));
        let consumer = member.listener(seen.listener()).build().unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        let told = loop {
            if let ConsumerEvent::MessageUndecodable { queue, .. } = events.next().await.unwrap() {
                break queue;
            }
        };
        assert_eq!(told, last.queue);
        seen.wait_for(7).await;
        let letters = || scene.cluster.messages(&mix_all::dlq_topic(GROUP));
        until("the dead letter", || letters().len() == 1).await;
        let places = ["DLQ_ORIGIN_TOPIC", "DLQ_ORIGIN_QUEUE_ID", "DLQ_ORIGIN_QUEUE_OFFSET"];
        let (queue_id, offset) = (last.queue.queue_id().to_string(), (last.max - 1).to_string());
        let named = letters().remove(0);
        assert_eq!(places.map(|name| named.property(name)), [Some(TOPIC), Some(&*queue_id), Some(&*offset)]);
        assert_nothing_left(&consumer, &seen).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}

/// Refused and unanswered acknowledgements.
#[test]
fn c15_an_acknowledgement_that_is_lost() {
    simulate(async {
        let on_acks = |scene: &Scene, action: &FaultAction| {
            for code in [RequestCode::ACK_MESSAGE, RequestCode::BATCH_ACK_MESSAGE] {
                scene.cluster.inject(Fault::on(code, action.clone()));
            }
        };
        let run = async |action: FaultAction, lasts: Duration| -> (ConsumerStats, usize) {
            let scene = popping_scene().await;
            let seen = Seen::default();
            let consumer = collecting(member(&scene, |_| {}), &seen, Duration::ZERO).await;
            on_acks(&scene, &action);
            scene.send(bodies("m", 8)).await;
            seen.wait_for(8).await;
            sleep(lasts).await;
            scene.cluster.clear_faults();
            let is_over = || {
                let stats = consumer.get_stats().unwrap();
                stats.ack_count + stats.late_ack_count >= 8
            };
            until("acknowledgements", is_over).await;
            assert_nothing_left(&consumer, &seen).await;
            let stats = consumer.get_stats().unwrap();
            assert!(consumer.shutdown().await.unwrap().is_clean());
            (stats, seen.all().len() - 8)
        };
        let refuse = |code| FaultAction::Refuse { code, remark: String::new() };
        let is_busy = refuse(ResponseCode::SYSTEM_BUSY);
        for action in [FaultAction::DropRequest, FaultAction::DropAnswer, is_busy] {
            // A request without an answer is over after 3 s; the next is in time.
            let (stats, again) = run(action.clone(), Duration::from_millis(500)).await;
            assert_eq!((again, stats.late_ack_count), (0, 0), "{action:?}: repeated in time");
            assert!(stats.ack_failure_count > 0);
            let (_, again) = run(action, Duration::from_secs(12)).await;
            assert!(again <= 16, "{again}");
        }
        let (stats, again) = run(refuse(ResponseCode::MESSAGE_ILLEGAL), Duration::from_millis(500)).await;
        assert_eq!((again, stats.ack_failure_count), (8, 8), "what a broker refuses comes again");
        note("lost for 0.5 s: repeated, none came again; refused: 8 of 8 came once more");
    });
}

#[test]
fn c15_a_request_to_hide_a_message_for_longer_that_is_lost() {
    simulate(async {
        for action in [FaultAction::DropRequest, FaultAction::DropAnswer] {
            let scene = popping_scene().await;
            let seen = Seen::default();
            scene.cluster.inject(Fault::on(RequestCode::CHANGE_MESSAGE_INVISIBLETIME, action.clone()));
            let consumer = collecting(member(&scene, |_| {}), &seen, Duration::from_secs(4)).await;
            scene.send(bodies("m", 4)).await;
            until("all are done once", || seen.all().len() >= 4).await;
            sleep(Duration::from_secs(10)).await;
            let sent = scene.requests_of(RequestCode::CHANGE_MESSAGE_INVISIBLETIME).len();
            assert_eq!(sent, 4, "{action:?}: once with each handle");
            scene.cluster.clear_faults();
            assert_nothing_left(&consumer, &seen).await;
            let again = seen.all().len() - 4;
            assert!(again <= 4, "{action:?}: {again}");
            assert!(consumer.shutdown().await.unwrap().is_clean());
        }
    });
}

#[test]
fn c15_handles_of_a_broker_that_was_restarted() {
    simulate(async {
        let scene = popping_scene().await;
        let (seen, running) = (Seen::default(), Arc::new(AtomicUsize::new(0)));
        let (collect, count) = (seen.clone(), running.clone());
        let consumer = member(&scene, |_| {}).listener(move |message, _| {
            collect.add(&message);
            let count = count.clone();
            async move {
                count.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(2_000)).await;
                count.fetch_sub(1, Ordering::Relaxed);
            }
        });
        let consumer = consumer.start().await.unwrap();
        scene.send(bodies("before", 16)).await;
        until("handlers run", || running.load(Ordering::Relaxed) >= 16).await;
        scene.cluster.crash_broker("broker-a").await.unwrap();
        sleep(Duration::from_secs(1)).await;
        scene.cluster.start_broker("broker-a").await.unwrap();
        let began = Instant::now();
        scene.another_producer().await.send(rocketmq::model::Message::new(TOPIC, "after")).await.unwrap();
        until_within(Duration::from_secs(30), "it pops on", || seen.distinct() == 17).await;
        let on_after = began.elapsed();
        until("all are acknowledged", || consumer.get_stats().unwrap().ack_count >= 17).await;
        assert_nothing_left(&consumer, &seen).await;
        let again = seen.all().len() - 17;
        assert!(again <= 16, "{again}");
        assert!(consumer.shutdown().await.unwrap().is_clean());
        note(&format!("broker restarted: popped on {on_after:?} after its start, {again} of 16 again"));
    });
}

/// Shutdown, and what was popped and not begun.
#[test]
fn c15_what_no_handler_has_begun_is_for_other_members_soon() {
    simulate(async {
        let scene = popping_scene().await;
        let seen = Seen::default();
        let first = collecting(
            member(&scene, |option| _ = option.set_consume_concurrency(1).set_pop_invisible_time(60_000)),
            &seen,
            Duration::from_secs(3),
        )
        .await;
        scene.send(bodies("m", 8)).await;
        until("a handler runs", || seen.distinct() == 1).await;
        sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        assert!(first.shutdown().await.unwrap().is_clean(), "its handler ends, and is acknowledged");
        let second = collecting(member(&scene, |_| {}), &seen, Duration::ZERO).await;
        until_within(Duration::from_secs(20), "the others", || seen.distinct() == 8).await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_nothing_left(&second, &seen).await;
        seen.assert_no_duplicates();
        assert!(second.shutdown().await.unwrap().is_clean());
        note(&format!(
            "shutdown: 7 of 7 with another member after {:?}",
            began.elapsed() - Duration::from_secs(120)
        ));
    });
}

/// Only the handler's own word makes a message a dead letter.
#[test]
fn c15_a_handler_that_a_shutdown_stops_has_not_failed() {
    simulate(async {
        let scene = popping_scene().await;
        let seen = Seen::default();
        let change = |option: &mut ConsumerOption| {
            option.set_max_reconsume_times(0).set_pop_invisible_time(60_000);
        };
        let collect = seen.clone();
        let first = member(&scene, change).listener(move |message, context| {
            collect.add(&message);
            async move {
                context.cancelled.cancelled().await;
                Err::<(), ConsumeFailure>("told to stop".into())
            }
        });
        let first = first.start().await.unwrap();
        scene.send(bodies("m", 4)).await;
        until("handlers run", || seen.distinct() == 4).await;
        let began = Instant::now();
        let report = first.shutdown().await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        let second = member(&scene, change).listener({
            let collect = seen.clone();
            move |message, context| {
                assert_eq!(context.reconsume_times, 0, "a stop counts as no failure");
                collect.add(&message);
                async {}
            }
        });
        let second = second.start().await.unwrap();
        until_within(Duration::from_secs(20), "all with the other member", || seen.all().len() == 8).await;
        assert!(began.elapsed() < Duration::from_secs(10), "soon: {:?}", began.elapsed());
        assert_eq!(scene.cluster.message_count(&mix_all::dlq_topic(GROUP)), 0);
        assert_nothing_left(&second, &seen).await;
        assert!(second.shutdown().await.unwrap().is_clean());
    });
}

/// A busy broker has not looked at the handle: the request is repeated with it, in time.
#[test]
fn c15_a_busy_broker_is_asked_again_to_hide_a_message_for_longer() {
    simulate(async {
        for code in
            [ResponseCode::SYSTEM_BUSY, ResponseCode::FLOW_CONTROL, ResponseCode::SERVICE_NOT_AVAILABLE]
        {
            let scene = popping_scene().await;
            let seen = Seen::default();
            let busy = FaultAction::Refuse { code, remark: "busy".to_owned() };
            let fault = Fault::on(RequestCode::CHANGE_MESSAGE_INVISIBLETIME, busy).times(1);
            scene.cluster.inject(fault);
            let long = |option: &mut ConsumerOption| _ = option.set_pop_invisible_time(12_000);
            let consumer = collecting(member(&scene, long), &seen, Duration::from_secs(30)).await;
            scene.send(bodies("m", 1)).await;
            until("it is acknowledged", || consumer.get_stats().unwrap().ack_count == 1).await;
            assert_eq!(seen.all().len(), 1, "{code:?}: no other handler gets it");
            assert_eq!(consumer.get_stats().unwrap().late_ack_count, 0);
            assert_nothing_left(&consumer, &seen).await;
            assert!(consumer.shutdown().await.unwrap().is_clean());
        }
    });
}

/// Notes what was seen, with what the other tests of the row saw.
fn note(what: &str) {
    use std::sync::Mutex;
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut seen = SEEN.lock().unwrap();
    seen.push(what.to_owned());
    seen.sort();
    tell(Row::C15, seen.join("; "));
}
