use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind, PublisherConfirm,
};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _};
use rocketmq_client::admin::{Brokers, TopicConfig};
use rocketmq_client::client::MQClient;
use rocketmq_client::conf::ConsumeFromWhere;
use rocketmq_client::model::Message;
use rocketmq_client::producer::Producer;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::sides::{IN_HAND, Order, Side};

/// The backend's client alone; `None` for memory.
pub(crate) async fn open(address: &str, stream: &str) -> Option<Box<dyn Side>> {
    let (scheme, place) = address.split_once(':').unwrap();
    let place = place.trim_start_matches('/');
    Some(match scheme {
        "rocketmq" => Box::new(RocketMq::open(place, stream).await),
        "amqp" => Box::new(RabbitMq::open(address, stream).await),
        "kafka" => Box::new(Kafka::open(place, stream).await),
        _ => return None,
    })
}

/// Returns when a broker of RocketMQ has registered.
pub(crate) async fn until_registered(address: &str) {
    let client = MQClient::connect(address.trim_start_matches("rocketmq://")).await.unwrap();
    while client.admin().cluster_info().await.is_ok_and(|cluster| cluster.broker_addr_table.is_empty()) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    client.shutdown().await.unwrap();
}

fn json(order: &Order) -> Vec<u8> {
    serde_json::to_vec(order).unwrap()
}

fn number(json: &[u8]) -> u64 {
    let order: Order = serde_json::from_slice(json).unwrap();
    order.number
}

struct RocketMq {
    client: MQClient,
    producer: Producer,
    topic: String,
    tasks: JoinSet<()>,
}

impl RocketMq {
    async fn open(name_server: &str, topic: &str) -> Self {
        let client = MQClient::connect(name_server).await.unwrap();
        client.admin().create_topic(&TopicConfig::new(topic, 8), &Brokers::All).await.unwrap();
        let producer = client.producer("bench").start().await.unwrap();
        Self { client, producer, topic: topic.to_owned(), tasks: JoinSet::new() }
    }
}

#[async_trait]
impl Side for RocketMq {
    async fn publish(&self, order: &Order) {
        self.producer.send(Message::new(&*self.topic, json(order))).await.unwrap();
    }

    async fn publish_all(&self, orders: &[Order]) {
        join_all(orders.iter().map(|order| self.publish(order))).await;
    }

    async fn consume(&mut self, tell: Sender<u64>) {
        let consumer = self
            .client
            .push_consumer(format!("{}-reader", self.topic))
            .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
            .subscribe(&*self.topic, "*")
            .build()
            .unwrap();
        let mut messages = consumer.messages().unwrap();
        consumer.start().await.unwrap();
        self.tasks.spawn(async move {
            let _consumer = consumer;
            while let Some(delivery) = messages.next().await {
                let delivery = delivery.unwrap();
                _ = tell.try_send(number(delivery.body()));
                delivery.ack();
            }
        });
    }

    async fn close(self: Box<Self>) {
        self.client.shutdown().await.unwrap();
    }
}

struct RabbitMq {
    connection: Connection,
    consuming: Connection,
    channel: Channel,
    stream: String,
    tasks: JoinSet<()>,
}

impl RabbitMq {
    async fn open(address: &str, stream: &str) -> Self {
        let connect = || Connection::connect(address, ConnectionProperties::default());
        let (connection, consuming) = (connect().await.unwrap(), connect().await.unwrap());
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let none = FieldTable::default;
        channel.exchange_declare(stream.into(), ExchangeKind::Topic, durable, none()).await.unwrap();
        let mut table = none();
        table.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(stream.into(), durable, table).await.unwrap();
        let options = QueueBindOptions::default();
        channel
            .queue_bind(stream.into(), stream.into(), "order.placed".into(), options, none())
            .await
            .unwrap();
        Self { connection, consuming, channel, stream: stream.to_owned(), tasks: JoinSet::new() }
    }

    async fn write(&self, order: &Order) -> PublisherConfirm {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let exchange = self.stream.as_str().into();
        let body = json(order);
        self.channel.basic_publish(exchange, "order.placed".into(), options, &body, persistent).await.unwrap()
    }
}

#[async_trait]
impl Side for RabbitMq {
    async fn publish(&self, order: &Order) {
        let confirmation = self.write(order).await.await.unwrap();
        assert!(matches!(confirmation, Confirmation::Ack(None)), "{confirmation:?}");
    }

    async fn publish_all(&self, orders: &[Order]) {
        let mut confirms = Vec::with_capacity(orders.len());
        for order in orders {
            confirms.push(self.write(order).await);
        }
        for confirm in confirms {
            assert!(matches!(confirm.await, Ok(Confirmation::Ack(None))));
        }
    }

    async fn consume(&mut self, tell: Sender<u64>) {
        let channel = self.consuming.create_channel().await.unwrap();
        channel.basic_qos(IN_HAND, BasicQosOptions::default()).await.unwrap();
        let (queue, options) = (self.stream.as_str().into(), BasicConsumeOptions::default());
        let mut consumer =
            channel.basic_consume(queue, "".into(), options, FieldTable::default()).await.unwrap();
        self.tasks.spawn(async move {
            let _channel = channel;
            while let Some(Ok(delivery)) = consumer.next().await {
                _ = tell.try_send(number(&delivery.data));
                delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
            }
        });
    }

    async fn close(self: Box<Self>) {
        self.consuming.close(200, "done".into()).await.unwrap();
        self.connection.close(200, "done".into()).await.unwrap();
    }
}

struct Kafka {
    brokers: String,
    producer: FutureProducer,
    topic: String,
    tasks: JoinSet<()>,
}

impl Kafka {
    async fn open(brokers: &str, topic: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
        // As many partitions as the server of this benchmark gives a topic.
        let new = NewTopic::new(topic, 4, TopicReplication::Fixed(1));
        for made in admin.create_topics([&new], &AdminOptions::new()).await.unwrap() {
            made.unwrap();
        }
        config.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "2");
        config.set("queue.buffering.max.kbytes", "65536");
        let producer = config.create().unwrap();
        Self { brokers: brokers.to_owned(), producer, topic: topic.to_owned(), tasks: JoinSet::new() }
    }
}

#[async_trait]
impl Side for Kafka {
    async fn publish(&self, order: &Order) {
        let body = json(order);
        let record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&self.topic).payload(&body);
        let Ok(answer) = self.producer.send_result(record) else { panic!("the queue is full") };
        answer.await.unwrap().unwrap();
    }

    async fn publish_all(&self, orders: &[Order]) {
        join_all(orders.iter().map(|order| self.publish(order))).await;
    }

    async fn consume(&mut self, tell: Sender<u64>) {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", format!("{}-reader", self.topic))
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("enable.auto.offset.store", "false")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.wait.max.ms", "100");
        let consumer: StreamConsumer = config.create().unwrap();
        consumer.subscribe(&[&self.topic]).unwrap();
        self.tasks.spawn(async move {
            loop {
                let message = consumer.recv().await.unwrap();
                _ = tell.try_send(number(message.payload().unwrap()));
                consumer.store_offset_from_message(&message).unwrap();
            }
        });
    }

    async fn close(mut self: Box<Self>) {
        self.tasks.shutdown().await;
    }
}
