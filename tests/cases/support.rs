use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rocketmq::admin::{Brokers, MQAdmin, TopicConfig};
use rocketmq::conf::{AdminOption, ProducerOption};
use rocketmq::model::{Message, MessageExt, MessageQueue, SendResult, SendStatus};
use rocketmq::producer::Producer;

/// Apache acknowledges a message before it can be pulled, by a few milliseconds as a rule; indexes, committed
/// offsets and heartbeats are seen later, too.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

/// A topic that no other test uses.
pub(crate) fn fresh_topic(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("Case_{name}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A producer and an admin of one cluster.
pub(crate) struct Site {
    pub(crate) producer: Producer,
    pub(crate) admin: MQAdmin,
}

impl Site {
    pub(crate) async fn new(name_server: &str) -> Self {
        Self::with(name_server, |_| {}).await
    }

    pub(crate) async fn with(name_server: &str, change: impl FnOnce(&mut ProducerOption)) -> Self {
        let mut option = ProducerOption::default();
        option.set_name_server_addr(name_server).set_group_name("case_producer");
        // Generous: the broker shares two cores with everything else.
        option.set_send_msg_timeout(20_000);
        change(&mut option);
        let producer = Producer::new(option);
        producer.start().await.expect("the producer starts");
        let mut option = AdminOption::default();
        // Apache's brokers take long to collect their figures while the machine is busy.
        option.set_name_server_addr(name_server).set_mq_client_api_timeout(20_000);
        let admin = MQAdmin::with_option(&option).await.expect("the admin connects");
        Self { producer, admin }
    }

    /// The name of the only cluster.
    pub(crate) async fn cluster(&self) -> String {
        let clusters = self.admin.cluster_info().await.expect("the NameServer answers").cluster_addr_table;
        assert_eq!(clusters.len(), 1, "{clusters:?}");
        clusters.into_keys().next().expect("there is one")
    }

    /// Creates a fresh topic with `queue_nums` queues on every broker.
    pub(crate) async fn create(&self, name: &str, queue_nums: u32) -> String {
        let topic = fresh_topic(name);
        self.create_topic(&topic, queue_nums).await;
        topic
    }

    /// Creates the topic with `queue_nums` queues on every broker.
    pub(crate) async fn create_topic(&self, topic: &str, queue_nums: u32) {
        let config = TopicConfig::new(topic, queue_nums);
        let created = self.admin.create_topic(&config, &Brokers::All).await;
        assert!(created.expect("some broker creates it").is_complete());
    }

    /// Sends a message, reads it back by its id and by its place in the queue, and compares every part.
    pub(crate) async fn round_trip(&self, message: Message) -> (SendResult, MessageExt) {
        let sent = self.producer.send(message.clone()).await.expect("the message is sent");
        assert_eq!(sent.send_status, SendStatus::SendOk);
        let viewed = self.admin.view_message(&sent.offset_msg_id).await.expect("it can be viewed");
        self.assert_same(&message, &sent, &viewed);
        let pulled = self.pull_one(&sent.message_queue, sent.queue_offset).await;
        self.assert_same(&message, &sent, &pulled);
        assert_eq!(pulled.offset_msg_id(), sent.offset_msg_id);
        assert_eq!(pulled.message_queue(), sent.message_queue);
        (sent, pulled)
    }

    /// Waits until the message at an offset is visible, and returns it.
    pub(crate) async fn pull_one(&self, queue: &MessageQueue, offset: i64) -> MessageExt {
        self.pull_one_within(queue, offset, VISIBLE_WITHIN).await
    }

    /// Waits up to `limit` for the message at an offset, and returns it.
    pub(crate) async fn pull_one_within(
        &self,
        queue: &MessageQueue,
        offset: i64,
        limit: Duration,
    ) -> MessageExt {
        let began = Instant::now();
        loop {
            let pulled = self.admin.pull(queue, offset, 1).await.expect("the queue can be pulled");
            if let Some(first) = pulled.messages.into_iter().next() {
                return first.expect("the record can be read");
            }
            assert!(began.elapsed() < limit, "nothing at {queue} offset {offset}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn assert_same(&self, message: &Message, sent: &SendResult, stored: &MessageExt) {
        assert_eq!(stored.topic(), message.topic());
        assert!(stored.body() == message.body(), "the body of {} bytes changed", message.body().len());
        assert_eq!(stored.flag(), message.flag());
        assert_eq!(stored.msg_id(), sent.msg_id);
        assert_eq!(
            (stored.queue_id(), stored.queue_offset()),
            (sent.message_queue.queue_id(), sent.queue_offset)
        );
        for (name, value) in message.properties().iter() {
            assert_eq!(stored.property(name), Some(value), "property {name}");
        }
    }
}

/// Asks until `ask` returns an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < VISIBLE_WITHIN, "{what} is not seen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
