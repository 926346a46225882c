//! Compression that takes longer than a send may: the send ends in time, and nothing is written after it.

use std::sync::mpsc;
use std::time::Duration;

use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use tokio::runtime::{Builder, Runtime};

use super::site::{producer, timed, until};
use crate::peer::{Act, NameServer, Peer};

const TIMEOUT_MS: u64 = 300;
const TIMEOUT: Duration = Duration::from_millis(TIMEOUT_MS);

/// A runtime with one thread for work that blocks, which is blocked until the sender is dropped.
fn busy_runtime() -> (Runtime, mpsc::Sender<()>) {
    let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(1).enable_all().build();
    let runtime = runtime.unwrap();
    let (free, blocked) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || blocked.recv());
    (runtime, free)
}

async fn site() -> (Peer, NameServer, Producer) {
    let broker = Peer::broker(|_| Act::Store).await;
    let name_server = NameServer::of_broker(&broker.address()).await;
    let producer = producer(&name_server, |option| {
        option.set_send_msg_timeout(TIMEOUT_MS);
    })
    .await;
    producer.send(Message::new("T", "small")).await.unwrap();
    (broker, name_server, producer)
}

/// Large enough to be compressed on a thread for work that blocks.
fn large() -> Message {
    Message::new("T", vec![b'x'; 1024 * 1024])
}

#[track_caller]
fn assert_not_stored<T: std::fmt::Debug>((sent, took): (Result<T, MQClientError>, Duration)) {
    let error = sent.unwrap_err();
    assert!(matches!(error, MQClientError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("compression of the body"), "{error}");
    assert_eq!(error.outcome(), Outcome::NotStored);
    assert!(took >= TIMEOUT && took < TIMEOUT + Duration::from_millis(700), "{took:?}");
}

#[test]
fn when_blocking_threads_are_busy_a_send_ends_at_its_deadline_and_is_never_written() {
    let (runtime, free) = busy_runtime();
    runtime.block_on(async {
        let (broker, _name_server, producer) = site().await;
        assert_not_stored(timed(producer.send(large())).await);
        assert_not_stored(timed(producer.send_oneway(large())).await);
        assert_not_stored(timed(producer.request(large(), TIMEOUT_MS)).await);
        let (done, outcome) = tokio::sync::oneshot::channel();
        let send = async {
            producer.send_async(large(), |sent| done.send(sent).unwrap()).await.unwrap();
            outcome.await.unwrap()
        };
        assert_not_stored(timed(send).await);
        let stats = producer.get_stats().unwrap();
        assert_eq!((stats.send_failure_count, stats.unknown_outcome_count, stats.in_flight), (4, 0, 0));

        drop(free);
        // What was taken back does not run now; a later send does.
        producer.send(large()).await.unwrap();
        let sends = broker.sends().len();
        assert_eq!(sends, 2, "the small message and the last one");
    });
}

#[test]
fn a_body_that_is_compressed_in_time_is_sent() {
    let (runtime, free) = busy_runtime();
    runtime.block_on(async {
        let (broker, _name_server, producer) = site().await;
        let sending = tokio::spawn(async move { producer.send(large()).await });
        drop(free);
        sending.await.unwrap().unwrap();
        until("both messages arrive", async || broker.sends().len() == 2).await;
    });
}
