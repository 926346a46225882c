//! What a queue costs that has no messages.

use std::time::Duration;

use rocketmq::consumer::{PushConsumer, QueueState};
use rocketmq_namesrv_mock::MockCluster;
use tokio::runtime;
use tokio::time::{Instant, sleep};

use crate::server_process::{ServerProcess, TOPIC, serve_if_told};
use crate::{ALLOCATOR, TURN};

/// A topic that costs next to nothing.
const SMALL: &str = "Small";
const QUEUES: usize = 4_096;
/// Bytes of the heap for a queue, with its long poll and what watches over it. Raise it only with a reason.
const LIMIT: usize = 2_048;

#[test]
#[ignore = "not a test: the server process that `idle` starts"]
fn serve_empty() {
    serve_if_told(async {
        let cluster = MockCluster::builder().captured_requests(0).start().await.expect("free ports");
        cluster.create_topic(TOPIC, QUEUES as u32).expect("a legal topic");
        cluster.create_topic(SMALL, 1).expect("a legal topic");
        let broker = cluster.broker_addr("broker-a").expect("the only broker");
        let name_server = cluster.name_server_addr();
        (cluster, name_server, broker)
    });
}

#[test]
fn a_queue_without_messages_takes_two_kibibytes() {
    let _turn = TURN.blocking_lock();
    let server = ServerProcess::start(&["idle::serve_empty", "--exact", "--ignored", "--nocapture"]);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let small = runtime.block_on(held(&server.name_server_addr, SMALL, 1));
    let large = runtime.block_on(held(&server.name_server_addr, TOPIC, QUEUES));
    let each = large.saturating_sub(small) / (QUEUES - 1);
    println!("bytes of a queue without messages: {each}");
    assert!(each <= LIMIT, "a queue without messages takes {each} bytes, more than {LIMIT}");
}

/// Bytes of the heap that a consumer of a topic holds while it waits for messages.
async fn held(name_server: &str, topic: &str, queues: usize) -> usize {
    let before = live();
    let builder = PushConsumer::builder(topic).name_server_addr(name_server).subscribe(topic, "*");
    let consumer = builder.listener(|_, _| async {}).start().await.expect("a started consumer");
    let deadline = Instant::now() + Duration::from_secs(60);
    let (mut last, mut same) = (0, 0);
    // What looks after queues comes round each second.
    while same < 12 {
        assert!(Instant::now() < deadline, "{:?}", consumer.health());
        sleep(Duration::from_millis(100)).await;
        let is_waiting = |state: &QueueState| matches!(state, QueueState::LongPolling | QueueState::CaughtUp);
        let is_complete =
            consumer.health().queues.iter().filter(|queue| is_waiting(&queue.state)).count() >= queues;
        let held = live().saturating_sub(before);
        same = if is_complete && held == last { same + 1 } else { 0 };
        last = held;
    }
    consumer.shutdown().await.expect("it was started");
    last
}

fn live() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}
