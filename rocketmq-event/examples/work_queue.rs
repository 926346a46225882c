//! A work queue: two workers of one group share the tasks, each with three handlers. A task that fails comes again later.

mod support;

use std::num::NonZeroUsize;
use std::time::Duration;

use rocketmq_event::{Context, Event, EventType, Failure, FailureExt, RetryPolicy};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SendEmailTask {
    to: String,
    subject: String,
}

impl EventType for SendEmailTask {
    const NAMES: &'static [&'static str] = &["tasks.email"];
}

async fn send_email(task: &SendEmailTask, attempt: u32) -> Result<(), Failure> {
    if !task.to.contains('@') {
        return Err("no address").permanent(); // No further attempt can succeed.
    }
    if attempt == 1 && task.subject == "3" {
        return Err("the mail server is busy".into()); // Later again.
    }
    Ok(())
}

#[tokio::main]
async fn main() -> support::Result {
    let bus = support::connect().await?;
    let (tell, mut sent) = mpsc::channel(16);
    let mut workers = Vec::new();
    for worker in ["first", "second"] {
        let tell = tell.clone();
        let handler = move |event: Event<SendEmailTask>, context: Context| {
            let tell = tell.clone();
            async move {
                send_email(&event.data, context.attempt()).await?;
                Ok(tell.send((worker, event.data.subject, context.attempt())).await?)
            }
        };
        // A connection of its own for each worker, as two processes have it.
        let consumer = support::connect()
            .await?
            .consumer("tasks", "email-queue")
            .on(handler)
            .concurrency(NonZeroUsize::new(3).ok_or("no handler")?)
            .retry(RetryPolicy::later(5).with_delays([Duration::from_secs(1), Duration::from_secs(5)]));
        workers.push(consumer.start().await?);
    }
    let producer = bus.producer("tasks").await?;
    for number in 0..8 {
        let task = SendEmailTask { to: "ann@example.com".to_owned(), subject: number.to_string() };
        producer.send(&task).await?;
    }
    for _ in 0..8 {
        let (worker, subject, attempt) = sent.recv().await.ok_or("the workers are gone")?;
        println!("{worker} worker sent mail {subject} at attempt {attempt}");
    }
    for worker in workers {
        println!("{:?}", worker.shutdown(Duration::from_secs(10)).await?);
    }
    Ok(bus.close().await?)
}
