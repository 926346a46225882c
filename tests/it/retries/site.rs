//! Scripted brokers behind a NameServer whose routes the test changes, and a producer that meets them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq::conf::ProducerOption;
use rocketmq::error::MQClientError;
use rocketmq::model::{Message, SendResult};
use rocketmq::producer::Producer;

use crate::peer::{Act, InRoute, NameServer, Peer};

/// By how much a deadline may be missed on a busy machine.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

/// A started producer of this NameServer.
pub(crate) async fn producer(name_server: &NameServer, change: impl FnOnce(&mut ProducerOption)) -> Producer {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(name_server.address()).set_group_name("retries");
    change(&mut option);
    let producer = Producer::new(option);
    producer.start().await.unwrap();
    producer
}

/// Two brokers with four queues each: the next queue in turn is mostly on the broker of the last queue.
pub(crate) struct Site {
    pub(crate) brokers: [Peer; 2],
    pub(crate) producer: Producer,
    pub(crate) addresses: [String; 2],
    _name_server: NameServer,
}

impl Site {
    /// Both brokers take their acts from one list, so the first act meets the first send at either broker.
    pub(crate) async fn of_acts(acts: &[Act], change: impl FnOnce(&mut ProducerOption)) -> Self {
        let acts: Arc<Mutex<Vec<Act>>> = Arc::new(Mutex::new(acts.iter().rev().copied().collect()));
        let next = move || {
            let acts = acts.clone();
            move |_| acts.lock().unwrap().pop().unwrap_or(Act::Store)
        };
        let brokers = [Peer::broker(next()).await, Peer::broker(next()).await];
        let addresses = brokers.each_ref().map(Peer::address);
        let in_route: [InRoute<'_>; 2] =
            [("broker-a", 0, &addresses[0], 4, 6), ("broker-b", 0, &addresses[1], 4, 6)];
        let name_server = NameServer::start(&in_route).await;
        let producer = producer(&name_server, change).await;
        Self { brokers, producer, addresses, _name_server: name_server }
    }

    /// The ids that each broker saw.
    pub(crate) fn ids(&self) -> [Vec<String>; 2] {
        [self.brokers[0].ids(), self.brokers[1].ids()]
    }

    /// How many sends both brokers saw.
    pub(crate) fn sends(&self) -> usize {
        self.ids().iter().map(Vec::len).sum()
    }

    /// Checks that `count` attempts were spread evenly over the brokers and had one id. Returns the id.
    pub(crate) fn assert_attempts(&self, count: usize) -> String {
        let ids = self.ids();
        assert_eq!(self.sends(), count, "{ids:?}");
        assert!(ids[0].len().abs_diff(ids[1].len()) <= 1, "another broker each time: {ids:?}");
        let mut all = ids.concat();
        all.dedup();
        assert_eq!(all.len(), 1, "one id: {ids:?}");
        all.remove(0)
    }
}

/// A send on its way.
pub(crate) type Sending<'a> = Pin<Box<dyn Future<Output = Result<SendResult, MQClientError>> + Send + 'a>>;

/// The two ways to send that have a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Sync,
    Async,
}

pub(crate) const MODES: [Mode; 2] = [Mode::Sync, Mode::Async];

impl Mode {
    pub(crate) fn send(self, producer: &Producer) -> Sending<'_> {
        let message = Message::new("T", "x");
        Box::pin(async move {
            match self {
                Mode::Sync => producer.send(message).await,
                Mode::Async => {
                    let (done, outcome) = tokio::sync::oneshot::channel();
                    producer.send_async(message, |sent| _ = done.send(sent)).await?;
                    outcome.await.expect("the callback runs")
                }
            }
        })
    }
}

/// The output of a future, and how long it took.
pub(crate) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let output = future.await;
    (output, began.elapsed())
}

/// Waits for something that happens in the background.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(10), "not within ten seconds: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
