use std::time::{Duration, Instant, SystemTime};

use rocketmq_event::event::FailureKind;
use rocketmq_event::{Envelope, Failure, RetryPolicy};

use crate::lab::{CaseResult, Lab, consumer, order, recorder};

const DEADLINE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

fn retries(tries: u32) -> RetryPolicy {
    RetryPolicy::later(tries).with_delays([SECOND])
}

pub(crate) async fn comes_again(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let fails_once = |_, attempt| if attempt == 1 { Err(Failure::from("not yet")) } else { Ok(()) };
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer").retry(retries(3)), fails_once).await;
    let (other, mut by_other) = recorder(consumer(&bus, &lab, "other"), |_, _| Ok(())).await;
    let published = Instant::now();
    bus.producer(lab.stream.clone()).await?.send(&order(1)).await?;
    assert_eq!(seen.take(2).await, [(1, 1), (1, 2)]);
    let waited = published.elapsed();
    assert!(waited >= bus.backend().abilities().rounded(SECOND).mul_f64(0.9), "came again after {waited:?}");
    mailer.shutdown(DEADLINE).await?;
    other.shutdown(DEADLINE).await?;
    assert_eq!(
        (seen.so_far(), by_other.so_far()),
        (vec![], vec![(1, 1)]),
        "only this group, and only once more"
    );
    Ok(())
}

pub(crate) async fn exhausted(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let started = SystemTime::now() - SECOND;
    let (mailer, mut seen) =
        recorder(consumer(&bus, &lab, "mailer").retry(retries(2)), |_, _| Err("no luck".into())).await;
    let body = br#"{ "number": 5,  "customer": "bob", "unknown": [1] }"#;
    let mut envelope = Envelope::new("order.placed");
    envelope.headers.insert("tenant", "blue");
    envelope.key = Some("k".into());
    lab.publish_raw(&bus, envelope.clone(), body).await?;
    assert_eq!(seen.take(2).await, [(5, 1), (5, 2)]);
    let letters = lab.dead(&bus, "mailer", 1).await;
    let (letter, record) = (&letters[0], letters[0].envelope.failure.as_ref().ok_or("no record")?);
    assert_eq!(&letter.body[..], body, "raw bytes");
    assert_eq!((&*record.reason, record.kind, record.attempts), ("no luck", FailureKind::Failed, 2));
    assert_eq!((&*record.group, &*record.origin.stream, record.replays), ("mailer", &*lab.stream, 0));
    assert!(started <= record.first && record.first < record.last && record.last <= SystemTime::now());
    envelope.failure = letter.envelope.failure.clone();
    assert_eq!(letter.envelope, envelope, "the envelope is as it was published");
    mailer.shutdown(DEADLINE).await?;
    assert!(seen.so_far().is_empty());
    Ok(())
}

pub(crate) async fn permanent(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let hopeless = |number, _| if number == 1 { Err(Failure::permanent("no such account")) } else { Ok(()) };
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer"), hopeless).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    producer.send(&order(1)).await?;
    let letters = lab.dead(&bus, "mailer", 1).await;
    let record = letters[0].envelope.failure.as_ref().ok_or("no record")?;
    assert_eq!((record.kind, record.attempts), (FailureKind::Permanent, 1));
    producer.send(&order(2)).await?;
    assert_eq!(seen.take(2).await, [(1, 1), (2, 1)]);
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn undecodable(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    producer.send(&order(1)).await?;
    lab.publish_raw(&bus, Envelope::new("order.placed"), b"\xff{broken").await?;
    let mut unknown = Envelope::new("order.placed");
    unknown.content_type = "application/x-unknown".into();
    lab.publish_raw(&bus, unknown, b"{}").await?;
    producer.send(&order(2)).await?;
    let mut read = seen.take(2).await;
    read.sort_unstable();
    assert_eq!(read, [(1, 1), (2, 1)]);
    let letters = lab.dead(&bus, "mailer", 2).await;
    assert!(letters.iter().any(|letter| &letter.body[..] == b"\xff{broken"));
    for letter in &letters {
        let record = letter.envelope.failure.as_ref().ok_or("no record")?;
        assert_eq!((record.kind, record.attempts), (FailureKind::Decode, 1));
    }
    mailer.shutdown(DEADLINE).await?;
    assert!(seen.so_far().is_empty());
    Ok(())
}

pub(crate) async fn panic(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let panics =
        |number, _| if number == 1 { panic!("the handler of case 28 panics, as it should") } else { Ok(()) };
    let (mailer, mut seen) =
        recorder(consumer(&bus, &lab, "mailer").retry(RetryPolicy::never()), panics).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    producer.send(&order(1)).await?;
    producer.send(&order(2)).await?;
    let mut read = seen.take(2).await;
    read.sort_unstable();
    assert_eq!(read, [(1, 1), (2, 1)]);
    let letters = lab.dead(&bus, "mailer", 1).await;
    let record = letters[0].envelope.failure.as_ref().ok_or("no record")?;
    assert_eq!(
        (record.kind, &*record.reason),
        (FailureKind::Panic, "the handler panicked: the handler of case 28 panics, as it should")
    );
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}
