use std::time::Duration;

use rocketmq_event::event::FailureKind;
use rocketmq_event::{Context, Event, Unmatched};
use serde_json::Value;

use crate::lab::{CaseResult, Lab, Seen, consumer, order, recorder};

const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) async fn two_groups(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (mailer, mut mailed) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    let (biller, mut billed) = recorder(consumer(&bus, &lab, "biller"), |_, _| Ok(())).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 0..20 {
        producer.send(&order(number)).await?;
    }
    for seen in [&mut mailed, &mut billed] {
        let mut numbers: Vec<u64> = seen.take(20).await.into_iter().map(|(number, _)| number).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..20));
    }
    mailer.shutdown(DEADLINE).await?;
    biller.shutdown(DEADLINE).await?;
    assert_eq!((mailed.so_far(), billed.so_far()), (vec![], vec![]));
    Ok(())
}

pub(crate) async fn two_members(lab: Lab) -> CaseResult {
    let (first_bus, second_bus) = (lab.bus().await, lab.bus().await);
    let (first, mut by_first) = recorder(consumer(&first_bus, &lab, "mailer"), |_, _| Ok(())).await;
    let (second, mut by_second) = recorder(consumer(&second_bus, &lab, "mailer"), |_, _| Ok(())).await;
    let producer = first_bus.producer(lab.stream.clone()).await?;
    let events: Vec<_> =
        (0..200).map(|number| Event::new(order(number)).with_key(number.to_string())).collect();
    for result in producer.send_batch(&events).await {
        result?;
    }
    let mut numbers = Vec::new();
    while numbers.len() < 200 {
        let next = tokio::select! { next = by_first.next() => next, next = by_second.next() => next };
        numbers.push(next.0);
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..200), "an event came twice, or not at all");
    first.shutdown(DEADLINE).await?;
    second.shutdown(DEADLINE).await?;
    assert_eq!((by_first.so_far(), by_second.so_far()), (vec![], vec![]));
    Ok(())
}

pub(crate) async fn patterns(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let names = ["user.created", "user.deleted", "order.created", "user.address.changed", "last"];
    let table = [
        ("one-word", "user.*", vec!["user.created", "user.deleted"]),
        ("all", "#", vec!["user.created", "user.deleted", "order.created", "user.address.changed"]),
        ("second", "*.created", vec!["user.created", "order.created"]),
        ("tree", "user.#", vec!["user.created", "user.deleted", "user.address.changed"]),
    ];
    let mut consumers = Vec::new();
    for (group, pattern, expected) in table {
        let (tell, seen) = Seen::new();
        let handler = move |event: Event<Value>, _: Context| {
            tell.tell(event.name.to_string());
            std::future::ready(Ok(()))
        };
        let builder = consumer(&bus, &lab, group).on_key(pattern, handler.clone()).on_key("last", handler);
        consumers.push((builder.start().await?, seen, expected));
    }
    let producer = bus.producer(lab.stream.clone()).await?;
    for name in names {
        // A key of their own keeps them in one order.
        let mut event = rocketmq_event::Envelope::new(name);
        event.key = Some("k".into());
        lab.publish_raw(&bus, event, b"{}").await?;
    }
    drop(producer);
    for (consumer, mut seen, mut expected) in consumers {
        expected.push("last");
        let mut read = seen.take(expected.len()).await;
        read.sort();
        expected.sort_unstable();
        assert_eq!(read, expected);
        consumer.shutdown(DEADLINE).await?;
    }
    Ok(())
}

pub(crate) async fn unmatched(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let acknowledging = consumer(&bus, &lab, "calm").bind("order.#");
    let (calm, mut by_calm) = recorder(acknowledging, |_, _| Ok(())).await;
    let keeping = consumer(&bus, &lab, "keeper").bind("order.#").unmatched(Unmatched::DeadLetter);
    let (keeper, mut by_keeper) = recorder(keeping, |_, _| Ok(())).await;
    lab.publish_raw(&bus, rocketmq_event::Envelope::new("order.lost"), b"{}").await?;
    bus.producer(lab.stream.clone()).await?.send(&order(1)).await?;
    assert_eq!((by_calm.next().await, by_keeper.next().await), ((1, 1), (1, 1)));
    let letters = lab.dead(&bus, "keeper", 1).await;
    let record = letters[0].envelope.failure.as_ref().ok_or("no record")?;
    assert_eq!(record.kind, FailureKind::Unmatched);
    calm.shutdown(DEADLINE).await?;
    keeper.shutdown(DEADLINE).await?;
    assert!(lab.dead(&bus, "calm", 0).await.is_empty());
    Ok(())
}
