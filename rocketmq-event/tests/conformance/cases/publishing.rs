use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketmq_event::{
    Bus, Context, Envelope, Event, EventPublisher, EventType, Headers, Outcome, PublishErrorKind, Receipt,
};
use serde::{Deserialize, Serialize};

use crate::lab::{CaseResult, Lab, Order, Seen, consumer, order};

/// Publishes one order and returns the envelope and the data that a handler got.
async fn through(lab: &Lab, bus: &Bus, event: &Event<Order>) -> (Envelope, Order, Receipt) {
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Order>, _: Context| {
        tell.tell((event.envelope.clone(), event.data));
        std::future::ready(Ok(()))
    };
    let consumer = consumer(bus, lab, "reader").on(handler).start().await.unwrap();
    let receipt = bus.producer(lab.stream.clone()).await.unwrap().send_event(event).await.unwrap();
    let (envelope, data) = seen.next().await;
    consumer.shutdown(Duration::from_secs(10)).await.unwrap();
    (envelope, data, receipt)
}

pub(crate) async fn round_trip(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let mut event = Event::new(order(7)).with_key("customer 7").with_correlation("conversation");
    event.envelope.source = "shop/orders".into();
    event.envelope.version = 3;
    event.envelope.cause = Some("the event before".into());
    event.envelope.trace_parent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    event.envelope.trace_state = Some("vendor=1".into());
    let (envelope, data, receipt) = through(&lab, &bus, &event).await;
    assert_eq!(envelope, event.envelope);
    assert_eq!(data, event.data);
    assert_eq!(receipt.id, event.id);
    Ok(())
}

pub(crate) async fn headers(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let all: Vec<u8> = (0..=255).collect();
    let mut headers = Headers::new();
    headers.insert("größe", "straße");
    headers.insert("empty", "");
    headers.insert("bytes", all);
    headers.insert("control", "a\u{1}b\u{2}c\0d");
    for name in ["TAGS", "KEYS", "ce_id", "CE_type", "cloudEvents:id", "content-type", "x-death", "DELAY"] {
        headers.insert(name, "the user's own");
    }
    let mut event = Event::new(order(1));
    event.envelope.headers = headers.clone();
    let (envelope, _, _) = through(&lab, &bus, &event).await;
    let sorted = |headers: &Headers| {
        let mut pairs: Vec<(String, Bytes)> =
            headers.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        pairs.sort();
        pairs
    };
    assert_eq!(sorted(&envelope.headers), sorted(&headers));
    assert_eq!(envelope.name, "order.placed");
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Blob(Vec<u8>);

/// A payload that is its bytes.
impl EventType for Blob {
    const NAMES: &'static [&'static str] = &["blob"];

    fn encode(&self, _: rocketmq_event::Format) -> Result<Bytes, rocketmq_event::event::EncodeError> {
        Ok(self.0.clone().into())
    }

    fn decode(
        _: &str,
        _: u32,
        _: rocketmq_event::Format,
        bytes: &[u8],
    ) -> Result<Self, rocketmq_event::event::DecodeError> {
        Ok(Self(bytes.to_vec()))
    }
}

pub(crate) async fn sizes(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Blob>, _: Context| {
        tell.tell(event.data.0);
        std::future::ready(Ok(()))
    };
    let consumer = consumer(&bus, &lab, "reader").on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    for size in [0, 1, 1024 * 1024] {
        let body: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
        producer.send(&Blob(body.clone())).await?;
        assert!(seen.next().await == body, "{size} bytes came back otherwise");
    }
    let over = vec![0; bus.backend().abilities().max_body + 1];
    let error = producer.send(&Blob(over)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (PublishErrorKind::TooLarge, Outcome::NotStored));
    consumer.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

pub(crate) async fn positions(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Order>, context: Context| {
        tell.tell((event.data.number, context.position().clone()));
        std::future::ready(Ok(()))
    };
    let consumer = consumer(&bus, &lab, "reader").on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    let mut sent = Vec::new();
    for number in 0..10 {
        sent.push((number, producer.send(&order(number)).await?.position));
    }
    let mut read = seen.take(10).await;
    read.sort_by_key(|(number, _)| *number);
    assert_eq!(read, sent);
    consumer.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

pub(crate) async fn no_route(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let producer = bus.producer(lab.stream.clone()).await?;
    let error = producer.send(&order(1)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (PublishErrorKind::NoRoute, Outcome::NotStored));
    Ok(())
}

pub(crate) async fn batch(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Blob>, _: Context| {
        tell.tell(event.data.0);
        std::future::ready(Ok(()))
    };
    let consumer = consumer(&bus, &lab, "reader").on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    let too_large = vec![0; bus.backend().abilities().max_body + 1];
    let body =
        |number: usize| if number == 500 { too_large.clone() } else { number.to_string().into_bytes() };
    let events: Vec<Event<Blob>> = (0..1_000).map(|number| Event::new(Blob(body(number)))).collect();
    let results = producer.send_batch(&events).await;
    assert_eq!(results.len(), 1_000);
    for (number, (result, event)) in results.iter().zip(&events).enumerate() {
        match result {
            Ok(receipt) => assert_eq!(receipt.id, event.id, "result {number}"),
            Err(error) => assert_eq!((number, error.kind()), (500, PublishErrorKind::TooLarge)),
        }
    }
    let mut read: Vec<usize> = Vec::new();
    for body in seen.take(999).await {
        read.push(std::str::from_utf8(&body)?.parse()?);
    }
    read.sort_unstable();
    assert!(read.into_iter().eq((0..1_000).filter(|number| *number != 500)));
    consumer.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

pub(crate) async fn object(lab: Lab) -> CaseResult {
    struct Shop {
        events: Arc<dyn EventPublisher<Order>>,
    }
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Order>, _: Context| {
        tell.tell(event.data);
        std::future::ready(Ok(()))
    };
    let consumer = consumer(&bus, &lab, "reader").on(handler).start().await?;
    let shop = Shop { events: Arc::new(bus.producer(lab.stream.clone()).await?) };
    shop.events.publish(order(3)).await?;
    assert_eq!(seen.next().await, order(3));
    consumer.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}
