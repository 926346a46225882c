//! What the `metrics` facade is told (feature `metrics`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

/// Keeps what it is told by name and labels.
#[derive(Default)]
struct Kept {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    values: Mutex<BTreeMap<String, Arc<Value>>>,
}

/// A gauge in whole numbers, or how often a histogram was told a time.
#[derive(Default)]
struct Value(AtomicI64);

impl GaugeFn for Value {
    fn increment(&self, by: f64) {
        self.0.fetch_add(by as i64, SeqCst);
    }

    fn decrement(&self, by: f64) {
        self.0.fetch_sub(by as i64, SeqCst);
    }

    fn set(&self, value: f64) {
        self.0.store(value as i64, SeqCst);
    }
}

impl HistogramFn for Value {
    fn record(&self, ms: f64) {
        assert!((0.0..10_000.0).contains(&ms), "{ms} ms");
        self.0.fetch_add(1, SeqCst);
    }
}

impl Kept {
    fn value(&self, key: &Key) -> Arc<Value> {
        self.values.lock().unwrap().entry(name(key)).or_default().clone()
    }

    fn counted(&self, name: &str) -> u64 {
        self.counters.lock().unwrap()[&format!("{name} group=metered")].load(SeqCst)
    }

    fn measured(&self, name: &str) -> i64 {
        self.values.lock().unwrap()[&format!("{name} group=metered")].0.load(SeqCst)
    }
}

fn name(key: &Key) -> String {
    let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
    labels.fold(key.name().to_owned(), |name, label| name + &label)
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.counters.lock().unwrap().entry(name(key)).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.value(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.value(key))
    }
}

#[tokio::test]
async fn messages_are_counted_and_not_requests() {
    let kept = Kept::default();
    let _recorder = metrics::set_default_local_recorder(&kept);
    let cluster = MockCluster::start().await.unwrap();
    let producer =
        Producer::builder("metered").name_server_addr(cluster.name_server_addr()).start().await.unwrap();

    producer.send(Message::new("TopicTest", "one")).await.unwrap();
    let batch = ["two", "three", "four"].map(|body| Message::new("TopicTest", body));
    producer.send_batch(batch).await.unwrap();
    producer.send_oneway(Message::new("TopicTest", "five")).await.unwrap();
    producer.send(Message::new("TopicTest", "")).await.unwrap_err();
    assert_eq!(kept.counted("rocketmq_producer_send_success_total"), 5);
    assert_eq!(kept.counted("rocketmq_producer_send_failure_total"), 0, "an illegal message was not tried");
    assert_eq!(kept.measured("rocketmq_producer_send_latency_ms"), 3, "one time for each call");
    assert_eq!(kept.measured("rocketmq_producer_queue_size"), 0);

    cluster.stop_broker(cluster.broker_names()[0]).await.unwrap();
    let batch = ["six", "seven"].map(|body| Message::new("TopicTest", body));
    let (sent, ()) = tokio::join!(producer.send_batch(batch), async {
        assert_eq!(kept.measured("rocketmq_producer_queue_size"), 2);
    });
    sent.unwrap_err();
    assert_eq!(kept.counted("rocketmq_producer_send_failure_total"), 2);
    assert_eq!(kept.measured("rocketmq_producer_queue_size"), 0);
}
