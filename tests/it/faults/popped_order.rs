//! Members that pop: the order, deadlines, and readers of streams that wait for acknowledgements.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::admin::MessageRequestMode;
use rocketmq::consumer::{OrderlyOutcome, PushConsumer};
use rocketmq::model::{Message, MessageQueue};
use tokio::time::{Instant, sleep, timeout};

use super::popping::{INVISIBLE, assert_nothing_left, member, popping_scene, set_mode};
use super::scene::{Scene, Seen, TOPIC, bodies, simulate, until, until_within};

/// Handlers of each queue that run now.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<BTreeMap<MessageQueue, usize>>>);

impl Running {
    fn change(&self, queue: &MessageQueue, by: isize) {
        let mut running = self.0.lock().unwrap();
        let count = running.entry(queue.clone()).or_default();
        *count = count.checked_add_signed(by).unwrap();
        assert!(*count <= 1, "{queue} has two handlers");
    }
}

async fn in_order(scene: &Scene, seen: &Seen, running: &Running, work: Duration) -> PushConsumer {
    let (seen, running) = (seen.clone(), running.clone());
    let member =
        member(scene, |option| _ = option.set_pop_batch_nums(8)).orderly_listener(move |message, _| {
            seen.add(&message);
            let running = running.clone();
            async move {
                let queue = message.message_queue();
                running.change(&queue, 1);
                sleep(work).await;
                running.change(&queue, -1);
                OrderlyOutcome::Success
            }
        });
    member.start().await.unwrap()
}

fn queue(number: i32) -> MessageQueue {
    MessageQueue::new(TOPIC, "broker-a", number)
}

/// A batch takes much longer than its messages are hidden: those that wait are hidden for longer, too, and their order stays.
#[test]
fn a_popped_batch_keeps_its_order_and_its_member_for_much_longer_than_it_is_hidden() {
    simulate(async {
        let scene = popping_scene().await;
        let (seen, running) = (Seen::default(), Running::default());
        for number in 0..24 {
            let message = Message::new(TOPIC, format!("m{number}"));
            scene.producer.send_to(message, &queue(number % 2)).await.unwrap();
        }
        let work = Duration::from_secs(2);
        let first = in_order(&scene, &seen, &running, work).await;
        let second = in_order(&scene, &seen, &running, work).await;
        until_within(Duration::from_secs(120), "all", || seen.distinct() == 24).await;
        until("acknowledgements", || {
            first.get_stats().unwrap().ack_count + second.get_stats().unwrap().ack_count == 24
        })
        .await;
        assert!(work * 8 > INVISIBLE * 3, "a batch takes that long");
        seen.assert_in_order();
        seen.assert_no_duplicates();
        assert_nothing_left(&first, &seen).await;
        assert_nothing_left(&second, &seen).await;
        assert!(first.shutdown().await.unwrap().is_clean());
        assert!(second.shutdown().await.unwrap().is_clean());
    });
}

/// What waited while its member was suspended cannot be hidden for longer any more: it is left to its broker, because the next
/// member could get it while its handler runs.
#[test]
fn a_member_that_was_suspended_begins_no_message_that_another_member_is_about_to_get() {
    simulate(async {
        let scene = popping_scene().await;
        let (seen, running) = (Seen::default(), Running::default());
        let work = Duration::from_secs(2);
        let first = in_order(&scene, &seen, &running, work).await;
        first.suspend();
        for number in 0..3 {
            scene.producer.send_to(Message::new(TOPIC, format!("m{number}")), &queue(0)).await.unwrap();
        }
        until("popped", || first.get_stats().unwrap().cached_count > 0).await;
        let second = in_order(&scene, &seen, &running, work).await;
        sleep(INVISIBLE * 9 / 10).await;
        first.resume();
        until_within(Duration::from_secs(60), "all", || seen.distinct() == 3).await;
        assert_nothing_left(&first, &seen).await;
        assert_nothing_left(&second, &seen).await;
        seen.assert_in_order();
        seen.assert_no_duplicates();
        assert!(first.shutdown().await.unwrap().is_clean());
        assert!(second.shutdown().await.unwrap().is_clean());
    });
}

/// The handler of a popped message may run when its queue is to be pulled: the next message waits for it.
#[test]
fn the_order_stays_when_a_group_pops_no_more() {
    simulate(async {
        let scene = popping_scene().await;
        let (seen, running) = (Seen::default(), Running::default());
        let work = Duration::from_millis(700);
        let members =
            [in_order(&scene, &seen, &running, work).await, in_order(&scene, &seen, &running, work).await];
        let mut sent = 0;
        for mode in [MessageRequestMode::Pull, MessageRequestMode::Pop, MessageRequestMode::Pull] {
            let pops = matches!(mode, MessageRequestMode::Pop);
            let send = async |range: std::ops::Range<i32>| {
                for number in range {
                    let message = Message::new(TOPIC, format!("m{number}"));
                    scene.producer.send_to(message, &queue(number % 4)).await.unwrap();
                }
            };
            send(sent..sent + 40).await;
            set_mode(&scene, mode).await;
            send(sent + 40..sent + 80).await;
            sent += 80;
            until("the mode", || {
                members.iter().all(|member| {
                    let health = member.health();
                    let mut of_topic = health.queues.iter().filter(|queue| queue.queue.topic() == TOPIC);
                    of_topic.all(|queue| queue.unacknowledged.is_some() == pops)
                })
            })
            .await;
        }
        until_within(Duration::from_secs(300), "all", || seen.distinct() == sent as usize).await;
        seen.assert_in_order();
        for member in members {
            assert!(member.shutdown().await.unwrap().is_clean());
        }
    });
}

/// Nothing that was popped can be acknowledged or handed back: the deadline holds, and the report says so.
#[test]
fn a_shutdown_holds_its_deadline_while_no_broker_takes_acknowledgements() {
    simulate(async {
        for is_orderly in [false, true] {
            let scene = popping_scene().await;
            let running = Arc::new(AtomicUsize::new(0));
            let count = running.clone();
            let handle = async move |work: Duration| {
                count.fetch_add(1, Ordering::Relaxed);
                sleep(work).await;
            };
            let handle = Arc::new(handle);
            let builder = member(&scene, |option| _ = option.set_pop_invisible_time(60_000));
            let work = Duration::from_secs(2);
            let consumer = match is_orderly {
                true => builder.orderly_listener(move |_, _| {
                    let handle = handle.clone();
                    async move {
                        handle(work).await;
                        OrderlyOutcome::Success
                    }
                }),
                false => builder.listener(move |_, _| {
                    let handle = handle.clone();
                    async move { handle(work).await }
                }),
            };
            let consumer = consumer.start().await.unwrap();
            scene.send(bodies("m", 40)).await;
            until("handlers run", || running.load(Ordering::Relaxed) >= 4).await;
            scene.black_hole("broker-a");
            let (limit, began) = (Duration::from_secs(6), Instant::now());
            let report = consumer.shutdown_within(limit).await.unwrap();
            assert!(began.elapsed() <= limit + Duration::from_millis(500), "{:?}", began.elapsed());
            assert!(report.unacknowledged > 0, "{report:?}");
            assert_eq!(report.unfinished, 0, "handlers had the time to end: {report:?}");
            assert_eq!(report.not_unregistered.len(), 1, "{report:?}");
            scene.end_black_hole("broker-a");
        }
    });
}

async fn streaming(
    scene: &Scene,
    consume_timeout: Duration,
) -> (PushConsumer, rocketmq::consumer::MessageStream) {
    let millis = u64::try_from(consume_timeout.as_millis()).unwrap();
    let consumer = member(scene, |option| _ = option.set_consume_timeout(millis).set_timeout_grace(1_000));
    let consumer = consumer.build().unwrap();
    let messages = consumer.messages().unwrap();
    consumer.start().await.unwrap();
    (consumer, messages)
}

/// A delivery that is out of time is its broker's again: its reader learns it at once, though no acknowledgement ever ends.
#[test]
fn a_popped_delivery_that_is_out_of_time_tells_its_reader() {
    simulate(async {
        let scene = popping_scene().await;
        let (consumer, mut messages) = streaming(&scene, Duration::from_secs(7)).await;
        scene.send(bodies("m", 1)).await;
        let late = messages.next().await.unwrap().unwrap();
        sleep(Duration::from_secs(9)).await;
        let told = timeout(Duration::from_secs(1), late.ack_committed()).await.expect("at once");
        let told = told.unwrap_err().to_string();
        assert!(told.contains("too late"), "{told}");
        let again = messages.next().await.unwrap().unwrap();
        assert_eq!(again.reconsume_times(), 1);
        again.ack_committed().await.unwrap();
        assert_eq!(consumer.get_stats().unwrap().ack_count, 1);
        drop(messages);
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}

/// No broker answers any more, and the consumer ends: who waits for an acknowledgement learns that none is known.
#[test]
fn a_reader_that_waits_for_an_acknowledgement_learns_of_the_end() {
    simulate(async {
        let scene = popping_scene().await;
        let (consumer, mut messages) = streaming(&scene, Duration::from_secs(60)).await;
        scene.send(bodies("m", 1)).await;
        let delivery = messages.next().await.unwrap().unwrap();
        scene.black_hole("broker-a");
        let waiting = tokio::spawn(delivery.ack_committed());
        sleep(Duration::from_secs(1)).await;
        let report = consumer.shutdown_within(Duration::from_secs(3)).await.unwrap();
        assert_eq!(report.unacknowledged, 1, "{report:?}");
        let told = timeout(Duration::from_secs(1), waiting).await.expect("it waits no more").unwrap();
        assert!(told.unwrap_err().to_string().contains("too late"));
        scene.end_black_hole("broker-a");
    });
}
