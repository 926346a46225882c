//! A small service and its tests against a mock cluster in this process. The tests inject faults, wait for events, and read
//! the stored messages. The first uses real sockets; the second a network in memory and tokio's paused time, so that a
//! message that comes again 10 s later costs no time.
//!
//! `cargo run --example test_a_service`; in a project of your own the last two functions are a `#[tokio::test]` and a
//! `#[tokio::test(start_paused = true)]`, which needs tokio's feature `test-util`.

use std::sync::Arc;

use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere, PushConsumer};
use rocketmq::error::MQClientError;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{InMemoryNetwork, MockCluster, RequestCode};
use tokio::sync::mpsc;
use tokio::time::Instant;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// The service announces orders …
struct Orders {
    producer: Producer,
}

impl Orders {
    async fn connect(name_server: String) -> Result<Self, MQClientError> {
        let producer = Producer::builder("orders").name_server_addr(name_server).start().await?;
        Ok(Self { producer })
    }

    async fn place(&self, id: &str, pieces: u32) -> Result<(), MQClientError> {
        let announcement = Message::new("orders", format!("{pieces} pieces")).with_keys(id);
        self.producer.send(announcement).await.map(|_| ())
    }
}

/// … and packs them. A test gives the options, and sees in the channel what is packed.
async fn pack_orders(
    mut option: ConsumerOption,
    packed: mpsc::Sender<u32>,
) -> Result<PushConsumer, MQClientError> {
    option.set_group_name("packing").set_consume_from_where(ConsumeFromWhere::First);
    let consumer = PushConsumer::new(option);
    consumer.subscribe("orders", "*").await?;
    consumer.listener(move |order, context| {
        let packed = packed.clone();
        async move {
            let pieces: u32 = std::str::from_utf8(order.body())?.trim_end_matches(" pieces").parse()?;
            if pieces > 100 && context.reconsume_times == 0 {
                return Err("the large boxes are out".into());
            }
            packed.send(pieces).await?;
            Ok::<_, ConsumeFailure>(())
        }
    });
    consumer.start().await?;
    Ok(consumer)
}

/// The first test.
async fn an_order_is_announced_once_although_the_broker_is_busy() -> Tested {
    let cluster = MockCluster::start().await?;
    cluster.inject("on=sends times=1 do=refuse code=SYSTEM_BUSY remark='too busy'".parse()?);

    let orders = Orders::connect(cluster.name_server_addr()).await?;
    orders.place("order-1", 3).await?;

    let announced = cluster.wait_for_messages("orders", 1).await?;
    assert_eq!((announced[0].keys(), &announced[0].body()[..]), (Some("order-1"), &b"3 pieces"[..]));
    let sends = cluster.wait_for_requests(RequestCode::SEND_MESSAGE_V2, 2).await?;
    println!("sent {} times, stored {} time(s)", sends.len(), announced.len());
    Ok(())
}

/// The second test. Time passes only while everything waits.
async fn an_order_that_cannot_be_packed_comes_again_and_nonsense_is_a_dead_letter() -> Tested {
    let network = InMemoryNetwork::new(1);
    let cluster = MockCluster::builder().network(network.clone()).start().await?;
    cluster.create_topic("orders", 4)?;
    for body in ["200 pieces", "nonsense"] {
        cluster.preload("orders", 1, 1, body.as_bytes())?;
    }

    let (packed, mut seen) = mpsc::channel(16);
    let mut option = ConsumerOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_transport(Arc::new(network));
    option.set_max_reconsume_times(1);
    let began = Instant::now();
    let consumer = pack_orders(option, packed).await?;
    assert_eq!(seen.recv().await, Some(200));
    println!("packed after {} s of paused time", began.elapsed().as_secs());

    let dead = cluster.wait_for_messages("%DLQ%packing", 1).await?;
    println!("dead letter: {:?}", dead[0].property("DLQ_REASON"));
    assert!(consumer.shutdown().await?.is_clean());
    Ok(())
}

fn main() -> Tested {
    let on_sockets = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    on_sockets.block_on(an_order_is_announced_once_although_the_broker_is_busy())?;
    let on_paused_time =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    on_paused_time.block_on(an_order_that_cannot_be_packed_comes_again_and_nonsense_is_a_dead_letter())
}
