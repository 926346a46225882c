use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rocketmq_event::backend::Destination;
use rocketmq_event::event::FailureKind;
use rocketmq_event::{Context, Event, EventType, Failure, RetryPolicy};
use serde::{Deserialize, Serialize};

use crate::faulty::{Refuses, with_fault};
use crate::lab::{CaseResult, Lab, Order, Seen, consumer, order, recorder, until};

const DEADLINE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);
/// A delay that does not pass within the case, however busy the machine is.
const LONG: Duration = Duration::from_secs(600);

pub(crate) async fn delays_grow(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let policy = RetryPolicy::later(3).with_delays([SECOND, 2 * SECOND]);
    let fails = |_, attempt| if attempt < 3 { Err(Failure::from("not yet")) } else { Ok(()) };
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer").retry(policy.clone()), fails).await;
    // From here on, so that a test that looks late does not take a delay for too short.
    let (published, mut least) = (Instant::now(), Duration::ZERO);
    bus.producer(lab.stream.clone()).await?.send(&order(1)).await?;
    assert_eq!(seen.next().await, (1, 1));
    for attempt in [2, 3] {
        assert_eq!(seen.next().await, (1, attempt));
        let waited = published.elapsed();
        least += bus.backend().abilities().rounded(policy.delay(attempt - 1));
        assert!(waited >= least.mul_f64(0.9), "attempt {attempt} came after {waited:?}, not {least:?}");
    }
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn short_overtakes_long(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let fails = |number, attempt| match (number, attempt) {
        (1, 1) => Err(Failure::after(LONG, "later")),
        (2, 1) => Err(Failure::after(SECOND, "soon")),
        _ => Ok(()),
    };
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer"), fails).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in [1, 2] {
        producer.send_event(&Event::new(order(number)).with_key("one queue")).await?;
    }
    assert_eq!(seen.take(3).await, [(1, 1), (2, 1), (2, 2)]);
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn others_go_on(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let policy = RetryPolicy::later(2).with_delays([LONG]);
    let fails =
        |number, attempt| if (number, attempt) == (0, 1) { Err(Failure::from("not yet")) } else { Ok(()) };
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer").retry(policy), fails).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 0..10 {
        producer.send_event(&Event::new(order(number)).with_key("one queue")).await?;
    }
    let all = (0..10).map(|number| (number, 1));
    assert!(seen.take(10).await.into_iter().eq(all), "all others come before the retry");
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn timeout(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let slow = move |event: Event<Order>, _: Context| {
        let tell = tell.clone();
        async move {
            tell.tell(format!("{} begins", event.data.number));
            if event.data.number == 1 {
                tokio::time::sleep(2 * SECOND).await;
            }
            tell.tell(format!("{} ends", event.data.number));
            Ok(())
        }
    };
    let builder = consumer(&bus, &lab, "mailer").timeout(SECOND / 2).retry(RetryPolicy::never());
    let mailer = builder.on(slow).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    producer.send(&order(1)).await?;
    let letters = lab.dead(&bus, "mailer", 1).await;
    let record = letters[0].envelope.failure.as_ref().ok_or("no record")?;
    assert_eq!(record.kind, FailureKind::Timeout);
    producer.send(&order(2)).await?;
    assert_eq!(seen.take(3).await, ["1 begins", "2 begins", "2 ends"]);
    mailer.shutdown(DEADLINE).await?;
    assert_eq!(seen.so_far(), Vec::<String>::new(), "the late result has no effect");
    Ok(())
}

pub(crate) async fn no_dead_letters(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let refused = Arc::new(AtomicUsize::new(0));
    let what = |destination: &Destination| matches!(destination, Destination::Dead { .. });
    let faulty = with_fault(&bus, Refuses { what, refused: refused.clone(), times: usize::MAX });
    let hopeless = |_, _| Err(Failure::permanent("hopeless"));
    let (mailer, mut seen) = recorder(consumer(&faulty, &lab, "mailer"), hopeless).await;
    bus.producer(lab.stream.clone()).await?.send(&order(1)).await?;
    assert_eq!(seen.next().await, (1, 1));
    until(|| async {
        let refused = refused.load(Ordering::SeqCst);
        if refused >= 2 { Ok(()) } else { Err(format!("refused {refused} times")) }
    })
    .await;
    mailer.shutdown(DEADLINE).await?;
    assert!(lab.dead(&bus, "mailer", 0).await.is_empty());
    // The original was not acknowledged: it comes again, and dies where that is possible.
    let (mailer, mut again) = recorder(consumer(&bus, &lab, "mailer"), hopeless).await;
    assert_eq!(again.next().await.0, 1);
    lab.dead(&bus, "mailer", 1).await;
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mailed {
    pub(crate) number: u64,
}

impl EventType for Mailed {
    const NAMES: &'static [&'static str] = &["mailed"];
}

pub(crate) async fn publishes_on_success(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let mails = format!("{}-mails", lab.stream);
    bus.producer(mails.clone()).await?;
    let (tell, mut seen) = Seen::new();
    let reader = bus.consumer(mails.clone(), "reader").start_from(rocketmq_event::backend::Start::Earliest);
    let reader = reader
        .on(move |event: Event<Mailed>, _: Context| {
            tell.tell(event);
            std::future::ready(Ok(()))
        })
        .start()
        .await?;
    let into = mails.clone();
    let handler = move |event: Event<Order>, context: Context| {
        let into = into.clone();
        async move {
            context.publish(into, Mailed { number: event.data.number })?;
            if context.attempt() == 1 { Err(Failure::after(SECOND, "after it published")) } else { Ok(()) }
        }
    };
    let mailer = consumer(&bus, &lab, "mailer").on(handler).start().await?;
    let event = Event::new(order(1)).with_correlation("conversation");
    bus.producer(lab.stream.clone()).await?.send_event(&event).await?;
    let mailed = seen.next().await;
    assert_eq!(
        (mailed.data.number, mailed.cause.as_ref(), mailed.correlation.as_deref()),
        (1, Some(&event.id), Some("conversation"))
    );
    mailer.shutdown(DEADLINE).await?;
    reader.shutdown(DEADLINE).await?;
    assert!(seen.so_far().is_empty(), "the attempt that failed published nothing");
    Ok(())
}
