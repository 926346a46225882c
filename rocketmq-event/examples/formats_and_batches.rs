//! JSON and MessagePack in one stream, which readers tell by the content type; a batch with one event that is too large; events without a
//! key; and a call within a handler that is tried again.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rocketmq_event::{Event, EventType, Failure, Format, PublishErrorKind, with_retry};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SendEmail {
    to: String,
    subject: String,
}

impl EventType for SendEmail {
    const NAMES: &'static [&'static str] = &["tasks.email"];
}

/// A mail server that is busy at first.
async fn deliver(tries: &AtomicU32) -> Result<(), Failure> {
    if tries.fetch_add(1, Ordering::SeqCst) == 0 { Err("the mail server is busy".into()) } else { Ok(()) }
}

#[tokio::main]
async fn main() -> support::Result {
    let bus = support::connect().await?;
    let (tell, mut told) = mpsc::channel(64);
    let mailer = bus
        .consume("mails", "mailer", move |mail: SendEmail| {
            let tell = tell.clone();
            async move {
                // A short call, tried again within the handler. What takes longer than seconds belongs to the policy of the consumer.
                let tries = AtomicU32::new(0);
                with_retry(3, Duration::from_millis(10), || deliver(&tries)).await?;
                let tries = tries.into_inner();
                Ok(tell.send(format!("{} to {}, {tries} tries", mail.subject, mail.to)).await?)
            }
        })
        .await?;
    let json = bus.producer("mails").await?;
    let mail = |subject: &str| SendEmail { to: "ann".to_owned(), subject: subject.to_owned() };
    // A key and any serde type: the routing key is the name of the event.
    json.publish("tasks.email", &mail("json")).await?;
    json.clone().with_format(Format::MessagePack).send(&mail("msgpack")).await?;

    // Pipelined, with a result for each: an event that fails costs its neighbours nothing.
    let too_large = "x".repeat(bus.backend().abilities().max_body + 1);
    let batch = [
        Event::new(mail("first of a batch")).with_key("ann"),
        Event::new(mail(&too_large)),
        Event::new(mail("last of a batch")), // No key: any queue or partition takes it.
    ];
    let results = json.send_batch(&batch).await;
    let kinds: Vec<_> =
        results.iter().map(|result| result.as_ref().err().map(|error| error.kind())).collect();
    if kinds != [None, Some(PublishErrorKind::TooLarge), None] {
        return Err(format!("unexpected results: {kinds:?}").into());
    }
    for _ in 0..4 {
        println!("{}", told.recv().await.ok_or("the handlers are gone")?);
    }
    mailer.shutdown(Duration::from_secs(10)).await?;
    Ok(bus.close().await?)
}
