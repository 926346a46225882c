//! Futures of the public API that are dropped after each number of polls: nothing is lost, and the consumer works on.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use rocketmq::consumer::{MessageStream, PushConsumer};
use rocketmq::error::MQClientError;
use rocketmq::model::mix_all;
use tokio::time::sleep;

use super::scene::{GROUP, Scene, Seen, TOPIC, bodies, simulate, until};

/// Polls a future each time that it is woken, `polls` times at most, and drops it. `None`: it was not ready by then.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // It was the last poll: nothing will wake for it.
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn listening(scene: &Scene, seen: &Seen) -> PushConsumer {
    scene.member().listener(seen.listener()).build().unwrap()
}

/// Runs `case` with 0, 1, 2 … polls until its future is ready by itself. Returns how many polls that took.
async fn each_await<F: Future<Output = bool>>(what: &str, case: impl Fn(usize) -> F) {
    for polls in 0..500 {
        if case(polls).await {
            println!("{what}: dropped after 0 to {} polls", polls - 1);
            assert!(polls > 1, "{what} has an await");
            return;
        }
    }
    panic!("{what} is not ready after 500 polls");
}

#[test]
fn start_can_be_called_again() {
    simulate(each_await("start", |polls| async move {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 20)).await;
        let seen = Seen::default();
        let consumer = listening(&scene, &seen);
        let is_ready = dropped_after(polls, consumer.start()).await.is_some();
        if !is_ready {
            assert!(matches!(consumer.get_stats(), Err(MQClientError::NotStarted { .. })));
            consumer.start().await.unwrap();
        }
        seen.wait_for(20).await;
        sleep(Duration::from_secs(10)).await;
        let report = consumer.shutdown().await.unwrap();
        assert!(report.is_clean(), "{polls} polls: {report:?}");
        seen.assert_complete(bodies("m", 20));
        scene.assert_all_committed();
        is_ready
    }));
}

#[test]
fn start_that_is_dropped_for_good_keeps_no_queue() {
    simulate(each_await("start", |polls| async move {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 20)).await;
        let (given_up, seen) = (Seen::default(), Seen::default());
        let first = listening(&scene, &given_up);
        let is_ready = dropped_after(polls, first.start()).await.is_some();
        drop(first);
        let second = listening(&scene, &seen);
        second.start().await.unwrap();
        until("all messages", || {
            let (one, two) = (given_up.counts(), seen.counts());
            one.keys().chain(two.keys()).collect::<std::collections::BTreeSet<_>>().len() == 20
        })
        .await;
        assert!(second.shutdown().await.unwrap().is_clean(), "{polls} polls");
        is_ready
    }));
}

#[test]
fn subscribe_and_unsubscribe_can_be_called_again() {
    simulate(each_await("subscribe", |polls| async move {
        let scene = Scene::new(|builder| builder).await;
        scene.cluster.create_topic("Later", 2).unwrap();
        let seen = Seen::default();
        let consumer = listening(&scene, &seen);
        consumer.start().await.unwrap();
        let is_ready = dropped_after(polls, consumer.subscribe("Later", "*")).await.is_some();
        if !is_ready {
            consumer.subscribe("Later", "*").await.unwrap();
        }
        let message = |body: String| rocketmq::model::Message::new("Later", body);
        for body in bodies("later", 10) {
            scene.producer.send(message(body)).await.unwrap();
        }
        scene.send(bodies("m", 10)).await;
        seen.wait_for(20).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
        seen.assert_no_duplicates();
        is_ready
    }));
    simulate(each_await("unsubscribe", |polls| async move {
        let scene = Scene::new(|builder| builder).await;
        scene.cluster.create_topic("Later", 2).unwrap();
        let seen = Seen::default();
        let consumer = listening(&scene, &seen);
        consumer.subscribe("Later", "*").await.unwrap();
        consumer.start().await.unwrap();
        let is_ready = dropped_after(polls, consumer.unsubscribe("Later")).await.is_some();
        if !is_ready {
            consumer.unsubscribe("Later").await.unwrap();
        }
        let released = || consumer.assignment().iter().all(|queue| queue.topic() != "Later");
        until("its queues are released", released).await;
        let told = || !scene.cluster.group_subscriptions(GROUP).contains_key("Later");
        until("the broker knows", told).await;
        scene.send(bodies("m", 10)).await;
        seen.wait_for(10).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
        is_ready
    }));
}

#[test]
fn a_shutdown_goes_on_by_itself() {
    simulate(each_await("shutdown", |polls| async move {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 20)).await;
        let seen = Seen::default();
        let consumer = listening(&scene, &seen);
        consumer.start().await.unwrap();
        seen.wait_for(20).await;
        let is_ready = match dropped_after(polls, consumer.shutdown()).await {
            Some(report) => {
                assert!(report.unwrap().is_clean());
                true
            }
            None => false,
        };
        if polls > 0 {
            // Nobody waits for it.
            until("it is gone", || scene.cluster.group_connections(GROUP).is_empty()).await;
            sleep(Duration::from_secs(1)).await;
            scene.assert_all_committed();
        }
        assert!(consumer.shutdown().await.unwrap().is_clean());
        is_ready
    }));
}

async fn streaming(scene: &Scene) -> (PushConsumer, MessageStream) {
    let consumer = scene.member_with(|option| _ = option.set_consume_concurrency(4)).build().unwrap();
    let messages = consumer.messages().unwrap();
    consumer.start().await.unwrap();
    (consumer, messages)
}

#[test]
fn next_and_next_batch_lose_no_message() {
    for batch in [false, true] {
        simulate(async move {
            let scene = Scene::new(|builder| builder).await;
            let (consumer, mut messages) = streaming(&scene).await;
            let producer = scene.another_producer().await;
            tokio::spawn(async move {
                for body in bodies("m", 60) {
                    producer.send(rocketmq::model::Message::new(TOPIC, body)).await.unwrap();
                    sleep(Duration::from_millis(3)).await;
                }
            });
            let seen = Seen::default();
            let reading = async {
                for polls in (0..4).cycle() {
                    let taken = if batch {
                        let taking = messages.next_batch(3, Duration::from_millis(3));
                        dropped_after(polls, taking).await.map(|taken| taken.unwrap().unwrap())
                    } else {
                        dropped_after(polls, messages.next()).await.map(|taken| vec![taken.unwrap().unwrap()])
                    };
                    for delivery in taken.into_iter().flatten() {
                        seen.add(&delivery);
                        delivery.ack();
                    }
                    if seen.distinct() == 60 {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap();
            seen.assert_once_in_order();
            drop(messages);
            scene.ends_committed(consumer).await;
        });
    }
}

#[test]
fn ack_committed_finishes_its_message_from_its_first_poll_on() {
    simulate(each_await("ack_committed", |polls| async move {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 1)).await;
        let (consumer, mut messages) = streaming(&scene).await;
        let delivery = messages.next().await.unwrap().unwrap();
        let is_ready = match dropped_after(polls, delivery.ack_committed()).await {
            Some(committed) => {
                committed.unwrap();
                scene.assert_all_committed();
                true
            }
            None => false,
        };
        let failed = || consumer.get_stats().unwrap().consume_failure_count;
        if polls == 0 {
            // It was never asked for: the message comes again.
            until("the failure", || failed() == 1).await;
            messages.next().await.unwrap().unwrap().ack();
        } else {
            until("the success", || consumer.get_stats().unwrap().consume_success_count == 1).await;
            assert_eq!(failed(), 0);
        }
        scene.ends_committed(consumer).await;
        is_ready
    }));
}

#[test]
fn dead_letter_stores_its_message_from_its_first_poll_on() {
    simulate(each_await("dead_letter", |polls| async move {
        let scene = Scene::new(|builder| builder).await;
        scene.send(bodies("m", 1)).await;
        let (consumer, mut messages) = streaming(&scene).await;
        let delivery = messages.next().await.unwrap().unwrap();
        assert_eq!(delivery.topic(), TOPIC);
        let told = dropped_after(polls, delivery.dead_letter("not wanted")).await;
        let letters = || scene.cluster.messages(&mix_all::dlq_topic(GROUP));
        let is_ready = match told {
            Some(stored) => {
                stored.unwrap();
                assert_eq!(letters().len(), 1);
                true
            }
            None => false,
        };
        if polls == 0 {
            messages.next().await.unwrap().unwrap().ack();
        } else {
            until("the dead letter", || letters().len() == 1).await;
            assert_eq!(letters()[0].property("DLQ_REASON"), Some("not wanted"));
        }
        sleep(Duration::from_secs(20)).await;
        assert_eq!(letters().len(), usize::from(polls > 0));
        scene.ends_committed(consumer).await;
        is_ready
    }));
}
