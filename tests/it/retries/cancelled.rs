//! Sends whose futures are dropped before they are done.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use rocketmq::model::Message;
use rocketmq::producer::Producer;

use super::site::{Site, until};
use crate::peer::Act;

/// Polls a future up to `times` times, then drops it. Returns whether it was done.
async fn poll_times(future: impl Future, times: usize) -> bool {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn in_flight(producer: &Producer) -> u32 {
    producer.get_stats().unwrap().in_flight
}

/// Large enough to be compressed on another thread, which is a further place where a send can be dropped.
fn message() -> Message {
    Message::new("T", vec![7; 512 * 1024])
}

#[tokio::test]
async fn a_send_that_is_dropped_anywhere_leaves_nothing_behind() {
    // One permit: the next send misses a lost permit at once.
    for times in 0..40 {
        let site = Site::of_acts(&[Act::Answer(2), Act::Answer(14), Act::Store], |option| {
            option.set_client_async_semaphore_value(1);
        })
        .await;
        let done = poll_times(Box::pin(site.producer.send(message())), times).await;
        assert_eq!(in_flight(&site.producer), 0, "after {times} polls");
        // The permit, the connections and the lookup of the route are there for the next send.
        site.producer.send(Message::new("T", "next")).await.unwrap();
        if done {
            assert_eq!(site.sends(), 4);
            return;
        }
    }
    panic!("never done");
}

#[tokio::test]
async fn an_admission_that_is_dropped_sends_nothing() {
    let site = Site::of_acts(&[Act::StoreInSilence], |option| {
        option.set_client_async_semaphore_value(1).set_send_msg_timeout(20_000);
    })
    .await;
    let (done, outcome) = tokio::sync::oneshot::channel();
    site.producer.send_async(Message::new("T", "first"), |sent| _ = done.send(sent)).await.unwrap();
    until("the first is on its way", async || site.sends() == 1).await;
    for times in 1..5 {
        let waiting = site.producer.send_async(Message::new("T", "x"), |_| panic!("not admitted"));
        assert!(!poll_once_each(waiting, times).await);
    }
    assert_eq!(in_flight(&site.producer), 1);
    assert_eq!(site.brokers.iter().map(|broker| broker.answer_late()).sum::<usize>(), 1);
    outcome.await.unwrap().unwrap();
    site.producer.send(Message::new("T", "last")).await.unwrap();
    assert_eq!((site.sends(), in_flight(&site.producer)), (2, 0));
}

/// Does what `poll_times` does for a future that nothing wakes.
async fn poll_once_each(future: impl Future, times: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..times {
        let done = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
        if done {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn many_sends_dropped_in_flight_leave_room_for_others() {
    let site = Site::of_acts(&[Act::StoreInSilence; 200], |option| {
        option.set_client_async_semaphore_value(10).set_send_msg_timeout(20_000);
    })
    .await;
    for round in 0..20 {
        let mut sends = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let producer = site.producer.clone();
            sends.spawn(async move { producer.send(Message::new("T", "x")).await });
        }
        let expected = (round + 1) * 10;
        until("they are in flight", async || site.sends() == expected).await;
        assert_eq!(in_flight(&site.producer), 10);
        sends.shutdown().await;
        assert_eq!(in_flight(&site.producer), 0);
    }
    let late: usize = site.brokers.iter().map(|broker| broker.answer_late()).sum();
    assert_eq!(late, 200);
    site.producer.send(Message::new("T", "after the late answers")).await.unwrap();
}
