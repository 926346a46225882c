//! C12: listeners that panic, fail, hang and block. C24: a runtime that stands still.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq::consumer::{ConsumeFailure, ConsumerEvent};
use rocketmq::model::mix_all;
use rocketmq_namesrv_mock::RequestCode;
use tokio::time::{Instant, advance, sleep};

use super::scene::{GROUP, Scene, Seen, TOPIC, bodies, drain, simulate, until, until_within};
use super::table::{Row, seen as tell};

#[test]
fn c12_a_message_that_panics_and_one_that_fails_become_dead_letters_and_one_that_hangs_comes_again() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let (seen, hung) = (Seen::default(), Arc::new(AtomicUsize::new(0)));
        let (collect, hang) = (seen.clone(), hung.clone());
        let consumer = scene
            .member_with(|option| _ = option.set_consume_timeout(60_000).set_consume_concurrency(4))
            .listener(move |message, _| {
                collect.add(&message);
                let hang = hang.clone();
                async move {
                    match &message.body()[..] {
                        b"panics" => panic!("no such customer"),
                        b"fails" => return Err(ConsumeFailure::from("out of stock")),
                        b"hangs" if hang.fetch_add(1, Ordering::SeqCst) == 0 => pending::<()>().await,
                        _ => {}
                    }
                    Ok(())
                }
            })
            .build()
            .unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        let began = Instant::now();
        scene.send(["panics", "fails", "hangs"].map(str::to_owned)).await;
        // Neighbours in the same queues, meanwhile.
        for round in 0..20 {
            let sent = Instant::now();
            scene.send(bodies(&format!("well{round}-"), 8)).await;
            seen.wait_for(3 + 8 * (round + 1)).await;
            assert!(sent.elapsed() < Duration::from_millis(50), "round {round}: {:?}", sent.elapsed());
            sleep(Duration::from_secs(7)).await;
        }
        // The levels of 16 deliveries add up to 4 h 45 min.
        let letters = || scene.cluster.messages(&mix_all::dlq_topic(GROUP));
        until_within(Duration::from_secs(6 * 3600), "two dead letters", || letters().len() == 2).await;
        assert!(began.elapsed() > Duration::from_secs(4 * 3600));
        let counts = seen.counts();
        assert_eq!((counts["panics"], counts["fails"], counts["hangs"]), (17, 17, 2));
        assert!(counts.iter().all(|(body, count)| !body.starts_with("well") || *count == 1), "{counts:?}");
        for letter in letters() {
            let body = String::from_utf8_lossy(letter.body()).into_owned();
            let reason = letter.property("DLQ_REASON").unwrap().to_owned();
            match &*body {
                "panics" => assert_eq!(reason, "the listener panicked: no such customer"),
                "fails" => assert_eq!(reason, "out of stock"),
                other => panic!("{other}"),
            }
        }
        until("their answers", || consumer.get_stats().unwrap().dead_letter_count == 2).await;
        let stats = consumer.get_stats().unwrap();
        assert_eq!((stats.panic_count, stats.timeout_count, stats.dead_letter_count), (17, 1, 2));
        assert_eq!(stats.consume_failure_count, 17 + 17 + 1);
        let events = drain(&mut events);
        let count = |is: fn(&ConsumerEvent) -> bool| events.iter().filter(|event| is(event)).count();
        assert_eq!(count(|event| matches!(event, ConsumerEvent::ListenerPanicked { .. })), 17);
        assert_eq!(count(|event| matches!(event, ConsumerEvent::ListenerSlow { .. })), 1);
        assert_eq!(count(|event| matches!(event, ConsumerEvent::DeadLettered { .. })), 2);
        scene.ends_committed(consumer).await;
        let what = "17 deliveries each of a message that panics and one that fails, then dead letters with their reasons;";
        tell(Row::C12, format!("{what} one hang, 2 deliveries; 160 others once, each within 50 ms"));
    });
}

#[test]
fn c12_a_handler_that_blocks_its_thread_is_not_handed_its_message_twice_and_harms_no_other() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let scene = Scene::on_sockets(|builder| builder).await;
        let seen = Seen::default();
        let collect = seen.clone();
        let consumer = scene
            .member_with(|option| _ = option.set_consume_timeout(300).set_timeout_grace(100))
            .listener(move |message, _| {
                collect.add(&message);
                if &message.body()[..] == b"blocks" {
                    std::thread::sleep(Duration::from_secs(3));
                }
                async {}
            })
            .start()
            .await
            .unwrap();
        let began = Instant::now();
        scene.send(["blocks".to_owned()]).await;
        seen.wait_for(1).await;
        for round in 0..10 {
            let sent = Instant::now();
            scene.send(bodies(&format!("well{round}-"), 20)).await;
            seen.wait_for(1 + 20 * (round + 1)).await;
            assert!(sent.elapsed() < Duration::from_millis(800), "round {round}: {:?}", sent.elapsed());
        }
        assert!(began.elapsed() < Duration::from_secs(3), "all of that while one handler blocks");
        until("its end", || began.elapsed() > Duration::from_secs(4)).await;
        assert!(scene.requests_of(RequestCode::CONSUMER_SEND_MSG_BACK).is_empty());
        seen.assert_no_duplicates();
        scene.ends_committed(consumer).await;
    });
}

/// How long the runtime stands still: longer than a lock lives, and than any request may take.
const STARVED: Duration = Duration::from_secs(40);

#[test]
fn c24_after_a_runtime_stood_still_no_handler_starts_on_the_old_lock() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 400)).await;
        let (seen, stolen) = (Seen::default(), Arc::new(AtomicUsize::new(0)));
        let (collect, is_stolen) = (seen.clone(), stolen.clone());
        let violations = Arc::new(AtomicUsize::new(0));
        let violated = violations.clone();
        let consumer = scene
            .member()
            .orderly_listener(move |message, _| {
                collect.add(&message);
                if is_stolen.load(Ordering::SeqCst) == 1 {
                    violated.fetch_add(1, Ordering::SeqCst);
                }
                async { sleep(Duration::from_millis(100)).await }
            })
            .build()
            .unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        until("a few handlers", || seen.distinct() > 20).await;
        // Another member takes the locks over while nothing runs here.
        advance(STARVED).await;
        let queues: Vec<_> =
            scene.cluster.queue_offsets(TOPIC).into_iter().map(|queue| queue.queue).collect();
        for queue in &queues {
            scene.cluster.steal_lock(GROUP, queue, "another@1").unwrap();
        }
        let running = seen.all().len();
        stolen.store(1, Ordering::SeqCst);
        sleep(Duration::from_secs(20)).await;
        assert_eq!(
            violations.load(Ordering::SeqCst),
            0,
            "handlers started on a lock that another member has"
        );
        assert_eq!(seen.all().len(), running);
        tell(
            Row::C24,
            "no handler started on locks that another member has taken; no send-back, no message twice",
        );
        stolen.store(0, Ordering::SeqCst);
        scene.cluster.forget_locks(GROUP);
        seen.wait_for(400).await;
        seen.assert_in_order();
        assert!(drain(&mut events).iter().any(|event| matches!(event, ConsumerEvent::LockLost { .. })));
        scene.ends_committed(consumer).await;
    });
}

#[test]
fn c24_after_a_runtime_stood_still_no_message_is_sent_back_for_its_time() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let seen = Seen::default();
        let collect = seen.clone();
        let consumer = scene
            .member_with(|option| _ = option.set_consume_timeout(20_000))
            .listener(move |message, context| {
                collect.add(&message);
                async move {
                    for _ in 0..3 {
                        sleep(Duration::from_secs(1)).await;
                    }
                    drop(context);
                }
            })
            .start()
            .await
            .unwrap();
        for round in 0..3 {
            scene.send(bodies(&format!("m{round}-"), 12)).await;
            seen.wait_for(12 * (round + 1)).await;
            advance(STARVED).await;
        }
        sleep(Duration::from_secs(30)).await;
        assert!(scene.requests_of(RequestCode::CONSUMER_SEND_MSG_BACK).is_empty());
        seen.assert_no_duplicates();
        scene.ends_committed(consumer).await;
    });
}

#[test]
fn c24_answers_that_came_while_the_runtime_stood_still_count() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let seen = Seen::default();
        let collect = seen.clone();
        let consumer = scene
            .member()
            .listener(move |message, _| {
                collect.add(&message);
                let fails = message.reconsume_times() == 0;
                async move { if fails { Err(ConsumeFailure::from("not yet")) } else { Ok(()) } }
            })
            .start()
            .await
            .unwrap();
        // Long enough alone in the group that a message could be sent to the retry topic.
        sleep(Duration::from_secs(100)).await;
        let half_a_second = Duration::from_millis(500);
        scene.send(bodies("m", 8)).await;
        scene.network.as_ref().unwrap().set_latency(half_a_second..=half_a_second);
        let answered = || {
            let back = scene.requests_of(RequestCode::CONSUMER_SEND_MSG_BACK);
            back.iter().filter(|request| request.answered_at.is_some()).count() == 8
        };
        // The answers are under way.
        until("send-backs", answered).await;
        advance(STARVED).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(scene.requests_of(RequestCode::CONSUMER_SEND_MSG_BACK).len(), 8);
        assert_eq!(scene.cluster.message_count(&mix_all::retry_topic(GROUP)), 8, "each was stored once");
        assert!(seen.counts().values().all(|count| *count == 2), "{:?}", seen.counts());
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}
