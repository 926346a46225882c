//! Publishes a greeting and receives it. The address chooses the backend: `memory:`, `rocketmq://host:9876`,
//! `amqp://guest:guest@host:5672` or `kafka://host:9092`; with no address, a mock of RocketMQ in this process.

mod support;

use std::time::Duration;

use rocketmq_event::{Context, Event, EventType};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    text: String,
}

impl EventType for Greeting {
    const NAMES: &'static [&'static str] = &["greeting"];
}

#[tokio::main]
async fn main() -> support::Result {
    let bus = support::connect().await?;
    let (tell, mut heard) = mpsc::channel(1);
    let handler = move |event: Event<Greeting>, _: Context| {
        let tell = tell.clone();
        async move { Ok(tell.send(event.data).await?) } // After an error the event comes again.
    };
    let listener = bus.consumer("greetings", "listener").on(handler).start().await?;
    let receipt = bus.producer("greetings").await?.send(&Greeting { text: "hello".to_owned() }).await?;
    println!("{} is at {}, received {:?}", receipt.id, receipt.position, heard.recv().await);
    println!("{:?}", listener.shutdown(Duration::from_secs(10)).await?);
    Ok(bus.close().await?)
}
