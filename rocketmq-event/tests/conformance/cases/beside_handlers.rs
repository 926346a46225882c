use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq_event::backend::Destination;
use rocketmq_event::consume::{Dedupe, MemorySeen};
use rocketmq_event::event::FailureKind;
use rocketmq_event::{Context, Event, Failure, RetryPolicy};

use super::retries::Mailed;
use crate::faulty::{Refuses, with_fault};
use crate::lab::{CaseResult, Lab, Order, Seen, consumer, order};

const DEADLINE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn dedupe_and_publish(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let mails = format!("{}-mails", lab.stream);
    let reader = bus.consumer(mails.clone(), "reader").start_from(rocketmq_event::Start::Earliest);
    let (tell, mut seen) = Seen::new();
    let reader = reader
        .on(move |event: Event<Mailed>, _: Context| {
            tell.tell(event.data.number);
            std::future::ready(Ok(()))
        })
        .start()
        .await?;
    let refused = Arc::new(AtomicUsize::new(0));
    let what = |destination: &Destination| matches!(destination, Destination::Stream(stream) if stream.ends_with("-mails"));
    let faulty = with_fault(&bus, Refuses { what, refused: refused.clone(), times: 1 });
    let handler = move |event: Event<Order>, context: Context| {
        let published = context.publish(mails.clone(), Mailed { number: event.data.number });
        std::future::ready(published.map_err(Failure::from))
    };
    let policy = RetryPolicy::later(3).with_delays([SECOND]);
    let builder = consumer(&faulty, &lab, "mailer").layer(Dedupe(MemorySeen::new(100))).retry(policy);
    let mailer = builder.on(handler).start().await?;
    bus.producer(lab.stream.clone()).await?.send(&order(1)).await?;
    assert_eq!(seen.next().await, 1);
    assert_eq!(refused.load(Ordering::SeqCst), 1, "the first attempt could not publish");
    mailer.shutdown(DEADLINE).await?;
    reader.shutdown(DEADLINE).await?;
    Ok(())
}

/// Its text cannot be made, and neither can its future end.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no text")
    }
}

impl std::error::Error for Unspeakable {}

struct Unending;

impl Drop for Unending {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "no end");
    }
}

pub(crate) async fn panics_beside_the_handler(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Order>, _: Context| {
        let tell = tell.clone();
        async move {
            tell.tell(event.data.number);
            match event.data.number {
                1 => Err(Unspeakable.into()),
                2 => {
                    let _unending = Unending;
                    std::future::pending().await
                }
                _ => Ok(()),
            }
        }
    };
    let builder = consumer(&bus, &lab, "mailer").retry(RetryPolicy::never()).timeout(SECOND);
    let mailer = builder.on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 1..=3 {
        producer.send_event(&Event::new(order(number)).with_key("one queue")).await?;
    }
    assert_eq!(seen.take(3).await, [1, 2, 3]);
    for letter in lab.dead(&bus, "mailer", 2).await {
        let record = letter.envelope.failure.ok_or("no record")?;
        assert_eq!(record.kind, FailureKind::Panic, "{record:?}");
    }
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}
