//! A group for a long time: members come and go, topics too, listeners fail, connections are cut and brokers crash. At the end
//! nothing is lost, and tasks, sockets and memory are what they were.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rocketmq::client::MQClient;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere, ConsumeOutcome, OrderlyOutcome, PushConsumer};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use tokio::runtime;

use crate::server_process::{ServerProcess, serve_if_told};
use crate::{ALLOCATOR, TURN};

/// How long it takes, in seconds; `.ci/long` sets it.
const SECONDS: &str = "SOAK_SECONDS";
const DEFAULT_SECONDS: u64 = 60;
/// Messages per second, at most.
const RATE: u64 = 400;

/// What the broker is told by a send to these topics.
const CUT: &str = "SoakCut";
const CRASH: &str = "SoakCrash";

const TOPIC: &str = "Soak";
const ORDERLY: &str = "SoakOrderly";

/// Rounds before the baseline: each topic of the rounds has been there, and a broker has crashed twice.
const WARM_UP: u64 = 8;
/// Rounds after the baseline, at least, however slow the machine is.
const ROUNDS: u64 = 8;

/// Bytes that may be in use at the end more than at the baseline: tables and queues grow with the busiest moment so far, and
/// do not shrink. A member that stays holds more, and keeps its tasks and sockets, which have no tolerance.
const HEAP_SLACK: isize = 64 * 1024;
/// How long it is watched at least: requests that were not answered are forgotten after 3 s.
const SETTLES_AFTER: Duration = Duration::from_secs(6);
/// How long the client may take to settle when nothing happens any more: a broker that was down is dialled again after some time,
/// and idle connections are closed.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
/// How long messages may wait at most: a lock that could not be given back, because its broker was down, holds for a minute.
const HANDLED_WITHIN: Duration = Duration::from_secs(90);

#[test]
#[ignore = "not a test: the server process that the soak starts"]
fn serve() {
    serve_if_told(async {
        let back_after = Some(Duration::from_millis(300));
        let crash = FaultAction::Crash { back_after, new_port: false };
        let builder = MockCluster::builder().captured_requests(0).memory_limit(8 << 20).brokers(2);
        let builder = builder.fault(Fault::on_sends(FaultAction::Reset).topic(CUT));
        let cluster = builder.fault(Fault::on_sends(crash).topic(CRASH)).start().await.expect("free ports");
        for topic in [TOPIC, ORDERLY, CUT, CRASH] {
            cluster.create_topic(topic, 4).expect("a legal topic");
        }
        let broker = cluster.broker_addr("broker-a").expect("a broker");
        let name_server = cluster.name_server_addr();
        (cluster, name_server, broker)
    });
}

/// The messages that were handled, one bit each. It never grows, so that it does not count.
struct Handled(Vec<AtomicU64>);

impl Handled {
    fn new(messages: u64) -> Arc<Self> {
        Arc::new(Self((0..=messages / 64).map(|_| AtomicU64::new(0)).collect()))
    }

    fn add(&self, body: &[u8]) {
        let number: usize = std::str::from_utf8(body).expect("a number").parse().expect("a number");
        self.0[number / 64].fetch_or(1 << (number % 64), Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|bits| u64::from(bits.load(Ordering::Relaxed).count_ones())).sum()
    }
}

/// What the client holds of this process.
#[derive(Debug, Clone, Copy)]
struct Held {
    tasks: usize,
    sockets: usize,
    heap: isize,
}

impl Held {
    fn now() -> Self {
        let files = std::fs::read_dir("/proc/self/fd").expect("the files of this process").flatten();
        let is_socket = |file: &std::fs::DirEntry| {
            std::fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        };
        // Read before the bytes that were allocated: what happens in between makes the heap look larger, never smaller. Both
        // figures have what reallocations add and free.
        let freed = ALLOCATOR.stats().bytes_deallocated;
        Self {
            tasks: runtime::Handle::current().metrics().num_alive_tasks(),
            sockets: files.filter(is_socket).count(),
            heap: ALLOCATOR.stats().bytes_allocated as isize - freed as isize,
        }
    }

    /// The least of each over a while.
    async fn settled(until: Instant) -> Self {
        let mut least = Self::now();
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = Self::now();
            least.tasks = least.tasks.min(now.tasks);
            least.sockets = least.sockets.min(now.sockets);
            least.heap = least.heap.min(now.heap);
        }
        least
    }
}

struct Soak {
    name_server: String,
    producer: Producer,
    survivor: PushConsumer,
    handled: Arc<Handled>,
    /// The next message.
    next: AtomicU64,
    limit: u64,
}

impl Soak {
    /// Every tenth message fails at its first delivery.
    fn outcome(
        handled: &Handled,
        body: &[u8],
        reconsume_times: i32,
    ) -> Result<ConsumeOutcome, ConsumeFailure> {
        if body.ends_with(b"7") && reconsume_times == 0 {
            return Ok(ConsumeOutcome::Later { delay_level: Some(1) });
        }
        handled.add(body);
        Ok(ConsumeOutcome::Success)
    }

    async fn member(&self) -> PushConsumer {
        let handled = self.handled.clone();
        let builder = PushConsumer::builder("soak").name_server_addr(&self.name_server);
        let builder = builder.option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First));
        let builder = builder.subscribe(TOPIC, "*").listener(move |message, context| {
            let outcome = Self::outcome(&handled, message.body(), context.reconsume_times as i32);
            async move { outcome }
        });
        start(builder).await
    }

    async fn orderly_member(&self) -> PushConsumer {
        let handled = self.handled.clone();
        let failed = AtomicBool::new(false);
        let builder = PushConsumer::builder("soak_orderly").name_server_addr(&self.name_server);
        let builder = builder.option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_suspend_current_queue_time(10);
        });
        let builder = builder.subscribe(ORDERLY, "*").orderly_listener(move |message, _| {
            let fails = message.body().ends_with(b"3") && !failed.fetch_xor(true, Ordering::Relaxed);
            if !fails {
                handled.add(message.body());
            }
            async move {
                match fails {
                    true => OrderlyOutcome::SuspendCurrentQueueAMoment { millis: None },
                    false => OrderlyOutcome::Success,
                }
            }
        });
        start(builder).await
    }

    /// Sends the next messages at the rate, for a while. A send that fails is repeated.
    async fn load(&self, seconds: f64) {
        let count = (seconds * RATE as f64) as u64;
        for _ in 0..count {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            assert!(number < self.limit, "the table of messages is too small");
            let topic = if number.is_multiple_of(4) { ORDERLY } else { TOPIC };
            self.send(topic, &number.to_string()).await;
            tokio::time::sleep(Duration::from_secs(1) / RATE as u32).await;
        }
    }

    async fn send(&self, topic: &str, body: &str) {
        let began = Instant::now();
        while let Err(error) = self.producer.send(Message::new(topic, body.to_owned())).await {
            assert!(began.elapsed() < SETTLES_WITHIN, "{error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One round: members join and leave, a topic comes and goes, connections are cut, sometimes a broker crashes.
    async fn round(&self, round: u64) {
        let (first, second, orderly, other) =
            tokio::join!(self.member(), self.member(), self.orderly_member(), self.orderly_member());
        self.load(0.5).await;
        let topic = format!("SoakRound{}", round % 8);
        self.send(&topic, "0").await;
        self.survivor.subscribe(&*topic, "*").await.expect("the topic is there");
        // The connection of the shared client, and the survivor's as well.
        let _ = self.producer.send(Message::new(CUT, "")).await;
        if round % 4 == 3 {
            let _ = self.producer.send(Message::new(CRASH, "")).await;
        }
        self.load(0.5).await;
        // Gracefully, and by a drop alone.
        assert!(first.shutdown().await.expect("it runs").unfinished == 0);
        drop(second);
        let _ = self.producer.send(Message::new(CUT, "")).await;
        self.load(0.3).await;
        self.survivor.unsubscribe(&*topic).await.expect("it runs");
        assert!(orderly.shutdown().await.expect("it runs").unfinished == 0);
        assert!(other.shutdown().await.expect("it runs").unfinished == 0);
    }

    /// Waits until all that was sent is handled and all members but the survivor are gone, and measures.
    async fn quiet(&self, wanted: Option<Held>) -> Held {
        let last = self.orderly_member().await;
        let sent = self.next.load(Ordering::Relaxed);
        let began = Instant::now();
        while self.handled.count() < sent {
            assert!(
                began.elapsed() < HANDLED_WITHIN,
                "{} of {sent} messages are handled",
                self.handled.count()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(last.shutdown().await.expect("it runs").is_clean());
        drop(last);
        let began = Instant::now();
        loop {
            let held = Held::settled(Instant::now() + SETTLES_AFTER).await;
            let fits = |wanted: Held| {
                held.tasks <= wanted.tasks
                    && held.sockets <= wanted.sockets
                    && held.heap <= wanted.heap + HEAP_SLACK
            };
            if wanted.is_none_or(fits) {
                return held;
            }
            assert!(began.elapsed() < SETTLES_WITHIN, "{held:?} at the end, {wanted:?} at the beginning");
        }
    }
}

async fn start(builder: rocketmq::consumer::PushConsumerBuilder) -> PushConsumer {
    let consumer = builder.build().expect("legal options");
    let began = Instant::now();
    // A broker may be down.
    while let Err(error) = consumer.start().await {
        assert!(began.elapsed() < SETTLES_WITHIN, "{error}");
    }
    consumer
}

#[test]
#[ignore = "takes a minute or more: .ci/soak"]
fn churn_leaves_nothing_behind_and_loses_nothing() {
    let _turn = TURN.blocking_lock();
    let seconds = std::env::var(SECONDS).map_or(DEFAULT_SECONDS, |text| text.parse().expect("seconds"));
    let server = ServerProcess::start(&["soak::serve", "--exact", "--ignored", "--nocapture"]);
    let runtime =
        runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = MQClient::connect(&*server.name_server_addr).await.expect("a client");
        let producer = client.producer("soak_producer").start().await.expect("a producer");
        let limit = (seconds + 120) * RATE;
        let handled = Handled::new(limit);
        let collect = handled.clone();
        let survivor = client
            .push_consumer("soak")
            .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
            .subscribe(TOPIC, "*")
            .listener(move |message, context| {
                let outcome = match message.topic() {
                    TOPIC => Soak::outcome(&collect, message.body(), context.reconsume_times as i32),
                    _ => Ok(ConsumeOutcome::Success),
                };
                async move { outcome }
            });
        let survivor = start(survivor).await;
        let name_server = server.name_server_addr.clone();
        let soak = Soak { name_server, producer, survivor, handled, next: AtomicU64::new(0), limit };
        for round in 0..WARM_UP {
            soak.round(round).await;
        }
        let before = soak.quiet(None).await;
        eprintln!("soak: after {WARM_UP} rounds to warm up: {before:?}");
        let (began, mut rounds) = (Instant::now(), 0);
        while rounds < ROUNDS || began.elapsed() < Duration::from_secs(seconds) {
            soak.round(WARM_UP + rounds).await;
            rounds += 1;
        }
        let churned = began.elapsed();
        let after = soak.quiet(Some(before)).await;
        let sent = soak.next.load(Ordering::Relaxed);
        eprintln!("soak: after {rounds} more rounds in {churned:.0?}, {sent} messages: {after:?}");
        let Soak { survivor, .. } = soak;
        assert!(survivor.shutdown().await.expect("it runs").is_clean());
        assert!(client.shutdown().await.expect("it runs").is_clean());
    });
}
