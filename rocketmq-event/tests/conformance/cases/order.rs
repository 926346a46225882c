use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq_event::{Context, Event, Failure, Order as Kept, RetryPolicy};
use tokio::sync::Barrier;

use crate::lab::{CaseResult, Lab, Order, Seen, consumer, order, recorder, until};

const DEADLINE: Duration = Duration::from_secs(10);

fn handlers(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn keyed(number: u64, key: &str) -> Event<Order> {
    Event::new(Order { number, customer: key.to_owned() }).with_key(key.to_owned())
}

pub(crate) async fn concurrency(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    // Four have to run at once, or none goes on.
    let (together, running, most) =
        (Arc::new(Barrier::new(4)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let highest = most.clone();
    let handler = move |event: Event<Order>, _: Context| {
        let (tell, together, running, most) = (tell.clone(), together.clone(), running.clone(), most.clone());
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            together.wait().await;
            running.fetch_sub(1, Ordering::SeqCst);
            tell.tell(event.data.number);
            Ok(())
        }
    };
    let mailer = consumer(&bus, &lab, "mailer").concurrency(handlers(4)).on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    let events: Vec<Event<Order>> = (0..40).map(|number| Event::new(order(number))).collect();
    for result in producer.send_batch(&events).await {
        result?;
    }
    seen.take(40).await;
    assert_eq!(highest.load(Ordering::SeqCst), 4);
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn equal_keys(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Order>, _: Context| {
        let tell = tell.clone();
        async move {
            // Handlers of different length, so that they would overtake each other if they could.
            if event.data.number.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
            tell.tell((event.data.customer, event.data.number));
            Ok(())
        }
    };
    let builder =
        consumer(&bus, &lab, "mailer").order(Kept::ByKey).concurrency(handlers(8)).prefetch(handlers(100));
    let mailer = builder.on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    let events: Vec<_> = (0..3_000).map(|number| keyed(number, &format!("key {}", number % 1_000))).collect();
    for result in producer.send_batch(&events).await {
        result?;
    }
    let mut of_key: HashMap<String, Vec<u64>> = HashMap::new();
    for (key, number) in seen.take(3_000).await {
        of_key.entry(key).or_default().push(number);
    }
    assert_eq!(of_key.len(), 1_000);
    for (key, numbers) in of_key {
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn in_place(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    // The first event of "a" fails until the last one of "b" is handled: that comes meanwhile, or never.
    let is_other_done = AtomicBool::new(false);
    let handler = move |event: Event<Order>, context: Context| {
        let (number, attempt) = (event.data.number, context.attempt());
        tell.tell((event.data.customer, number, attempt));
        if number == 4 {
            is_other_done.store(true, Ordering::SeqCst);
        }
        let fails = number == 0 && (attempt < 3 || !is_other_done.load(Ordering::SeqCst));
        std::future::ready(if fails { Err(Failure::from("not yet")) } else { Ok(()) })
    };
    let policy = RetryPolicy::in_place(100_000).with_delays([Duration::from_millis(50)]);
    let builder = consumer(&bus, &lab, "mailer").order(Kept::ByKey).concurrency(handlers(2)).retry(policy);
    let mailer = builder.on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    for (number, key) in [(0, "a"), (1, "a"), (2, "b"), (3, "a"), (4, "b")] {
        producer.send_event(&keyed(number, key)).await?;
    }
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    while of_a.last() != Some(&(3, 1)) {
        let (key, number, attempt) = seen.next().await;
        if key == "a" { &mut of_a } else { &mut of_b }.push((number, attempt));
    }
    let tries = u32::try_from(of_a.len() - 2)?;
    let in_order = (1..=tries).map(|attempt| (0, attempt)).chain([(1, 1), (3, 1)]);
    assert!(of_a.iter().copied().eq(in_order), "nothing of the key is handled meanwhile: {of_a:?}");
    assert_eq!(of_b, [(2, 1), (4, 1)]);
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn unfinished(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (tell, mut seen) = Seen::new();
    let handler = move |event: Event<Order>, _: Context| {
        let tell = tell.clone();
        async move {
            tell.tell(event.data.number);
            if event.data.number == 0 {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    };
    let builder = consumer(&bus, &lab, "mailer").concurrency(handlers(4));
    let mailer = builder.on(handler).start().await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    for number in 0..10 {
        producer.send_event(&keyed(number, "one queue")).await?;
    }
    seen.take(10).await;
    // A process that is killed says no goodbye.
    drop((mailer, producer, bus));
    let bus = lab.bus().await;
    let (mailer, mut again) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    while again.next().await.0 != 0 {}
    mailer.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn pause(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    let (other, mut by_other) = recorder(consumer(&bus, &lab, "other"), |_, _| Ok(())).await;
    let producer = bus.producer(lab.stream.clone()).await?;
    producer.send(&order(1)).await?;
    assert_eq!((seen.next().await, by_other.next().await), ((1, 1), (1, 1)));
    mailer.pause();
    until(|| async { if mailer.health().is_paused { Ok(()) } else { Err("not paused".to_owned()) } }).await;
    producer.send(&order(2)).await?;
    // The other group has it: the broker would have delivered it to this group too.
    assert_eq!(by_other.next().await, (2, 1));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(seen.so_far().is_empty());
    mailer.resume();
    assert_eq!(seen.next().await, (2, 1));
    mailer.shutdown(DEADLINE).await?;
    other.shutdown(DEADLINE).await?;
    Ok(())
}
