use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rocketmq_event::backend::{Destination, Incoming, Outgoing, Start};
use rocketmq_event::{Bus, ConsumerBuilder, Context, Envelope, Event, EventType, Failure, MessageConsumer};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::rigs::{Fragile, Rig};

pub(crate) type CaseResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What a case works with.
#[derive(Clone)]
pub(crate) struct Lab {
    pub(crate) rig: Arc<dyn Rig>,
    pub(crate) stream: String,
}

/// The event of most cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) customer: String,
}

impl EventType for Order {
    const NAMES: &'static [&'static str] = &["order.placed"];
}

pub(crate) fn order(number: u64) -> Order {
    Order { number, customer: "ann".to_owned() }
}

impl Lab {
    pub(crate) fn new(rig: Arc<dyn Rig>, number: u32, count: usize) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        Self { rig, stream: format!("case-{number}-{count}-{now}") }
    }

    pub(crate) async fn bus(&self) -> Bus {
        self.rig.connect().await
    }

    /// The server that this case may end. No other case has it meanwhile.
    pub(crate) async fn fragile(&self) -> tokio::sync::OwnedMutexGuard<Option<Box<dyn Fragile>>> {
        self.rig.fragile().expect("the rig has such a server").take().await
    }

    /// Publishes raw bytes in an envelope of one's own.
    pub(crate) async fn publish_raw(&self, bus: &Bus, envelope: Envelope, body: &[u8]) -> CaseResult {
        let destination = Destination::Stream(self.stream.clone().into());
        let message = Outgoing { destination, envelope, body: Bytes::copy_from_slice(body) };
        bus.backend().publish(vec![message]).await.remove(0)?;
        Ok(())
    }

    /// The dead letters of a group, which must be `count` at last.
    pub(crate) async fn dead(&self, bus: &Bus, group: &str, count: usize) -> Vec<Incoming> {
        until(|| async {
            let mut queue = bus.backend().dead(&self.stream, group).await.unwrap();
            let mut found = Vec::new();
            while let Some(letter) = queue.next().await.unwrap() {
                found.push(letter);
            }
            if found.len() == count { Ok(found) } else { Err(format!("{} dead letters", found.len())) }
        })
        .await
    }
}

/// A consumer that begins with the oldest event.
pub(crate) fn consumer(bus: &Bus, lab: &Lab, group: &str) -> ConsumerBuilder {
    bus.consumer(lab.stream.clone(), group.to_owned()).start_from(Start::Earliest)
}

/// Starts a consumer of orders that tells of each attempt, and then does what `answer` says.
pub(crate) async fn recorder<F>(builder: ConsumerBuilder, answer: F) -> (MessageConsumer, Seen<(u64, u32)>)
where
    F: Fn(u64, u32) -> Result<(), Failure> + Send + Sync + 'static,
{
    let (tell, seen) = Seen::new();
    let builder = builder.on(move |event: Event<Order>, context: Context| {
        tell.tell((event.data.number, context.attempt()));
        std::future::ready(answer(event.data.number, context.attempt()))
    });
    (builder.start().await.unwrap(), seen)
}

/// What handlers told, in order.
pub(crate) struct Seen<T>(mpsc::Receiver<T>);

pub(crate) struct Tell<T>(mpsc::Sender<T>);

impl<T> Clone for Tell<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

impl<T> Tell<T> {
    pub(crate) fn tell(&self, value: T) {
        assert!(self.0.try_send(value).is_ok(), "more than the case expects");
    }
}

impl<T: Debug> Seen<T> {
    pub(crate) fn new() -> (Tell<T>, Self) {
        let (tell, seen) = mpsc::channel(200_000);
        (Tell(tell), Self(seen))
    }

    /// The next, which comes within a minute, also where servers are started again and share their cores.
    pub(crate) async fn next(&mut self) -> T {
        let next = tokio::time::timeout(PATIENCE, self.0.recv()).await;
        next.expect("no handler was called for a minute").expect("the handlers are gone")
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<T> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.push(self.next().await);
        }
        taken
    }

    /// All that was told up to now.
    pub(crate) fn so_far(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

/// Looks until it is so, for a minute.
pub(crate) async fn until<T, Fut: Future<Output = Result<T, String>>>(mut look: impl FnMut() -> Fut) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(value) => return value,
            Err(last) => assert!(tokio::time::Instant::now() < deadline, "after a minute: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
