//! The latency fault strategy end to end: which brokers a producer avoids, for how long, and how it returns to them. The
//! clock stands still except for the steps that a test makes.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use rocketmq::conf::ProducerOption;
use rocketmq::model::{Message, MessageQueue};
use rocketmq::producer::{Producer, SendOptions};
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

const ALL: [&str; 3] = ["broker-a", "broker-b", "broker-c"];

/// Tokio's clock, stopped. While a blocking task runs, it does not run ahead of sockets either.
struct Clock {
    _blocking: mpsc::Sender<()>,
}

impl Clock {
    fn stop() -> Self {
        let (sender, receiver) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || receiver.recv());
        tokio::time::pause();
        Self { _blocking: sender }
    }

    async fn advance(&self, ms: u64) {
        // A task that was just woken sets its timer by the old time.
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_millis(ms)).await;
    }
}

/// Three brokers with two queues of one topic each, and a producer that has sent to all of them.
struct Site {
    cluster: MockCluster,
    producer: Producer,
    clock: Clock,
}

impl Site {
    async fn start(change: impl FnOnce(&mut ProducerOption)) -> Self {
        let clock = Clock::stop();
        let cluster = MockCluster::builder().brokers(3).start().await.unwrap();
        cluster.create_topic("T", 2).unwrap();
        let mut option = ProducerOption::default();
        option.set_name_server_addr(cluster.name_server_addr()).set_group_name("faults");
        option.set_send_latency_fault_enable(true);
        change(&mut option);
        let producer = Producer::new(option);
        producer.start().await.unwrap();
        let site = Self { cluster, producer, clock };
        site.assert_uses(&ALL).await;
        site
    }

    /// The brokers that a few rounds of sends go to.
    async fn assert_uses(&self, brokers: &[&str]) {
        let mut used = BTreeSet::new();
        for _ in 0..12 {
            let sent = self.producer.send(Message::new("T", "x")).await.unwrap();
            used.insert(sent.message_queue.broker_name().to_owned());
        }
        assert!(used.iter().eq(brokers), "{used:?}, expected {brokers:?}");
    }

    /// Sends to this broker, once.
    async fn send_to(&self, broker: &str) -> bool {
        let options = SendOptions::new().queue(MessageQueue::new("T", broker, 0)).retry_times(0);
        self.producer.send_with(Message::new("T", "x"), options).await.is_ok()
    }

    /// A send to this broker that takes `ms` milliseconds.
    async fn send_slowly(&self, broker: &str, ms: u64) {
        // The mock rounds the delay up to a millisecond, and tokio rounds its timer up again. The producer measures the
        // step of the clock, not the delay.
        let delay = FaultAction::Delay(Duration::from_millis(ms - 2));
        self.cluster.inject(Fault::on_sends(delay).server(broker).times(1));
        let asked = self.asked(RequestCode::SEND_MESSAGE_V2, broker);
        let (sent, ()) = tokio::join!(self.send_to(broker), async {
            self.until_asked(RequestCode::SEND_MESSAGE_V2, broker, asked + 1).await;
            self.clock.advance(ms).await;
        });
        assert!(sent);
    }

    /// Sends to this broker go wrong from now on.
    fn refuse(&self, broker: &str) {
        let code = ResponseCode::SERVICE_NOT_AVAILABLE;
        self.cluster
            .inject(Fault::on_sends(FaultAction::Refuse { code, remark: "no".into() }).server(broker));
    }

    /// How often a broker was asked this.
    fn asked(&self, code: RequestCode, broker: &str) -> usize {
        let requests = self.cluster.requests();
        requests.iter().filter(|request| request.code == code && *request.server == *broker).count()
    }

    async fn until_asked(&self, code: RequestCode, broker: &str, times: usize) {
        let began = std::time::Instant::now();
        while self.asked(code, broker) < times {
            assert!(began.elapsed() < Duration::from_secs(10), "{broker} is not asked {code}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_slow_broker_is_avoided_for_as_long_as_java_s_table_says() {
    let site = Site::start(|_| {}).await;
    for (latency, away) in [(549, 0), (550, 2000), (1800, 5000), (2999, 5000)] {
        site.send_slowly("broker-b", latency).await;
        if away > 0 {
            site.assert_uses(&["broker-a", "broker-c"]).await;
            site.clock.advance(away - 1).await;
            site.assert_uses(&["broker-a", "broker-c"]).await;
            site.clock.advance(1).await;
        }
        site.assert_uses(&ALL).await;
    }
}

#[tokio::test]
async fn a_broker_that_fails_is_avoided_for_ten_seconds() {
    let site = Site::start(|_| {}).await;
    site.refuse("broker-b");
    assert!(!site.send_to("broker-b").await);
    site.cluster.clear_faults();
    let before = site.asked(RequestCode::SEND_MESSAGE_V2, "broker-b");
    site.assert_uses(&["broker-a", "broker-c"]).await;
    site.clock.advance(9_999).await;
    site.assert_uses(&["broker-a", "broker-c"]).await;
    assert_eq!(site.asked(RequestCode::SEND_MESSAGE_V2, "broker-b"), before, "not even tried");
    site.clock.advance(1).await;
    site.assert_uses(&ALL).await;
}

#[tokio::test]
async fn a_latency_table_of_one_s_own_counts() {
    let site = Site::start(|option| {
        option.set_latency_max(vec![20]).set_not_available_duration(vec![100]);
    })
    .await;
    site.send_slowly("broker-c", 20).await;
    site.assert_uses(&["broker-a", "broker-b"]).await;
    site.clock.advance(100).await;
    site.assert_uses(&ALL).await;
}

#[tokio::test]
async fn switched_off_only_a_retry_goes_elsewhere() {
    let site = Site::start(|option| _ = option.set_send_latency_fault_enable(false)).await;
    site.refuse("broker-b");
    let before = site.asked(RequestCode::SEND_MESSAGE_V2, "broker-b");
    site.assert_uses(&["broker-a", "broker-c"]).await;
    let tried = site.asked(RequestCode::SEND_MESSAGE_V2, "broker-b") - before;
    assert!(tried > 1, "tried {tried} times in twelve sends");
    site.cluster.clear_faults();
    site.assert_uses(&ALL).await;
}

#[tokio::test]
async fn when_all_are_avoided_the_detector_knows_which_are_back() {
    let site = Site::start(|option| _ = option.set_start_detector_enable(true)).await;
    site.cluster.crash_broker("broker-b").await.unwrap();
    ALL.iter().for_each(|broker| site.refuse(broker));
    for broker in ALL {
        assert!(!site.send_to(broker).await);
    }
    site.cluster.clear_faults();
    // It looks every two seconds.
    let detect = RequestCode::GET_MAX_OFFSET;
    site.clock.advance(2_001).await;
    site.until_asked(detect, "broker-a", 1).await;
    site.until_asked(detect, "broker-c", 1).await;
    // No broker is available yet, but two can be reached. The third is not tried.
    site.assert_uses(&["broker-a", "broker-c"]).await;
    assert_eq!(site.producer.get_stats().unwrap().retry_count, 0);

    site.cluster.start_broker("broker-b").await.unwrap();
    site.clock.advance(2_001).await;
    site.until_asked(detect, "broker-b", 1).await;
    site.assert_uses(&ALL).await;
    assert_eq!(site.producer.get_stats().unwrap().retry_count, 0);
}
