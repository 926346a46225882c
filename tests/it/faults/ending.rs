//! C23: shutdowns in each state, within their time and with a true report.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{
    ConsumeFailure, ConsumeOutcome, ConsumerShutdownReport, OrderlyOutcome, PushConsumer, QueueState,
};
use rocketmq::error::MQClientError;
use rocketmq::model::mix_all;
use rocketmq_namesrv_mock::{Fault, FaultAction, RequestCode, ResponseCode};
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, sleep};

use super::scene::{GROUP, Scene, Seen, TOPIC, bodies, simulate, until};
use super::table::{Row, seen as tell};

/// How long a shutdown may take, and how much later it may return.
const LIMIT: Duration = Duration::from_secs(6);
const SLACK: Duration = Duration::from_millis(400);

/// Shuts down in time.
async fn shut_down(consumer: &PushConsumer) -> ConsumerShutdownReport {
    let began = Instant::now();
    let report = consumer.shutdown_within(LIMIT).await.unwrap();
    assert!(began.elapsed() <= LIMIT + SLACK, "{:?}: {report:?}", began.elapsed());
    report
}

/// Another member gets all that is left.
async fn the_next_member_gets(scene: &Scene, rest: usize) {
    let seen = Seen::default();
    let next = scene.member().listener(seen.listener()).start().await.unwrap();
    seen.wait_for(rest).await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(seen.distinct(), rest);
    scene.ends_committed(next).await;
}

fn hanging(scene: &Scene) -> PushConsumer {
    let builder = scene.member_with(|option| {
        option.set_consume_concurrency(3).set_pull_threshold_for_queue(10).set_pull_batch_size(10);
    });
    builder.listener(|_, _| pending::<()>()).build().unwrap()
}

#[test]
fn c23_while_it_starts() {
    simulate(async {
        for stall_name_server in [true, false] {
            let scene = Scene::new(|builder| builder).await;
            scene.send(bodies("m", 20)).await;
            let network = scene.network.as_ref().unwrap();
            let name_server = scene.cluster.name_server_addr().parse().unwrap();
            let broker = scene.cluster.broker_addr("broker-a").unwrap();
            let silent = if stall_name_server { name_server } else { broker };
            network.stall(silent);
            network.set_reachable(silent, false);
            let seen = Seen::default();
            let consumer = scene.member().listener(seen.listener()).build().unwrap();
            let starting = tokio::spawn({
                let consumer = consumer.clone();
                async move { consumer.start().await }
            });
            sleep(Duration::from_millis(500)).await;
            let report = shut_down(&consumer).await;
            assert!(report.is_clean() && report.took < Duration::from_secs(4), "{report:?}");
            let started = starting.await.unwrap();
            assert!(matches!(started, Err(MQClientError::ShutDown { .. })), "{started:?}");
            assert!(matches!(consumer.start().await, Err(MQClientError::ShutDown { .. })));
            shut_down(&consumer).await;
            network.set_reachable(silent, true);
            sleep(Duration::from_secs(60)).await;
            assert_eq!(seen.distinct(), 0, "it does not run");
            assert!(scene.cluster.group_connections(GROUP).is_empty());
            the_next_member_gets(&scene, 20).await;
        }
    });
}

#[test]
fn c23_before_it_started() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let consumer = hanging(&scene);
        let error = consumer.shutdown().await.unwrap_err();
        assert!(matches!(error, MQClientError::NotStarted { .. }), "{error}");
        consumer.start().await.unwrap();
        assert!(shut_down(&consumer).await.is_clean());
    });
}

#[test]
fn c23_a_client_that_shuts_down_while_its_consumer_starts() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 20)).await;
        let network = scene.network.clone().unwrap();
        let mut option = ClientOption::default();
        option.set_name_server_addr(scene.cluster.name_server_addr());
        option.set_transport(Arc::new(network.clone()));
        let client = MQClient::new(option);
        client.start().await.unwrap();
        scene.black_hole("broker-a");
        let consumer = client.push_consumer(GROUP).subscribe(TOPIC, "*").listener(|_, _| async {});
        let starting = tokio::spawn(consumer.start());
        sleep(Duration::from_millis(500)).await;
        client.shutdown().await.unwrap();
        let started = starting.await.unwrap();
        assert!(matches!(started, Err(MQClientError::ShutDown { .. })), "{started:?}");
    });
}

#[test]
fn c23_while_it_is_throttled_and_its_handlers_hang() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 100)).await;
        let consumer = hanging(&scene);
        consumer.start().await.unwrap();
        let throttled = || {
            let health = consumer.health();
            let is_throttled = |state| matches!(state, QueueState::Throttled(_));
            health.queues.iter().filter(|queue| is_throttled(queue.state)).count() == 4
        };
        until("it is throttled", throttled).await;
        let report = shut_down(&consumer).await;
        assert_eq!((report.unfinished, report.is_clean()), (3, false), "{report:?}");
        assert!(report.uncommitted.is_empty() && report.not_unregistered.is_empty(), "{report:?}");
        the_next_member_gets(&scene, 100).await;
    });
}

#[test]
fn c23_while_handlers_hang_and_the_broker_is_dead() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 100)).await;
        let (done, gate) = (Seen::default(), Arc::new(Semaphore::new(8)));
        let collect = done.clone();
        let consumer = scene
            .member_with(|option| _ = option.set_persist_offset_interval(60_000))
            .orderly_listener(move |message, _| {
                let (collect, gate) = (collect.clone(), gate.clone());
                async move {
                    gate.acquire().await.unwrap().forget();
                    collect.add(&message);
                    OrderlyOutcome::Success
                }
            })
            .start()
            .await
            .unwrap();
        done.wait_for(8).await;
        sleep(Duration::from_secs(1)).await;
        scene.black_hole("broker-a");
        let lowest: Vec<_> = consumer
            .health()
            .queues
            .into_iter()
            .filter(|queue| queue.committed != queue.lowest_unfinished)
            .map(|queue| (queue.queue, queue.lowest_unfinished.unwrap()))
            .collect();
        assert!(!lowest.is_empty());
        let report = shut_down(&consumer).await;
        assert!((1..=4).contains(&report.unfinished), "{report:?}");
        let mut uncommitted = report.uncommitted.clone();
        uncommitted.sort();
        assert_eq!(uncommitted, lowest, "each queue that could not be committed");
        assert_eq!(report.still_locked.len(), 5, "{report:?}");
        assert_eq!(report.not_unregistered.len(), 1, "{report:?}");
        let states = "starting, throttled, hanging, locked, waiting for locks, retrying, each broker dead, inside a listener, a stream";
        let took = report.took;
        tell(
            Row::C23,
            format!("{states}: in time, with a true report; limit 6 s, handlers hang, broker dead: {took:?}"),
        );
        scene.end_black_hole("broker-a");
    });
}

#[test]
fn c23_with_each_broker_dead_and_nothing_in_hand() {
    simulate(async {
        let scene = Scene::new(|builder| builder.brokers(4)).await;
        let seen = Seen::default();
        let consumer = scene
            .member_with(|option| _ = option.set_persist_offset_interval(60_000))
            .listener(seen.listener())
            .start()
            .await
            .unwrap();
        sleep(Duration::from_secs(20)).await;
        scene.send(bodies("m", 64)).await;
        seen.wait_for(64).await;
        for broker in ["broker-a", "broker-b", "broker-c", "broker-d"] {
            scene.black_hole(broker);
        }
        let report = shut_down(&consumer).await;
        assert_eq!((report.unfinished, report.still_locked.len()), (0, 0), "{report:?}");
        assert_eq!(report.not_unregistered.len(), 4, "{report:?}");
        for (queue, offset) in &report.uncommitted {
            assert_ne!(scene.cluster.committed_offset(GROUP, queue), Some(*offset), "{queue}");
        }
        let committed = scene
            .cluster
            .queue_offsets(TOPIC)
            .into_iter()
            .filter(|queue| scene.cluster.committed_offset(GROUP, &queue.queue) == Some(queue.max));
        assert_eq!(committed.count() + report.uncommitted.len(), 16, "{report:?}");
    });
}

#[test]
fn c23_while_another_member_has_the_locks() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 20)).await;
        for queue in scene.cluster.queue_offsets(TOPIC) {
            scene.cluster.steal_lock(GROUP, &queue.queue, "another@1").unwrap();
        }
        let consumer = scene.member().orderly_listener(|_, _| async { OrderlyOutcome::Success });
        let consumer = consumer.start().await.unwrap();
        let waits = || consumer.health().queues.iter().any(|queue| queue.state == QueueState::WaitingForLock);
        until("it waits for locks", waits).await;
        let report = shut_down(&consumer).await;
        assert!(report.is_clean() && report.took < Duration::from_secs(1), "{report:?}");
        scene.cluster.forget_locks(GROUP);
        the_next_member_gets(&scene, 20).await;
    });
}

#[test]
fn c23_after_another_member_got_the_locks_its_commits_stand() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 64)).await;
        let queues = scene.cluster.queue_offsets(TOPIC);
        let (gate, seen) = (Arc::new(Semaphore::new(0)), Seen::default());
        let (open, collect) = (gate.clone(), seen.clone());
        let builder = scene.member_with(|option| _ = option.set_consume_concurrency(queues.len()));
        let consumer = builder.orderly_listener(move |message, _| {
            collect.add(&message);
            let open = open.clone();
            async move {
                open.acquire().await.unwrap().forget();
                OrderlyOutcome::Success
            }
        });
        let consumer = consumer.start().await.unwrap();
        seen.wait_for(queues.len()).await;
        for queue in &queues {
            scene.cluster.steal_lock(GROUP, &queue.queue, "another@1").unwrap();
            scene.cluster.commit_offset(GROUP, &queue.queue, queue.max).unwrap();
        }
        // The renewals are refused; then handlers end, and offsets are due twice.
        sleep(Duration::from_secs(12)).await;
        gate.add_permits(64);
        sleep(Duration::from_secs(12)).await;
        assert_eq!(seen.distinct(), queues.len(), "no handler starts without its lock");
        scene.assert_all_committed();
        shut_down(&consumer).await;
        scene.assert_all_committed();
    });
}

#[test]
fn c23_while_it_holds_locks() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 40)).await;
        let seen = Seen::default();
        let collect = seen.clone();
        let consumer = scene.member().orderly_listener(move |message, _| {
            collect.add(&message);
            async {
                sleep(Duration::from_millis(100)).await;
                OrderlyOutcome::Success
            }
        });
        let consumer = consumer.start().await.unwrap();
        seen.wait_for(10).await;
        let report = shut_down(&consumer).await;
        assert!(report.is_clean() && report.took < Duration::from_secs(1), "{report:?}");
        assert!(scene.cluster.group_locks(GROUP).is_empty());
        the_next_member_gets(&scene, 40 - seen.distinct()).await;
        seen.assert_no_duplicates();
    });
}

#[test]
fn c23_while_messages_wait_for_another_try() {
    let failure: fn() -> Result<ConsumeOutcome, ConsumeFailure> = || Err("no".into());
    let dead: fn() -> Result<ConsumeOutcome, ConsumeFailure> =
        || Ok(ConsumeOutcome::DeadLetter { reason: "no".to_owned() });
    for outcome in [failure, dead] {
        simulate(async move {
            let scene = Scene::new(|builder| builder).await;
            let refused =
                || FaultAction::Refuse { code: ResponseCode::SYSTEM_ERROR, remark: "no".to_owned() };
            scene.cluster.inject(Fault::on(RequestCode::CONSUMER_SEND_MSG_BACK, refused()));
            scene.cluster.inject(Fault::on_sends(refused()).topic(mix_all::retry_topic(GROUP)));
            scene.send(bodies("m", 8)).await;
            let seen = Seen::default();
            let collect = seen.clone();
            let consumer = scene.member().listener(move |message, _| {
                collect.add(&message);
                async move { outcome() }
            });
            let consumer = consumer.start().await.unwrap();
            let failed = || consumer.get_stats().unwrap().send_back_failure_count >= 8;
            until("no broker takes them", failed).await;
            let report = shut_down(&consumer).await;
            assert!(report.took < Duration::from_secs(1), "nothing is waited for: {report:?}");
            assert!(report.is_clean(), "the offsets before them are committed: {report:?}");
            scene.cluster.clear_faults();
            the_next_member_gets(&scene, 8).await;
        });
    }
}

#[test]
fn c23_while_many_dead_letters_are_on_their_way_to_a_silent_broker() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.cluster.inject(Fault::on(RequestCode::CONSUMER_SEND_MSG_BACK, FaultAction::DropRequest));
        scene.cluster.inject(Fault::on_sends(FaultAction::DropRequest).topic(mix_all::retry_topic(GROUP)));
        scene.send(bodies("m", 40)).await;
        let dead = |_, _| async { ConsumeOutcome::DeadLetter { reason: "no".to_owned() } };
        let consumer = scene.member().listener(dead).start().await.unwrap();
        let failed = || consumer.get_stats().unwrap().send_back_failure_count >= 40;
        until("no broker takes them", failed).await;
        // They are tried again after 5 s, some at a time, and the first requests are under way.
        sleep(Duration::from_millis(5_500)).await;
        let report = shut_down(&consumer).await;
        assert!(report.is_clean() && report.took < Duration::from_secs(4), "{report:?}");
        scene.cluster.clear_faults();
        the_next_member_gets(&scene, 40).await;
    });
}

#[test]
fn c23_inside_a_listener_and_from_two_callers_at_once() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 1)).await;
        let itself: Arc<OnceCell<PushConsumer>> = Arc::default();
        let handle = itself.clone();
        let consumer = scene.member().listener(move |_, _| {
            let handle = handle.clone();
            async move {
                while handle.get().is_none() {
                    sleep(Duration::from_millis(1)).await;
                }
                let consumer = handle.get().unwrap().clone();
                // It waits for its own end, and is dropped before.
                let _ = consumer.shutdown_within(LIMIT).await;
            }
        });
        let consumer = consumer.start().await.unwrap();
        itself.set(consumer.clone()).unwrap();
        let ended = || matches!(consumer.get_stats(), Err(MQClientError::ShutDown { .. }));
        until("it shuts itself down", ended).await;
        let (first, second) = tokio::join!(shut_down(&consumer), shut_down(&consumer));
        assert_eq!((first.unfinished, first.took), (1, second.took), "{first:?} {second:?}");
        the_next_member_gets(&scene, 1).await;
    });
}

#[test]
fn c23_of_a_stream_whose_reader_keeps_deliveries() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 40)).await;
        let consumer = scene.member_with(|option| _ = option.set_consume_concurrency(8)).build().unwrap();
        let mut messages = consumer.messages().unwrap();
        consumer.start().await.unwrap();
        for _ in 0..10 {
            messages.next().await.unwrap().unwrap().ack();
        }
        let kept = [messages.next().await.unwrap().unwrap(), messages.next().await.unwrap().unwrap()];
        let reading = tokio::spawn(async move {
            let mut more = Vec::new();
            while let Some(delivery) = messages.next().await {
                more.push(delivery.unwrap());
            }
            more
        });
        sleep(Duration::from_secs(1)).await;
        let report = shut_down(&consumer).await;
        let more = reading.await.unwrap();
        assert_eq!((report.unfinished as usize, report.uncommitted.len()), (2 + more.len(), 0), "{report:?}");
        // Too late, and without effect.
        for delivery in kept.into_iter().chain(more) {
            delivery.ack();
        }
        let left = scene
            .cluster
            .queue_offsets(TOPIC)
            .into_iter()
            .map(|queue| queue.max - scene.cluster.committed_offset(GROUP, &queue.queue).unwrap());
        let left = left.sum::<i64>() as usize;
        assert!((30..=40).contains(&left), "{left}");
        the_next_member_gets(&scene, left).await;
    });
}
