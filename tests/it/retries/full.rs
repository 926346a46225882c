//! A broker that does not read: the write buffer fills up.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use tokio::time::timeout;

/// More messages of 1 MiB than the buffers of client and system hold.
const MESSAGES: usize = 64;

#[tokio::test]
async fn who_sends_with_callbacks_waits_for_room_and_may_give_up() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("T", 1).unwrap();
    let builder = Producer::builder("full").name_server_addr(cluster.name_server_addr());
    let builder = builder.option(|option| {
        option.set_send_msg_timeout(20_000).set_compress_msg_body_over_threshold(usize::MAX);
        option.set_client_async_semaphore_bytes(1 << 30).set_retry_times_when_send_async_failed(0);
    });
    let producer = builder.start().await.unwrap();
    producer.send(Message::new("T", "opens the connection")).await.unwrap();
    cluster.inject(Fault::on_sends(FaultAction::StopReading(None)).times(1));

    let (admitted, called) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    while admitted.load(Ordering::SeqCst) < MESSAGES {
        let called = called.clone();
        let message = Message::new("T", vec![b'x'; 1024 * 1024]);
        let mut sending = pin!(producer.send_async(message, move |sent| {
            assert!(sent.is_err());
            called.fetch_add(1, Ordering::SeqCst);
        }));
        // Nothing will make room, however long it takes.
        match timeout(Duration::from_millis(500), sending.as_mut()).await {
            Ok(sent) => sent.unwrap(),
            Err(_) => break,
        }
        admitted.fetch_add(1, Ordering::SeqCst);
    }
    let admitted = admitted.into_inner();
    assert!(admitted > 0 && admitted < MESSAGES, "{admitted}");
    // The send that gave up has returned its permit.
    assert_eq!(producer.get_stats().unwrap().in_flight as usize, admitted);
    assert_eq!(called.load(Ordering::SeqCst), 0);
    drop(cluster);
    producer.shutdown().await.unwrap();
    assert_eq!(called.load(Ordering::SeqCst), admitted, "each once, and the one that gave up never");
}
