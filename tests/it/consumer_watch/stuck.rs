use std::sync::atomic::Ordering;

use rocketmq::consumer::{ConsumerEvent, PushConsumer, QueueState};
use rocketmq::error::ResponseCode;
use rocketmq_namesrv_mock::{AnswerChange, Fault, FaultAction};
use rocketmq_remoting::protocol::RequestCode;
use tokio::time::{Instant, sleep, timeout};

use super::support::{Count, GROUP, TOPIC, World, counting, event, seconds, simulate, told, until};

#[test]
fn a_queue_that_its_broker_hides_is_restarted_and_told_of_once_and_loses_nothing() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.preload(TOPIC, 1, 10, b"hidden").unwrap();
        // The broker has more by its own account, and brings nothing.
        let hides = AnswerChange::new().code(ResponseCode::PULL_NOT_FOUND).field("nextBeginOffset", "0");
        let hides = Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(hides)).topic(TOPIC);
        world.cluster.inject(hides);
        let count = Count::default();
        let consumer = world
            .consumer()
            .option(|option| _ = option.set_heartbeat_broker_interval(100_000))
            .listener(counting(&count))
            .build()
            .unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        let began = Instant::now();
        let heartbeats = || {
            let requests = world.cluster.requests();
            requests.iter().filter(|request| request.code == RequestCode::HEART_BEAT).count()
        };
        sleep(seconds(10)).await;
        let before = heartbeats();
        let stalled = event(&mut events, |event| matches!(event, ConsumerEvent::QueueStalled { .. })).await;
        let ConsumerEvent::QueueStalled { queue, pulled, broker_max, .. } = stalled else { unreachable!() };
        assert_eq!((queue.topic(), pulled, broker_max), (TOPIC, 0, 10));
        assert!((30..=33).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        sleep(seconds(1)).await;
        assert_eq!(heartbeats(), before + 1, "the restarted queue makes itself known");
        sleep(seconds(300)).await;
        let again = told(&mut events, |event| event.queue().is_some());
        assert!(again.is_empty(), "{again:?}");
        assert!(consumer.is_live(), "a stalled queue is no reason for a restart of the process");
        world.cluster.clear_faults();
        let healed = event(&mut events, |event| matches!(event, ConsumerEvent::QueueHealed { .. })).await;
        assert!(
            matches!(healed, ConsumerEvent::QueueHealed { after, .. } if after > seconds(300)),
            "{healed}"
        );
        sleep(seconds(60)).await;
        assert_eq!(count.load(Ordering::SeqCst), 10, "each message once");
        assert!(consumer.shutdown().await.unwrap().is_clean());
        assert_eq!(world.cluster.committed_offset(GROUP, &queue), Some(10));
    });
}

#[test]
fn a_queue_that_is_restarted_commits_nothing_where_only_the_user_commits() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.preload(TOPIC, 1, 10, b"polled").unwrap();
        let puller = world.poller().option(|option| _ = option.set_auto_commit(false));
        let mut consumer = puller.start().await.unwrap();
        let mut events = consumer.events();
        assert_eq!(consumer.poll(seconds(5)).await.unwrap().len(), 10);
        let hides = AnswerChange::new().code(ResponseCode::PULL_NOT_FOUND).field("nextBeginOffset", "10");
        let hides = Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(hides)).topic(TOPIC);
        world.cluster.inject(hides);
        // The pull that is held has ended then.
        sleep(seconds(30)).await;
        world.send_body("hidden").await;
        // Confirms the messages, and commits none.
        assert!(consumer.poll(seconds(100)).await.unwrap().is_empty());
        assert_eq!(told(&mut events, |event| matches!(event, ConsumerEvent::QueueStalled { .. })).len(), 1);
        let queue = consumer.assignment().into_iter().find(|queue| queue.topic() == TOPIC).unwrap();
        assert_eq!(world.cluster.committed_offset(GROUP, &queue).unwrap_or_default(), 0);
        consumer.commit().await.unwrap();
        assert_eq!(world.cluster.committed_offset(GROUP, &queue), Some(10));
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_queue_with_a_reason_not_to_move_is_not_stalled() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.preload(TOPIC, 4, 100, b"waits").unwrap();
        let consumer = world
            .consumer()
            .option(|option| _ = option.set_pull_threshold_for_queue(10))
            .listener(|_, _| async { sleep(seconds(120)).await })
            .build()
            .unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        let queues = consumer.assignment();
        sleep(seconds(100)).await;
        consumer.pause_queues(&queues[..2]);
        sleep(seconds(300)).await;
        consumer.resume_queues(&queues);
        consumer.suspend();
        sleep(seconds(300)).await;
        let stalled = told(&mut events, |event| matches!(event, ConsumerEvent::QueueStalled { .. }));
        assert!(stalled.is_empty(), "{stalled:?}");
    });
}

fn is_unread(event: &ConsumerEvent) -> bool {
    matches!(event, ConsumerEvent::NobodyReads { .. })
}

#[test]
fn messages_that_nothing_reads_wait_and_are_told_of_once() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.preload(TOPIC, 2, 100, b"waits").unwrap();
        let consumer =
            world.consumer().option(|option| _ = option.set_pull_threshold_for_queue(40)).build().unwrap();
        let _unpolled = consumer.messages().unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        assert!(consumer.is_ready());
        sleep(seconds(600)).await;
        let unread = told(&mut events, |event| is_unread(event) || event.queue().is_some());
        let [ConsumerEvent::NobodyReads { waiting, waiting_for, .. }] = &unread[..] else {
            panic!("{unread:?}")
        };
        assert!((80..=2 * 64).contains(waiting), "{waiting}");
        assert_eq!(waiting_for.as_secs(), 10);
        assert!(!consumer.is_ready() && consumer.is_live());
        assert!(
            consumer.health().problems()[0].contains("nobody reads"),
            "{:?}",
            consumer.health().problems()
        );
        assert!(consumer.shutdown().await.unwrap().is_clean());
        assert!(world.cluster.group_offsets(GROUP, TOPIC).values().all(|offset| *offset == 0));
    });
}

#[test]
fn a_pull_consumer_is_unread_only_while_nobody_polls() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.preload(TOPIC, 2, 1000, b"polled").unwrap();
        let mut consumer = world.poller().start().await.unwrap();
        let (mut events, queues) = (consumer.events(), consumer.assignment());
        // A backlog waits all the time, and the queue that is paused has cached messages.
        consumer.pause(&queues[..1]);
        for _ in 0..20 {
            assert!(!consumer.poll(seconds(1)).await.unwrap().is_empty());
            consumer.commit().await.unwrap();
            sleep(seconds(2)).await;
        }
        // Messages that take long are in work.
        consumer.poll(seconds(1)).await.unwrap();
        sleep(seconds(60)).await;
        assert!(told(&mut events, is_unread).is_empty() && consumer.health().is_ready());
        consumer.commit().await.unwrap();
        sleep(seconds(60)).await;
        assert_eq!(told(&mut events, is_unread).len(), 1);
        assert!(!consumer.health().is_ready());
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_stream_is_unread_while_nobody_polls_it_and_after_it_was_dropped() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.preload(TOPIC, 1, 100, b"streams").unwrap();
        let consumer = world.consumer().build().unwrap();
        let mut stream = consumer.messages().unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        let unread = event(&mut events, is_unread).await;
        assert!(unread.to_string().contains("100 messages have waited for 10"), "{unread}");
        // A reader that is slow with each message reads.
        for _ in 0..5 {
            let delivery = stream.next().await.unwrap().unwrap();
            sleep(seconds(60)).await;
            delivery.ack();
            sleep(seconds(5)).await;
        }
        assert!(told(&mut events, is_unread).is_empty());
        for _ in 5..100 {
            stream.next().await.unwrap().unwrap().ack();
        }
        assert!(timeout(seconds(600), stream.next()).await.is_err(), "all were there, each once");
        assert!(told(&mut events, is_unread).is_empty() && consumer.is_ready());
        drop(stream);
        sleep(seconds(60)).await;
        assert!(told(&mut events, is_unread).is_empty(), "nothing waits");
        world.send_body("late").await;
        event(&mut events, is_unread).await;
        sleep(seconds(60)).await;
        assert!(told(&mut events, is_unread).is_empty(), "once");
    });
}

fn is_about_broker(event: &ConsumerEvent) -> bool {
    matches!(event, ConsumerEvent::BrokerUnreachable { .. } | ConsumerEvent::BrokerReachable { .. })
}

#[test]
fn each_outage_of_a_broker_is_told_once_with_its_end_however_many_queues_it_has() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.create_topic(TOPIC, 8).unwrap();
        let consumer = world.consumer().listener(|_, _| async {}).build().unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        let broker = world.cluster.broker_addr("broker-a").unwrap();
        for outage in [100, 1_000] {
            world.network.set_reachable(broker, false);
            world.network.cut(broker);
            let lost = event(&mut events, is_about_broker).await;
            let ConsumerEvent::BrokerUnreachable { broker: name, silent_for, .. } = &lost else {
                panic!("{lost}")
            };
            assert_eq!(&**name, "broker-a");
            assert!(*silent_for < seconds(10), "{silent_for:?}");
            sleep(seconds(outage)).await;
            let queues = consumer.health().queues;
            assert!(queues.len() >= 8);
            for queue in queues {
                assert_eq!(queue.state, QueueState::BrokerUnreachable, "{queue:?}");
                assert!(queue.in_state_for >= seconds(outage), "{queue:?}");
            }
            assert!(consumer.is_live() && !consumer.is_ready());
            assert!(told(&mut events, is_about_broker).is_empty(), "once");
            world.network.set_reachable(broker, true);
            let back = event(&mut events, is_about_broker).await;
            assert!(
                matches!(&back, ConsumerEvent::BrokerReachable { after, .. } if *after >= seconds(outage)),
                "{back}"
            );
            until("it is ready again", || consumer.is_ready()).await;
        }
        sleep(seconds(100)).await;
        assert!(told(&mut events, is_about_broker).is_empty(), "once");
    });
}

#[test]
fn a_route_that_lacks_a_broker_is_doubted_aloud_once() {
    simulate(async {
        let world = World::new(|builder| builder.brokers(2)).await;
        world.cluster.create_topic(TOPIC, 2).unwrap();
        let consumer = world.consumer().listener(|_, _| async {}).build().unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        // NameServers drop a broker that stops.
        world.cluster.stop_broker("broker-b").await.unwrap();
        let doubted = event(&mut events, |event| matches!(event, ConsumerEvent::RouteDoubted { .. })).await;
        let ConsumerEvent::RouteDoubted { topic, brokers, name_server, .. } = doubted else { unreachable!() };
        assert_eq!((&*topic, &*brokers.join(" ")), (TOPIC, "broker-b"));
        assert_eq!(*name_server, *world.cluster.name_server_addr());
        let of_b = |consumer: &PushConsumer| {
            let queues = consumer.health().queues;
            queues
                .into_iter()
                .find(|queue| queue.queue.broker_name() == "broker-b" && queue.queue.topic() == TOPIC)
        };
        assert_eq!(of_b(&consumer).unwrap().state, QueueState::NoRoute, "its queues are kept");
        until("it is confirmed", || of_b(&consumer).is_none()).await;
        let again = told(&mut events, |event| matches!(event, ConsumerEvent::RouteDoubted { .. }));
        assert!(again.len() <= 1, "the retry topic has a route of its own: {again:?}");
        assert!(again.iter().all(|event| event.topic() != Some(TOPIC)), "{again:?}");
    });
}
