use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;
use rocketmq_event::{Bus, Context, Event, EventType, MessageConsumer, MessageProducer, Start};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

/// Events that a side of RabbitMQ holds unacknowledged.
pub(crate) const IN_HAND: u16 = 33;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) customer: String,
    pub(crate) note: String,
}

impl EventType for Order {
    const NAMES: &'static [&'static str] = &["order.placed"];
}

/// A stream with a group, and a way to them.
#[async_trait]
pub(crate) trait Side: Send {
    /// Publishes an order as JSON. Returns when the broker has it.
    async fn publish(&self, order: &Order);

    /// Publishes orders together. Returns when the broker has all.
    async fn publish_all(&self, orders: &[Order]);

    /// Has the group read the stream from its beginning, one order after the other, and tells the number of each.
    async fn consume(&mut self, tell: Sender<u64>);

    async fn close(self: Box<Self>);
}

/// This crate.
pub(crate) struct Ours {
    bus: Bus,
    stream: String,
    producer: MessageProducer,
    consumer: Option<MessageConsumer>,
}

const DEADLINE: Duration = Duration::from_secs(30);
/// With the one that is handled: as many as the clients alone hold.
const AHEAD: NonZeroUsize = NonZeroUsize::new(IN_HAND as usize - 1).unwrap();

impl Ours {
    pub(crate) async fn open(address: &str, stream: &str) -> Self {
        let bus = Bus::connect(address).await.unwrap();
        let producer = bus.producer(stream.to_owned()).await.unwrap();
        let mut ours = Self { bus, stream: stream.to_owned(), producer, consumer: None };
        // RabbitMQ stores only what a group waits for.
        ours.start(|_| {}).await;
        ours.consumer.take().unwrap().shutdown(DEADLINE).await.unwrap();
        ours
    }

    async fn start(&mut self, handled: impl Fn(u64) + Send + Sync + 'static) {
        let handler = move |event: Event<Order>, _: Context| {
            handled(event.data.number);
            std::future::ready(Ok(()))
        };
        let builder = self.bus.consumer(self.stream.clone(), "reader").start_from(Start::Earliest);
        self.consumer = Some(builder.prefetch(AHEAD).on(handler).start().await.unwrap());
    }
}

#[async_trait]
impl Side for Ours {
    async fn publish(&self, order: &Order) {
        self.producer.send(order).await.unwrap();
    }

    async fn publish_all(&self, orders: &[Order]) {
        let events: Vec<_> = orders.iter().cloned().map(Event::new).collect();
        for result in self.producer.send_batch(&events).await {
            result.unwrap();
        }
    }

    async fn consume(&mut self, tell: Sender<u64>) {
        self.start(move |number| _ = tell.try_send(number)).await;
    }

    async fn close(self: Box<Self>) {
        if let Some(consumer) = self.consumer {
            consumer.shutdown(DEADLINE).await.unwrap();
        }
        self.bus.close().await.unwrap();
    }
}
