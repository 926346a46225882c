use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use rocketmq_event::{Bus, ConsumerBuilder, Event, RetryPolicy};

use crate::lab::{CaseResult, Lab, Order, Seen, order, recorder, until};

const DEADLINE: Duration = Duration::from_secs(10);

/// Members die here again and again, and brokers count that.
fn member(bus: &Bus, lab: &Lab, group: &str) -> ConsumerBuilder {
    crate::lab::consumer(bus, lab, group).retry(RetryPolicy::later(1_000))
}

/// Polls a future so many times, and drops it. `Some`: it was ready before.
async fn dropped_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let (mut future, mut polled) = (pin!(future), 0);
    poll_fn(|cx| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // At the last poll nothing wakes it: it is dropped at once.
            Poll::Pending if polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

pub(crate) async fn dropped_futures(lab: Lab) -> CaseResult {
    // A runtime of its own: what is left of a dropped future is a task there.
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ran = runtime.block_on(drops(lab));
        runtime.shutdown_timeout(DEADLINE);
        ran
    };
    tokio::task::spawn_blocking(run).await?
}

async fn drops(lab: Lab) -> CaseResult {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let bus = lab.bus().await;
    let (reader, _seen) = recorder(member(&bus, &lab, "reader"), |_, _| Ok(())).await;
    reader.shutdown(DEADLINE).await?;

    let producer = bus.producer(lab.stream.clone()).await?;
    let (mut number, mut stored) = (0, BTreeSet::new());
    for polls in 0..30 {
        number += 1;
        if let Some(sent) = dropped_after(polls, producer.send(&order(number))).await {
            sent?;
            stored.insert(number);
        }
        let batch: Vec<_> = (0..3).map(|_| Event::new(order(0))).collect();
        dropped_after(polls, producer.send_batch(&batch)).await;
        // The producer goes on: what was dropped holds nothing.
        number += 1;
        producer.send(&order(number)).await?;
        stored.insert(number);
    }

    // No member whose start is dropped stays in the group, and keeps events to itself.
    for polls in [0, 1, 2, 4, 8, 16] {
        let (tell, _seen) = Seen::new();
        let starting = member(&bus, &lab, "reader").on(move |event: Event<Order>, _| {
            tell.tell(event.data.number);
            std::future::pending()
        });
        drop(dropped_after(polls, starting.start()).await);
        dropped_after(polls, bus.dead_letters(lab.stream.clone(), "reader").count()).await;
        let mut letters = pin!(bus.dead_letters(lab.stream.clone(), "reader").read());
        dropped_after(polls, letters.next()).await;
    }

    // A member whose shutdown is dropped leaves the rest to the next.
    let (mut seen_all, mut kept) = (BTreeSet::new(), Vec::new());
    for polls in [0, 1, 2, 4, 8] {
        let (reader, mut seen) = recorder(member(&bus, &lab, "reader"), |_, _| Ok(())).await;
        number += 1;
        producer.send(&order(number)).await?;
        stored.insert(number);
        seen_all.insert(seen.next().await.0);
        dropped_after(polls, reader.shutdown(DEADLINE)).await;
        seen_all.extend(seen.so_far().into_iter().map(|(number, _)| number));
        // Its last handler may still tell.
        kept.push(seen);
    }
    let (reader, mut seen) = recorder(member(&bus, &lab, "reader"), |_, _| Ok(())).await;
    while !stored.is_subset(&seen_all) {
        seen_all.insert(seen.next().await.0);
    }
    reader.shutdown(DEADLINE).await?;

    // No acknowledgement is lost: what was handled before a whole shutdown does not come again.
    let (reader, mut seen) = recorder(member(&bus, &lab, "reader"), |_, _| Ok(())).await;
    number += 1;
    producer.send(&order(number)).await?;
    let mut late = Vec::new();
    loop {
        match seen.next().await.0 {
            found if found == number => break,
            found => late.push(found),
        }
    }
    // What was maybe stored may come only now; nothing else does.
    assert!(late.iter().all(|number| !seen_all.contains(number) || *number == 0), "{late:?} came again");
    reader.shutdown(DEADLINE).await?;
    dropped_after(1, bus.close()).await;
    bus.close().await?;
    drop((producer, bus));
    until(|| async {
        let left = tasks() - before;
        if left == 0 { Ok(()) } else { Err(format!("{left} tasks are left")) }
    })
    .await;
    Ok(())
}
