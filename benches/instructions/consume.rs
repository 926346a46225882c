//! The cost of a consumed message, from the answer of its pull to the end of its handler.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq::conf::ConsumeFromWhere;
use rocketmq::consumer::{Delivery, PullConsumer, PushConsumer, PushConsumerBuilder};
use rocketmq_benches::process::{self, ServerProcess, TOPIC};
use rocketmq_namesrv_mock::MockCluster;
use tokio::runtime::Builder;
use tokio::sync::Notify;

const QUEUES: usize = 8;
/// Messages in a batch, like in the answer to a pull.
const BATCH: u32 = 32;

/// How messages reach their handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Concurrently,
    Batch,
    Orderly,
    Stream,
    NextBatch,
    Poll,
}

/// The first argument of the process that serves.
pub(crate) const SERVE: &str = "serve-full";

/// Serves a topic with this many messages, if this is the server process.
pub(crate) fn serve_if_told(messages: usize) {
    process::serve_if_told(async {
        let cluster = MockCluster::builder().captured_requests(0).start().await.expect("free ports");
        let of_queue = u32::try_from(messages / QUEUES).expect("a number that fits");
        cluster.preload(TOPIC, QUEUES as u32, of_queue, &[b'x'; 128]).expect("a legal topic");
        let broker = cluster.broker_addr("broker-a").expect("the only broker");
        let name_server = cluster.name_server_addr();
        (cluster, name_server, broker)
    });
}

/// Consumes `count` messages. The server is another process, so that its instructions do not count.
pub(crate) fn messages(count: usize, way: Way) {
    let server = ServerProcess::start(&[SERVE, &count.to_string()]);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        if way == Way::Poll {
            return poll(&server.name_server_addr, count).await;
        }
        let builder = PushConsumer::builder("bench").name_server_addr(server.name_server_addr.as_str());
        let builder = builder.subscribe(TOPIC, "*").option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_consume_message_batch_max_size(BATCH);
            if matches!(way, Way::Stream | Way::NextBatch) {
                option.set_consume_concurrency(64);
            }
        });
        consume(builder, count, way).await;
    });
}

async fn consume(builder: PushConsumerBuilder, count: usize, way: Way) {
    let left = Arc::new(Left { messages: AtomicUsize::new(count), done: Notify::new() });
    let seen = left.clone();
    let builder = match way {
        Way::Concurrently => builder.listener(move |message, _| {
            seen.body(message.body());
            async {}
        }),
        Way::Orderly => builder.orderly_listener(move |message, _| {
            seen.body(message.body());
            async {}
        }),
        Way::Batch => builder.batch_listener(move |messages, _| {
            messages.iter().for_each(|message| seen.body(message.body()));
            async {}
        }),
        Way::Stream | Way::NextBatch | Way::Poll => builder,
    };
    let consumer = builder.build().expect("legal options");
    if !matches!(way, Way::Stream | Way::NextBatch) {
        consumer.start().await.expect("a started consumer");
        left.done.notified().await;
    } else {
        let mut stream = consumer.messages().expect("the only stream");
        consumer.start().await.expect("a started consumer");
        let ack = |delivery: Delivery| {
            left.body(delivery.body());
            delivery.ack();
        };
        while left.messages.load(Ordering::Relaxed) > 0 {
            if way == Way::Stream {
                ack(stream.next().await.expect("a message").expect("a consumer that runs"));
            } else {
                let batch = stream.next_batch(BATCH as usize, Duration::from_secs(1)).await;
                batch.expect("messages").expect("a consumer that runs").into_iter().for_each(ack);
            }
        }
    }
    consumer.shutdown().await.expect("it was started");
}

async fn poll(name_server: &str, count: usize) {
    let builder = PullConsumer::builder("bench").name_server_addr(name_server).subscribe(TOPIC, "*");
    let builder = builder.option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First));
    let mut consumer = builder.start().await.expect("a started consumer");
    let mut left = count;
    while left > 0 {
        let messages = consumer.poll(Duration::from_secs(10)).await.expect("a consumer that runs");
        messages.iter().for_each(|message| _ = black_box(message.body()));
        left -= messages.len();
    }
    consumer.shutdown().await.expect("it was started");
}

/// Messages that are not handled yet.
struct Left {
    messages: AtomicUsize,
    done: Notify,
}

impl Left {
    fn body(&self, body: &[u8]) {
        black_box(body);
        if self.messages.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done.notify_one();
        }
    }
}
