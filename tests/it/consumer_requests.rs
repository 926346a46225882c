//! What users ask of consumers, and what they are told: small promises, one test each. Client and cluster run in one thread on
//! paused time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use rocketmq::admin::{MQAdmin, ResendTo};
use rocketmq::conf::AdminOption;
use rocketmq::consumer::{ConsumeOutcome, PushConsumer};
use rocketmq::model::{MessageQueue, mix_all};
use rocketmq_namesrv_mock::{Fault, FaultAction};
use rocketmq_remoting::protocol::RequestCode;
use tokio::time::{Instant, sleep};
use tracing_subscriber::filter::LevelFilter;

use crate::alone::run_alone;
use crate::faults::support::until;
use crate::log::Log;
use crate::simulation::simulate;
use crate::world::{World, numbered, seconds};

const GROUP: &str = "asking";

impl World {
    async fn admin(&self) -> MQAdmin {
        let mut option = AdminOption::default();
        option.set_name_server_addr(self.cluster.name_server_addr());
        option.set_transport(Arc::new(self.network.clone()));
        MQAdmin::with_option(&option).await.unwrap()
    }

    /// Makes a start take a while.
    fn slow_start(&self) {
        let delay = FaultAction::Delay(Duration::from_millis(500));
        self.cluster.inject(Fault::on(RequestCode::HEART_BEAT, delay).times(1));
    }
}

#[test]
fn a_topic_that_is_unsubscribed_while_the_start_runs_is_not_read() {
    for delay in [0, 10, 100, 250, 400, 600] {
        simulate(async {
            let world = World::with_topics(&["T", "U"]).await;
            let consumer =
                world.pusher(GROUP).subscribe("T", "*").subscribe("U", "*").listener(|_, _| async {});
            let consumer = consumer.build().unwrap();
            world.slow_start();
            let unsubscribing = async {
                sleep(Duration::from_millis(delay)).await;
                consumer.unsubscribe("U").await.unwrap();
            };
            let (started, ()) = tokio::join!(consumer.start(), unsubscribing);
            started.unwrap();
            sleep(seconds(5)).await;
            let topics: BTreeSet<_> =
                consumer.assignment().iter().map(|queue| queue.topic().to_owned()).collect();
            assert!(topics.contains("T") && !topics.contains("U"), "{delay}: {topics:?}");
            let known = world.cluster.group_subscriptions(GROUP);
            assert!(!format!("{known:?}").contains("\"U\""), "{delay}: {known:?}");
            consumer.shutdown().await.unwrap();
        });
    }
}

#[test]
fn queues_that_are_assigned_have_the_namespace_of_their_consumer() {
    simulate(async {
        let world = World::with_topics(&["ns%T", "ns%U"]).await;
        world.send(numbered("ns%T", 3)).await;
        let queue = |topic| MessageQueue::new(topic, "broker-a", 0);
        let puller = world.puller(GROUP).option(|option| _ = option.set_namespace("ns"));
        let mut consumer = puller.assign([queue("T")]).start().await.unwrap();
        assert_eq!(consumer.poll(seconds(5)).await.unwrap().len(), 3);
        assert_eq!(consumer.assignment(), [queue("T")]);
        world.send(numbered("ns%U", 2)).await;
        consumer.assign([queue("U")]).await.unwrap();
        let messages = consumer.poll(seconds(5)).await.unwrap();
        assert_eq!(messages.iter().map(|message| message.topic()).collect::<Vec<_>>(), ["U", "U"]);
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn queues_that_are_assigned_while_the_start_runs_are_read() {
    simulate(async {
        let world = World::with_topics(&["T", "U"]).await;
        world.send(numbered("U", 2)).await;
        let queue = |topic| MessageQueue::new(topic, "broker-a", 0);
        let mut consumer = world.puller(GROUP).assign([queue("T")]).build().unwrap();
        let handle = consumer.handle();
        world.slow_start();
        let assigning = async {
            sleep(Duration::from_millis(300)).await;
            handle.assign([queue("U")]).await.unwrap();
        };
        let (started, ()) = tokio::join!(consumer.start(), assigning);
        started.unwrap();
        assert_eq!(consumer.poll(seconds(5)).await.unwrap().len(), 2);
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn of_a_subscription_and_an_assignment_at_once_one_is_refused() {
    for (assigns_after, subscribes_after) in [(0, 0), (0, 1), (0, 3), (0, 8), (1, 0), (3, 0), (8, 0)] {
        simulate(async {
            let world = World::with_topics(&["T", "U"]).await;
            world.send(numbered("T", 1).chain(numbered("U", 1))).await;
            let mut consumer = world.puller(GROUP).build().unwrap();
            consumer.start().await.unwrap();
            let (assigns, subscribes) = (consumer.handle(), consumer.handle());
            let assigning = async {
                sleep(Duration::from_millis(assigns_after)).await;
                assigns.assign([MessageQueue::new("T", "broker-a", 0)]).await
            };
            let subscribing = async {
                sleep(Duration::from_millis(subscribes_after)).await;
                subscribes.subscribe("U", "*").await
            };
            let (assigned, subscribed) = tokio::join!(assigning, subscribing);
            let expected = match (&assigned, &subscribed) {
                (Ok(()), Err(_)) => "T",
                (Err(_), Ok(())) => "U",
                _ => panic!("{assigns_after}, {subscribes_after}: {assigned:?}, {subscribed:?}"),
            };
            let messages = consumer.poll(seconds(30)).await.unwrap();
            assert_eq!(messages.iter().map(|message| message.topic()).collect::<Vec<_>>(), [expected]);
            consumer.shutdown().await.unwrap();
        });
    }
}

#[test]
fn a_pull_consumer_that_is_dropped_leaves_its_queues_to_others_though_a_handle_is_left() {
    simulate(async {
        let world = World::with_topics(&["T"]).await;
        world.send(numbered("T", 4)).await;
        let mut dropped = world.puller(GROUP).subscribe("T", "*").start().await.unwrap();
        assert_eq!(dropped.poll(seconds(5)).await.unwrap().len(), 4);
        assert_eq!(dropped.poll(Duration::ZERO).await.unwrap().len(), 0);
        let (handle, mut events) = (dropped.handle(), dropped.events());
        drop(dropped);
        let error = handle.commit().await.unwrap_err().to_string();
        assert!(error.contains("shut down"), "{error}");
        while events.next().await.is_some() {}
        assert!(handle.shutdown().await.unwrap().is_clean());
        world.send(numbered("T", 1)).await;
        let mut next = world.puller(GROUP).subscribe("T", "*").start().await.unwrap();
        let messages = next.poll(seconds(5)).await.unwrap();
        assert_eq!(messages.iter().map(|message| message.queue_offset()).collect::<Vec<_>>(), [4]);
        next.shutdown().await.unwrap();
    });
}

#[test]
fn a_dead_letter_that_is_sent_once_more_and_cannot_be_looked_at_is_sent() {
    simulate(async {
        let world = World::with_topics(&["T"]).await;
        world.send(numbered("T", 1)).await;
        let gives_up = |_, _| async { ConsumeOutcome::DeadLetter { reason: "no stock".to_owned() } };
        let consumer = world.pusher(GROUP).subscribe("T", "*").listener(gives_up).start().await.unwrap();
        let letters = mix_all::dlq_topic(GROUP);
        until("the dead letter", || world.cluster.message_count(&letters) == 1).await;
        consumer.shutdown().await.unwrap();
        let letter = world.cluster.messages(&letters).remove(0);
        let admin = world.admin().await;
        world.cluster.inject(Fault::on(RequestCode::VIEW_MESSAGE_BY_ID, FaultAction::DropRequest));
        let resent = admin.resend_dead_letter(&letter, ResendTo::RetryTopic, 1).await.unwrap();
        assert_eq!((resent.queue.topic(), resent.times), (&*mix_all::retry_topic(GROUP), 1));
        assert_eq!(world.cluster.message_count(&mix_all::retry_topic(GROUP)), 1);
    });
}

#[test]
fn a_listener_of_queues_that_panics_hears_of_the_next_change() {
    simulate(async {
        let world = World::with_topics(&["T"]).await;
        let puller = world.puller(GROUP).option(|option| _ = option.set_poll_name_server_interval(10_000));
        let consumer = puller.subscribe("T", "*").start().await.unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let heard = calls.clone();
        let listener = move |queues: &[MessageQueue]| {
            heard.lock().unwrap().push(queues.len());
            assert_ne!(queues.len(), 2, "the first change");
        };
        consumer.on_queues_changed("T", listener).await.unwrap();
        for count in [2, 3] {
            world.cluster.create_topic("T", count).unwrap();
            let is_heard = || calls.lock().unwrap().last() == Some(&(count as usize));
            until("the change is heard", is_heard).await;
        }
        assert_eq!(*calls.lock().unwrap(), [2, 3]);
        consumer.shutdown().await.unwrap();
    });
}

/// An executor that runs at once what a wake asks for.
struct AtOnce(PushConsumer, AtomicUsize);

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        // Both take the locks of the consumer.
        self.0.suspend();
        self.0.resume();
        assert!(!self.0.health().queues.is_empty());
    }
}

#[test]
fn a_waker_of_a_stream_may_use_the_consumer() {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        simulate(async {
            let world = World::with_topics(&["T"]).await;
            let consumer = world.pusher(GROUP).subscribe("T", "*").build().unwrap();
            let mut stream = consumer.messages().unwrap();
            consumer.start().await.unwrap();
            let at_once = Arc::new(AtOnce(consumer.clone(), AtomicUsize::new(0)));
            let waker = Waker::from(at_once.clone());
            {
                let mut next = std::pin::pin!(stream.next());
                assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                world.send(numbered("T", 1)).await;
                until("the waker is woken", || at_once.1.load(Ordering::SeqCst) > 0).await;
                let Poll::Ready(Some(Ok(delivery))) = next.as_mut().poll(&mut Context::from_waker(&waker))
                else {
                    panic!("a message is there")
                };
                delivery.ack();
            }
            consumer.shutdown().await.unwrap();
        });
        done.send(()).unwrap();
    });
    ended.recv_timeout(seconds(60)).expect("no lock is held while a waker is woken");
}

#[test]
fn a_batch_does_not_wait_for_a_queue_that_is_full_between_two_pulls() {
    simulate(async {
        let world = World::with_topics(&["T"]).await;
        world.send(numbered("T", 40)).await;
        let pusher = world.pusher(GROUP).option(|option| {
            option.set_pull_threshold_for_queue(4).set_pull_batch_size(4).set_pull_interval(1_000);
        });
        let consumer = pusher.subscribe("T", "*").build().unwrap();
        let mut stream = consumer.messages().unwrap();
        consumer.start().await.unwrap();
        let began = Instant::now();
        let batch = stream.next_batch(32, seconds(60)).await.unwrap().unwrap();
        assert_eq!(batch.len(), 4);
        assert!(began.elapsed() < seconds(5), "{:?}", began.elapsed());
        batch.into_iter().for_each(|delivery| delivery.ack());
        consumer.shutdown().await.unwrap();
    });
}

#[test]
fn a_start_without_subscriptions_is_told_of() {
    run_alone("consumer_requests::starts_without_subscriptions", &[]);
}

#[test]
#[ignore = "started by a_start_without_subscriptions_is_told_of, in a process of its own"]
fn starts_without_subscriptions() {
    simulate(async {
        let (log, _logging) = Log::start(LevelFilter::WARN);
        let world = World::with_topics(&["T"]).await;
        let consumer = world.pusher(GROUP).listener(|_, _| async {}).start().await.unwrap();
        let told = log.take("nothing is subscribed to");
        assert!(told.len() == 1 && told[0].contains(GROUP), "{told:?}");
        consumer.subscribe("T", "*").await.unwrap();
        consumer.shutdown().await.unwrap();
        let consumer =
            world.pusher(GROUP).subscribe("T", "*").listener(|_, _| async {}).start().await.unwrap();
        assert_eq!(log.take("nothing is subscribed to"), [""; 0]);
        consumer.shutdown().await.unwrap();
    });
}
