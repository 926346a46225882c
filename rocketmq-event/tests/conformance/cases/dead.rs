use std::time::Duration;

use futures_util::TryStreamExt;
use rocketmq_event::consume::{Dedupe, MemorySeen};
use rocketmq_event::{DeadLetter, Event, Failure};

use crate::lab::{CaseResult, Lab, Order, consumer, order, recorder, until};

const DEADLINE: Duration = Duration::from_secs(10);

fn number(letter: &DeadLetter) -> u64 {
    serde_json::from_slice::<Order>(&letter.body).unwrap().number
}

pub(crate) async fn count_and_read(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (mailer, mut seen) =
        recorder(consumer(&bus, &lab, "mailer"), |_, _| Err(Failure::permanent("hopeless"))).await;
    let letters = bus.dead_letters(lab.stream.clone(), "mailer");
    assert_eq!(letters.count().await?, 0);
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 1..=3 {
        producer.send(&order(number)).await?;
    }
    seen.take(3).await;
    lab.dead(&bus, "mailer", 3).await;
    for _ in 0..2 {
        let read: Vec<DeadLetter> = letters.read().try_collect().await?;
        let mut numbers: Vec<u64> = read.iter().map(number).collect();
        numbers.sort_unstable();
        assert_eq!((numbers, letters.count().await?), (vec![1, 2, 3], 3), "reading takes nothing away");
    }
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn replay(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let hopeless = |_, _| Err(Failure::permanent("hopeless"));
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer"), hopeless).await;
    let (other, mut by_other) = recorder(consumer(&bus, &lab, "other"), |_, _| Ok(())).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 1..=3 {
        producer.send(&order(number)).await?;
    }
    seen.take(3).await;
    by_other.take(3).await;
    lab.dead(&bus, "mailer", 3).await;
    let letters = bus.dead_letters(lab.stream.clone(), "mailer");
    // What an earlier reader saw may need a moment to be back.
    let replayed = until(|| async {
        let replayed = letters.replay(|letter| number(letter) == 2, 10).await.unwrap();
        if replayed.replayed == 1 { Ok(replayed) } else { Err(format!("{replayed:?}")) }
    })
    .await;
    assert!(replayed.left <= 2, "{replayed:?}");
    assert_eq!(seen.next().await, (2, 1), "attempts are counted anew");
    // It fails again, and is there again: with one replay more.
    lab.dead(&bus, "mailer", 3).await;
    let read: Vec<DeadLetter> = letters.read().try_collect().await?;
    let mut replays: Vec<(u64, u32)> = read.iter().map(|letter| (number(letter), letter.replays)).collect();
    replays.sort_unstable();
    assert_eq!(replays, [(1, 0), (2, 1), (3, 0)]);
    until(|| async {
        let replayed = letters.replay(|letter| letter.replays < 1, 1).await.unwrap();
        if replayed.replayed == 1 { Ok(()) } else { Err(format!("{replayed:?}")) }
    })
    .await;
    assert_ne!(seen.next().await.0, 2, "2 was put back before");
    mailer.shutdown(DEADLINE).await?;
    other.shutdown(DEADLINE).await?;
    assert!(by_other.so_far().is_empty(), "other groups see no replay");
    Ok(())
}

pub(crate) async fn dedupe(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let fails_first = |_, attempt| {
        if attempt == 1 { Err(Failure::after(Duration::from_secs(1), "not yet")) } else { Ok(()) }
    };
    let builder = consumer(&bus, &lab, "mailer").layer(Dedupe(MemorySeen::new(100)));
    let (mailer, mut seen) = recorder(builder, fails_first).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    let event = Event::new(order(1)).with_id("the event").with_key("one queue");
    producer.send_event(&event).await?;
    assert_eq!(seen.take(2).await, [(1, 1), (1, 2)], "a failure is not remembered");
    producer.send_event(&event).await?;
    producer.send_event(&Event::new(order(2)).with_key("one queue")).await?;
    assert_eq!(seen.next().await.0, 2, "the second delivery of the first id is not handled");
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}
