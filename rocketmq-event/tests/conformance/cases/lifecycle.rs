use std::sync::Arc;
use std::time::Duration;

use rocketmq_event::{Context, Event};
use tokio::sync::Notify;

use crate::lab::{CaseResult, Lab, Order, Seen, consumer, order, recorder};

const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) async fn shutdown(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let finish = Arc::new(Notify::new());
    let wait = finish.clone();
    let handler = move |event: Event<Order>, _: Context| {
        let (tell, wait) = (tell.clone(), wait.clone());
        async move {
            tell.tell(event.data.number);
            wait.notified().await;
            Ok(())
        }
    };
    let mailer = consumer(&bus, &lab, "mailer").on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 1..=3 {
        producer.send_event(&Event::new(order(number)).with_key("one queue")).await?;
    }
    assert_eq!(seen.next().await, 1);
    let closing = mailer.shutdown(DEADLINE);
    let (report, ()) = tokio::join!(closing, async {
        tokio::task::yield_now().await;
        finish.notify_one();
    });
    let report = report?;
    assert_eq!((report.finished, report.left), (1, 0), "{report:?}");
    assert!(seen.so_far().is_empty(), "nothing begins during a shutdown");
    let (mailer, mut again) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    let mut numbers: Vec<u64> = again.take(2).await.into_iter().map(|(number, _)| number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3], "what was released comes again, what was finished does not");
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn deadline(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |_: Event<Order>, context: Context| {
        let tell = tell.clone();
        async move {
            tell.tell(false);
            context.cancelled().await;
            tell.tell(true);
            std::future::pending::<()>().await;
            Ok(())
        }
    };
    let mailer = consumer(&bus, &lab, "mailer").on(handler).start().await?;
    bus.producer(lab.stream.clone()).await?.send(&order(1)).await?;
    assert!(!seen.next().await);
    let report = mailer.shutdown(Duration::from_millis(500)).await?;
    assert_eq!((report.finished, report.left), (0, 1), "{report:?}");
    assert!(seen.next().await, "the handler was told before");
    let (mailer, mut again) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    assert_eq!(again.next().await.0, 1);
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn close(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    producer.send(&order(1)).await?;
    assert_eq!(seen.next().await, (1, 1));
    mailer.shutdown(DEADLINE).await?;
    bus.close().await?;
    bus.close().await?;
    assert!(producer.send(&order(2)).await.is_err(), "the bus is closed");
    Ok(())
}

pub(crate) async fn success_is_for_good(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    bus.producer(lab.stream.clone()).await?.send(&order(1)).await?;
    assert_eq!(seen.next().await, (1, 1));
    mailer.shutdown(DEADLINE).await?;
    bus.close().await?;
    let bus = lab.bus().await;
    let (mailer, mut again) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    bus.producer(lab.stream.clone()).await?.send(&order(2)).await?;
    assert_eq!(again.next().await, (2, 1));
    mailer.shutdown(DEADLINE).await?;
    assert_eq!((seen.so_far(), again.so_far()), (vec![], vec![]));
    Ok(())
}

pub(crate) async fn member_dies(lab: Lab) -> CaseResult {
    let (first_bus, second_bus) = (lab.bus().await, lab.bus().await);
    let (tell, mut seen) = Seen::new();
    let hangs = move |event: Event<Order>, _: Context| {
        let tell = tell.clone();
        async move {
            tell.tell(event.data.number);
            std::future::pending().await
        }
    };
    let first = consumer(&first_bus, &lab, "mailer").on(hangs).start().await?;
    let producer = second_bus.producer(lab.stream.clone()).await?;
    for number in 0..10 {
        producer.send(&order(number)).await?;
    }
    seen.next().await;
    let (second, mut by_second) = recorder(consumer(&second_bus, &lab, "mailer"), |_, _| Ok(())).await;
    drop((first, first_bus));
    let mut missing: Vec<u64> = (0..10).collect();
    while !missing.is_empty() {
        let (number, _) = by_second.next().await;
        missing.retain(|other| *other != number);
    }
    second.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn member_joins(lab: Lab) -> CaseResult {
    let (first_bus, second_bus) = (lab.bus().await, lab.bus().await);
    let (first, mut by_first) = recorder(consumer(&first_bus, &lab, "mailer"), |_, _| Ok(())).await;
    let producer = first_bus.producer(lab.stream.clone()).await?;
    let batch = |from: u64| (from..from + 100).map(|number| Event::new(order(number))).collect::<Vec<_>>();
    producer.send_batch(&batch(0)).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (second, mut by_second) = recorder(consumer(&second_bus, &lab, "mailer"), |_, _| Ok(())).await;
    producer.send_batch(&batch(100)).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut missing: Vec<u64> = (0..200).collect();
    while !missing.is_empty() {
        let (number, _) = tokio::select! { next = by_first.next() => next, next = by_second.next() => next };
        missing.retain(|other| *other != number);
    }
    first.shutdown(DEADLINE).await?;
    second.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn start(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 1..=3 {
        producer.send(&order(number)).await?;
    }
    // A broker may say that it has an event a moment before its readers see it: a group that begins at the end could get it.
    let (earliest, mut by_earliest) = recorder(consumer(&bus, &lab, "earliest"), |_, _| Ok(())).await;
    let mut past = by_earliest.take(3).await;
    past.sort_unstable();
    assert_eq!(past, [(1, 1), (2, 1), (3, 1)]);
    let latest =
        bus.consumer(lab.stream.clone(), "latest").start_from(rocketmq_event::backend::Start::Latest);
    let (latest, mut by_latest) = recorder(latest, |_, _| Ok(())).await;
    producer.send(&order(4)).await?;
    assert_eq!(by_earliest.next().await, (4, 1));
    assert_eq!(by_latest.next().await, (4, 1));
    latest.shutdown(DEADLINE).await?;
    earliest.shutdown(DEADLINE).await?;
    assert!(by_latest.so_far().is_empty());
    Ok(())
}
