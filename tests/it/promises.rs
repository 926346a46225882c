//! The public API as it was promised: what people's code calls compiles and does what it says, names and defaults
//! included.

use bytes::Bytes;
use rocketmq::client::MQClient;
use rocketmq::conf::{ConsumerOption, ProducerOption};
use rocketmq::consumer::{
    BoxFuture, ConsumeContext, ConsumeFailure, ConsumeOutcome, ConsumeResult, ConsumerShutdownReport,
    DefaultMQPushConsumer, MessageListenerConcurrently, PushConsumer,
};
use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::{Message, MessageBatch, MessageExt, MessageQueue, SendResult, SendStatus};
use rocketmq::producer::{DefaultMQProducer, Producer, ProducerStats};
use rocketmq::selector::MessageQueueSelector;
use rocketmq_namesrv_mock::MockCluster;

#[test]
fn messages_are_made_of_anything_that_is_bytes() {
    let bodies = [
        Message::new("T", String::from("body")),
        Message::new(String::from("T"), Vec::from("body")),
        Message::new("T", Bytes::from_static(b"body")),
        Message::new("T", "body"),
        Message::new("T", &b"body"[..]),
    ];
    assert!(bodies.iter().all(|message| message.body() == "body"));
    let mut message = Message::new("T", "body");
    message.set_topic("Other");
    message.set_tags("TagA");
    message.set_keys(String::from("k1 k2"));
    message.put_property("name", "value");
    message.set_delay_time_level(3);
    assert_eq!((message.topic(), message.get_topic(), message.tags()), ("Other", "Other", Some("TagA")));
    assert_eq!((message.keys(), message.property("name")), (Some("k1 k2"), Some("value")));
    assert_eq!(message.delay_time_level(), 3);
    let chained = Message::new("T", "body").with_tags("TagA").with_keys("k").with_property("name", "value");
    assert_eq!(chained.clone().property("name"), Some("value"));
}

#[test]
fn options_have_the_promised_defaults() {
    let option = ProducerOption::default();
    assert_eq!((option.name_server_addr(), option.group_name()), (None, None));
    assert_eq!((option.send_msg_timeout(), option.send_msg_max_timeout_per_request()), (3000, 0));
    assert_eq!((option.retry_times_when_send_failed(), option.retry_times_when_send_async_failed()), (2, 2));
    assert!(!option.retry_next_server() && !option.send_latency_fault_enable());
    assert_eq!((option.max_message_size(), option.compress_msg_body_over_threshold()), (4 << 20, 4 << 10));
    assert_eq!(
        (option.tcp_transport_try_lock_timeout(), option.tcp_transport_connect_timeout()),
        (3000, 3000)
    );
    assert_eq!(option.client_channel_max_idle_time_seconds(), 120);
    assert_eq!(option.client_channel_expire_timeout_seconds(), 180);
    assert_eq!(
        (option.client_async_semaphore_value(), option.client_async_semaphore_bytes()),
        (65_535, 100 << 20)
    );
}

#[test]
fn handles_are_shared_and_errors_are_small() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sendable<T: Send + Sync + 'static>() {}
    shared::<Producer>();
    shared::<PushConsumer>();
    sendable::<MQClientError>();
    assert!(size_of::<MQClientError>() <= 64, "{}", size_of::<MQClientError>());
    assert!(size_of::<Result<SendResult, MQClientError>>() <= 256);
}

#[test]
fn queues_can_be_compared_sorted_hashed_and_printed() {
    let queue = |id| MessageQueue::new("T", "broker-a", id);
    assert_eq!((queue(1).topic(), queue(1).broker_name(), queue(1).queue_id()), ("T", "broker-a", 1));
    assert!(queue(2) < queue(10) && queue(1) == queue(1));
    assert_eq!(std::collections::HashSet::from([queue(1), queue(1), queue(2)]).len(), 2);
    assert_eq!(queue(1).to_string(), "MessageQueue [topic=T, brokerName=broker-a, queueId=1]");
}

struct First;

impl MessageQueueSelector for First {
    fn select<'q>(&self, queues: &'q [MessageQueue], _message: &Message, _arg: &str) -> &'q MessageQueue {
        &queues[0]
    }
}

#[tokio::test]
async fn a_producer_is_called_as_promised() {
    let cluster = MockCluster::builder().brokers(3).start().await.unwrap();
    let mut producer_option = ProducerOption::default();
    producer_option.set_name_server_addr(cluster.name_server_addr());
    producer_option.set_group_name("promised");
    let producer: DefaultMQProducer = Producer::new(producer_option);
    let early = producer.send(Message::new("TopicTest", "early")).await.unwrap_err();
    assert_eq!(early.outcome(), Outcome::NotStored);
    producer.start().await.unwrap();

    let sent: SendResult = producer.send(Message::new("TopicTest", "one")).await.unwrap();
    assert!(sent.send_status == SendStatus::SendOk && sent.queue_offset == 0);
    assert!(!sent.msg_id.is_empty() && !sent.offset_msg_id.is_empty());
    assert_eq!(sent.message_queue.topic(), "TopicTest");
    assert_eq!(sent.transaction_id.as_deref(), Some(sent.msg_id.as_str()));
    assert_eq!(sent.region_id.as_deref(), Some("DefaultRegion"));

    let (done, outcome) = tokio::sync::oneshot::channel();
    producer.send_async(Message::new("TopicTest", "two"), |result| _ = done.send(result)).await.unwrap();
    outcome.await.unwrap().unwrap();
    producer
        .send_batch(vec![Message::new("TopicTest", "three"), Message::new("TopicTest", "four")])
        .await
        .unwrap();
    producer.send_with_selector(Message::new("TopicTest", "five"), First, "arg").await.unwrap();
    producer.send_with_selector(Message::new("TopicTest", "six"), &First, "arg").await.unwrap();
    producer.send_to(Message::new("TopicTest", "seven"), &sent.message_queue).await.unwrap();

    let stats: ProducerStats = producer.get_stats().unwrap();
    assert_eq!((stats.send_success_count, stats.send_failure_count), (6, 0));
    assert!(stats.average_rt >= 0.0);
    let stored: Vec<MessageExt> = cluster.messages("TopicTest");
    assert_eq!(stored.len(), 7);
    assert_eq!(MessageBatch::new(vec![Message::new("T", "x")]).unwrap().message_count(), 1);

    producer.send_oneway(Message::new("TopicTest", "eight")).await.unwrap();
    assert!(producer.shutdown().await.unwrap().is_clean());
    assert_eq!(cluster.message_count("TopicTest"), 8, "a shutdown writes out what is in the write buffers");
}

#[tokio::test]
async fn errors_are_matched_as_the_documents_do() {
    let cluster = MockCluster::builder().auto_create_topic(false).start().await.unwrap();
    let producer =
        Producer::builder("promised").name_server_addr(cluster.name_server_addr()).start().await.unwrap();
    match producer.send(Message::new("NoSuchTopic", "x")).await {
        Err(MQClientError::BrokerNotFound { .. }) => {}
        Err(MQClientError::ServiceNotAvailable { .. }) => panic!("the broker refuses service"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn options_of_consumers_have_the_promised_defaults() {
    let option = ConsumerOption::default();
    assert_eq!((option.consume_concurrency(), option.consume_message_batch_max_size()), (20, 1));
    assert_eq!((option.pull_batch_size(), option.pull_interval()), (32, 0));
    assert_eq!((option.pull_threshold_for_queue(), option.pull_threshold_size_for_queue()), (1000, 100));
    assert_eq!((option.pull_threshold_for_topic(), option.pull_threshold_size_for_topic()), (None, None));
    assert_eq!((option.consume_concurrently_max_span(), option.cache_limit()), (2000, 256 << 20));
    assert_eq!((option.max_reconsume_times(), option.suspend_current_queue_time()), (None, 1000));
    assert_eq!((option.consume_timeout(), option.timeout_grace()), (900_000, 10_000));
    assert_eq!((option.persist_offset_interval(), option.broker_suspend_max_time()), (5000, 15_000));
    assert_eq!((option.heartbeat_broker_interval(), option.poll_name_server_interval()), (30_000, 30_000));
    assert_eq!((option.start_timeout(), option.shutdown_timeout()), (10_000, 30_000));
    assert!(option.require_topics() && option.auto_commit() && option.consume_rate_limit().is_none());
    assert_eq!(option.allocate_message_queue_strategy().name(), "AVG");
    assert_eq!((option.pop_invisible_time(), option.pop_batch_nums()), (60_000, 32));
    assert_eq!(option.pop_threshold_for_queue(), 96);
    assert!(option.pop_auto_extend() && option.client_rebalance());
}

struct Fails;

impl MessageListenerConcurrently for Fails {
    fn consume_message(
        &self,
        _: std::sync::Arc<MessageExt>,
        _: ConsumeContext,
    ) -> BoxFuture<'_, ConsumeResult> {
        Box::pin(async { Err("it is replaced".into()) })
    }
}

#[tokio::test]
async fn a_push_consumer_is_called_as_promised() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("TopicTest", 4).unwrap();
    let mut option = ConsumerOption::default();
    option.set_name_server_addr(cluster.name_server_addr());
    option.set_group_name("promised");
    let consumer: DefaultMQPushConsumer = PushConsumer::new(option);
    consumer.subscribe("TopicTest", "*").await.unwrap();
    let object: std::sync::Arc<dyn MessageListenerConcurrently> = std::sync::Arc::new(Fails);
    consumer.register_message_listener_concurrently(object);
    let (came, mut comes) = tokio::sync::mpsc::unbounded_channel();
    consumer.listener(move |message, _| {
        let came = came.clone();
        async move {
            came.send(String::from_utf8(message.body().to_vec())?)?;
            Ok::<_, ConsumeFailure>(ConsumeOutcome::Success)
        }
    });
    consumer.start().await.unwrap();
    assert!(matches!(consumer.start().await, Err(MQClientError::AlreadyStarted { .. })));
    let producer =
        Producer::builder("promised").name_server_addr(cluster.name_server_addr()).start().await.unwrap();
    producer.send(Message::new("TopicTest", "after the start")).await.unwrap();
    assert_eq!(comes.recv().await.unwrap(), "after the start");
    let report: ConsumerShutdownReport = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn a_service_has_one_client_as_promised() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("OrderEvents", 4).unwrap();
    let client = MQClient::connect(cluster.name_server_addr()).await.unwrap();
    let producer = client.producer("orders").start().await.unwrap();
    let (came, mut comes) = tokio::sync::mpsc::unbounded_channel();
    let handle = move |message: std::sync::Arc<MessageExt>, _| {
        came.send(message.topic().to_owned()).unwrap();
        async {}
    };
    let consumer =
        client.push_consumer("billing").subscribe("OrderEvents", "*").listener(handle).start().await.unwrap();
    let admin = client.admin();
    producer.send(Message::new("OrderEvents", "x")).await.unwrap();
    assert_eq!(comes.recv().await.unwrap(), "OrderEvents");
    assert_eq!(admin.message_queues("OrderEvents").await.unwrap().len(), 4);
    client.shutdown().await.unwrap();
    assert!(!consumer.health().running);
}
