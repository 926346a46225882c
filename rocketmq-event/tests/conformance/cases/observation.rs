use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rocketmq_event::event::{self, DecodeError, EncodeError};
use rocketmq_event::{Context, Event, EventType, Failure, Format, RetryPolicy};
use serde::{Deserialize, Serialize};

use crate::lab::{CaseResult, Lab, Order, Seen, consumer, order, recorder, until};

const DEADLINE: Duration = Duration::from_secs(10);

fn recorded() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}

pub(crate) async fn metrics(lab: Lab) -> CaseResult {
    let recorder_of_process = recorded();
    let bus = lab.bus().await;
    let policy = RetryPolicy::later(2).with_delays([Duration::from_secs(1)]);
    let fails = |number, _| if number == 1 { Err(Failure::from("no luck")) } else { Ok(()) };
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer").retry(policy), fails).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 1..=3 {
        producer.send(&order(number)).await?;
    }
    seen.take(4).await;
    lab.dead(&bus, "mailer", 1).await;
    let expected = [
        ("messages_processed_total", r#"outcome="succeeded""#, "2"),
        ("messages_processed_total", r#"outcome="failed""#, "2"),
        ("message_processing_seconds_count", r#"outcome="succeeded""#, "2"),
        ("message_processing_seconds_count", r#"outcome="failed""#, "2"),
        ("messages_retried_total", r#"kind="failed""#, "1"),
        ("messages_dead_lettered_total", r#"kind="failed""#, "1"),
    ];
    until(|| async {
        let text = recorder_of_process.render();
        let stream = format!("stream=\"{}\"", lab.stream);
        let of_case: Vec<&str> = text.lines().filter(|line| line.contains(&stream)).collect();
        let missing = expected.iter().find(|(name, label, value)| {
            let series = of_case.iter().filter(|line| line.starts_with(name) && line.contains(label));
            let mut series = series.filter(|line| line.contains(r#"event="order.placed""#));
            !series.any(|line| line.rsplit(' ').next() == Some(value))
        });
        missing.map_or(Ok(()), |missing| Err(format!("{missing:?} is not among {of_case:#?}")))
    })
    .await;
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn trace(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Order>, context: Context| {
        tell.tell((context.attempt(), event.trace_parent.clone()));
        std::future::ready(match context.attempt() {
            1 => Err(Failure::after(Duration::from_secs(1), "not yet")),
            _ => Err(Failure::permanent("hopeless")),
        })
    };
    let mailer = consumer(&bus, &lab, "mailer").on(handler).start().await?;
    let mut event = Event::new(order(1));
    let parent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    event.envelope.trace_parent.clone_from(&parent);
    bus.producer(lab.stream.clone()).await?.send_event(&event).await?;
    assert_eq!(seen.take(2).await, [(1, parent.clone()), (2, parent.clone())], "through a retry");
    lab.dead(&bus, "mailer", 1).await;
    let letters = bus.dead_letters(lab.stream.clone(), "mailer");
    until(|| async {
        let replayed = letters.replay(|_| true, 1).await.unwrap();
        if replayed.replayed == 1 { Ok(()) } else { Err(format!("{replayed:?}")) }
    })
    .await;
    assert_eq!(seen.next().await, (1, parent), "through a replay");
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Shipped {
    number: u64,
}

impl EventType for Shipped {
    const NAMES: &'static [&'static str] = &["order.shipped"];
}

#[derive(Serialize, Deserialize)]
enum OrderEvent {
    Placed(Order),
    Shipped(Shipped),
}

impl EventType for OrderEvent {
    const NAMES: &'static [&'static str] = &["order.placed", "order.shipped"];

    fn name(&self) -> &str {
        match self {
            Self::Placed(_) => "order.placed",
            Self::Shipped(_) => "order.shipped",
        }
    }

    fn encode(&self, format: Format) -> Result<Bytes, EncodeError> {
        match self {
            Self::Placed(placed) => event::encode(placed, format),
            Self::Shipped(shipped) => event::encode(shipped, format),
        }
    }

    fn decode(name: &str, _: u32, format: Format, bytes: &[u8]) -> Result<Self, DecodeError> {
        match name {
            "order.placed" => event::decode(name, format, bytes).map(Self::Placed),
            "order.shipped" => event::decode(name, format, bytes).map(Self::Shipped),
            _ => Err(DecodeError::Name { name: name.to_owned() }),
        }
    }
}

pub(crate) async fn variant(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Shipped>, _: Context| {
        tell.tell(event.data.number);
        std::future::ready(Ok(()))
    };
    let shipping = consumer(&bus, &lab, "shipping").on(handler).start().await?;
    let (tell, mut both) = Seen::new();
    let handler = move |event: Event<OrderEvent>, _: Context| {
        tell.tell(match event.data {
            OrderEvent::Placed(placed) => placed.number,
            OrderEvent::Shipped(shipped) => shipped.number,
        });
        std::future::ready(Ok(()))
    };
    let all = consumer(&bus, &lab, "all").on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    producer.send(&OrderEvent::Placed(order(1))).await?;
    producer.send(&OrderEvent::Shipped(Shipped { number: 2 })).await?;
    assert_eq!(seen.next().await, 2);
    let mut read = both.take(2).await;
    read.sort_unstable();
    assert_eq!(read, [1, 2]);
    shipping.shutdown(DEADLINE).await?;
    all.shutdown(DEADLINE).await?;
    assert!(seen.so_far().is_empty());
    Ok(())
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct InFormat {
    format: String,
}

impl EventType for InFormat {
    const NAMES: &'static [&'static str] = &["in.format"];

    fn encode(&self, format: Format) -> Result<Bytes, EncodeError> {
        match format {
            // A type may have a form of its own.
            Format::Protobuf => Ok(Bytes::copy_from_slice(self.format.as_bytes())),
            format => event::encode(self, format),
        }
    }

    fn decode(name: &str, _: u32, format: Format, bytes: &[u8]) -> Result<Self, DecodeError> {
        let data = match format {
            Format::Protobuf => Self { format: String::from_utf8_lossy(bytes).into_owned() },
            format => event::decode(name, format, bytes)?,
        };
        assert_eq!(data.format, format.content_type());
        Ok(data)
    }
}

pub(crate) async fn formats(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<InFormat>, _: Context| {
        tell.tell((event.content_type.to_string(), event.data.format));
        std::future::ready(Ok(()))
    };
    let reader = consumer(&bus, &lab, "reader").on(handler).start().await?;
    let mut formats = vec![Format::Json, Format::Protobuf];
    if cfg!(feature = "msgpack") {
        formats.push(Format::MessagePack);
    }
    for format in formats {
        let producer = bus.producer(lab.stream.clone()).await?.with_format(format);
        producer.send(&InFormat { format: format.content_type().to_owned() }).await?;
        let expected = format.content_type().to_owned();
        assert_eq!(seen.next().await, (expected.clone(), expected));
    }
    reader.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn java(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Order>, _: Context| {
        tell.tell(event);
        std::future::ready(Ok(()))
    };
    let from_java = format!("{}-java", lab.stream);
    let reader = bus.consumer(from_java.clone(), "reader").start_from(rocketmq_event::Start::Earliest);
    let reader = reader.on(handler).start().await?;
    let mut event = Event::new(order(7)).with_key("ann").with_correlation("conversation");
    event.envelope.source = "shop/orders".into();
    event.envelope.time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
    event.envelope.headers.insert("tenant", "blue");
    bus.producer(lab.stream.clone()).await?.send_event(&event).await?;

    let mut program = lab.rig.java(&from_java, &lab.stream).ok_or("no SDK")?;
    let output = program.kill_on_drop(true).output().await?;
    let printed = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let expected = format!(
        "key=ann\nspecversion=1.0\nid={}\nsource=shop/orders\ntype=order.placed\ntime=2023-11-14T22:13:20.123456Z\n\
         datacontenttype=application/json\ncorrelationid=conversation\npartitionkey=ann\nschemaversion=1\n\
         data={{\"number\":7,\"customer\":\"ann\"}}\n",
        event.id
    );
    assert_eq!(printed, expected);

    let read = seen.next().await;
    assert_eq!(
        (read.data, read.envelope.id.as_str()),
        (Order { number: 8, customer: "ann".into() }, "java-1")
    );
    assert_eq!((&*read.envelope.source, &*read.envelope.name), ("shop/java", "order.placed"));
    assert_eq!(read.envelope.time, event.envelope.time);
    assert_eq!(read.envelope.key.as_deref(), Some("ann"));
    assert_eq!(read.envelope.correlation.as_deref(), Some("conversation"));
    assert_eq!(
        read.envelope.headers.text("subject"),
        Some("orders"),
        "an attribute that the envelope has not"
    );
    reader.shutdown(DEADLINE).await?;
    Ok(())
}
