//! A small service and its test against a mock cluster: servers on real sockets in this process. The test injects
//! faults, waits for events, and reads the stored messages.
//!
//! `cargo run --example test_a_service`; in a project of your own the function at the end is a `#[tokio::test]`.

use rocketmq::error::MQClientError;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{MockCluster, RequestCode};

/// The service: it announces orders.
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

/// The test.
async fn an_order_is_announced_once_although_the_broker_is_busy() -> Result<(), Box<dyn std::error::Error>> {
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    an_order_is_announced_once_although_the_broker_is_busy().await
}
