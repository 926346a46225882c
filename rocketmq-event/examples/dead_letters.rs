//! Dead letters: why an event died, and putting it back to its group once the reason is gone.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use rocketmq_event::{ConsumerEvent, Context, DeadLetter, Event, EventType, RetryPolicy};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Payment {
    order: u64,
}

impl EventType for Payment {
    const NAMES: &'static [&'static str] = &["payment.due"];
}

#[tokio::main]
async fn main() -> support::Result {
    let bus = support::connect().await?;
    let is_repaired = Arc::new(AtomicBool::new(false));
    let repaired = is_repaired.clone();
    let handler = move |event: Event<Payment>, context: Context| {
        let works = repaired.load(Ordering::SeqCst);
        async move {
            println!("payment of order {}, attempt {}", event.data.order, context.attempt());
            if works { Ok(()) } else { Err("the bank is closed".into()) }
        }
    };
    let policy = RetryPolicy::later(2).with_delays([Duration::from_secs(1)]);
    let bank = bus.consumer("payments", "bank").on(handler).retry(policy).start().await?;
    let mut events = std::pin::pin!(bank.events());
    bus.producer("payments").await?.send(&Payment { order: 5 }).await?;
    while let Some(event) = events.next().await {
        if matches!(event, ConsumerEvent::DeadLettered { .. }) {
            break;
        }
    }

    let letters = bus.dead_letters("payments", "bank");
    println!("{} dead letters", letters.count().await?);
    for letter in letters.read().try_collect::<Vec<DeadLetter>>().await? {
        println!("{} after {} attempts: {}", letter.envelope.name, letter.attempts, letter.reason);
    }
    is_repaired.store(true, Ordering::SeqCst);
    // Once at most: what fails again stays.
    let replayed = letters.replay(|letter| letter.replays == 0, 100).await?;
    println!("{} put back", replayed.replayed);
    while let Some(event) = events.next().await {
        if matches!(event, ConsumerEvent::Acknowledged { .. }) {
            break;
        }
    }
    println!("{} dead letters", letters.count().await?);
    bank.shutdown(Duration::from_secs(10)).await?;
    Ok(bus.close().await?)
}
