use std::collections::BTreeSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::pass::{Counts, Passes, Publisher, Trouble};
use super::{Backlog, OutboxStore};
use crate::error::{LONGEST, panic_text, wait_before};

/// For the last mark after the deadline of a shutdown.
const GRACE: Duration = Duration::from_secs(1);

/// Publishes the events of an outbox. It keeps the order of each key, backs off while the broker is away, and ends with a report.
///
/// | metric of the `metrics` facade, label `outbox` | is |
/// |---|---|
/// | `outbox_published_total` | events that the broker took |
/// | `outbox_refused_total` | events that the broker never takes, and rows that cannot be read |
/// | `outbox_waiting` | events in the table that are not published |
/// | `outbox_lag_seconds` | the age of the oldest of them |
///
/// Dropping a relay ends it at once, as a crash does: events that were just published are published again by the next relay.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use rocketmq_event::outbox::{MemoryOutbox, OutboxEvent, Relay};
/// use rocketmq_event::{Bus, Event, EventType, Format};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserCreated { user_id: i64 }
/// impl EventType for UserCreated {
///     const NAMES: &'static [&'static str] = &["user.created"];
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = Bus::connect("memory:").await?;
/// let outbox = Arc::new(MemoryOutbox::new()); // A table: see `examples/outbox`.
/// outbox.add(OutboxEvent::new(&Event::new(UserCreated { user_id: 7 }).with_key("7"), Format::Json)?);
/// let relay = Relay::builder(outbox.clone(), Arc::new(bus.producer("users").await?)).start();
/// relay.wait_until_empty().await?;
/// let report = relay.shutdown(Duration::from_secs(5)).await;
/// assert_eq!((report.published, report.waiting), (1, Some(0)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    task: JoinSet<RelayReport>,
}

/// A relay before its start: [`Relay::builder`].
#[must_use = "it publishes once it is started"]
pub struct RelayBuilder {
    name: String,
    store: Arc<dyn OutboxStore>,
    publisher: Arc<Publisher>,
    interval: Duration,
    at_a_time: usize,
}

#[derive(Debug)]
struct Shared {
    wake: Notify,
    stopping: CancellationToken,
    /// When a shutdown stops waiting for publications that are under way.
    deadline: watch::Sender<Option<Instant>>,
    health: watch::Sender<RelayHealth>,
}

/// How a relay is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RelayHealth {
    /// Why the last pass over the table did not publish everything; `None`: it did.
    pub trouble: Option<String>,
    /// The events that waited when the table was last asked; `None`: it has not answered yet.
    pub backlog: Option<Backlog>,
    /// The last row that this relay set aside, with its sequence and the reason.
    pub last_refused: Option<String>,
    /// Why the relay ended by itself.
    pub ended: Option<String>,
    /// Passes over the table that published all that they found.
    pub complete_passes: u64,
}

/// The work of a relay, from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayReport {
    /// Events that the broker took.
    pub published: u64,
    /// Rows that were set aside: events that the broker never takes, and rows that cannot be read.
    pub refused: u64,
    /// Events that the table still has to publish; `None`: it did not answer.
    pub waiting: Option<u64>,
    /// Events that the broker has, and the table could not be told: the next relay publishes them again, with their ids.
    pub unmarked: usize,
    /// The deadline ended publications that were under way: the next relay publishes them again, with their ids.
    pub interrupted: bool,
    /// Why the relay ended by itself.
    pub ended: Option<String>,
}

impl RelayReport {
    /// Whether the next relay publishes nothing twice.
    pub fn is_clean(&self) -> bool {
        self.unmarked == 0 && !self.interrupted
    }
}

/// A relay ended by itself: the bus behind its publisher is closed, or its publisher or its table panicked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the relay of the outbox ended: {reason}")]
pub struct RelayError {
    /// Why.
    pub reason: String,
}

impl RelayBuilder {
    /// The label of the relay's metrics and log lines; `outbox` by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The table is looked at this often when nothing [wakes](Relay::wake) the relay; every second by default, and 10 ms at least.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Rows that are read and published at a time, 1 at least; 100 by default. A crash publishes as many events twice at most.
    pub fn at_a_time(mut self, rows: usize) -> Self {
        self.at_a_time = rows.max(1);
        self
    }

    /// Begins to publish. Call it within a Tokio runtime.
    pub fn start(self) -> Relay {
        let shared = Arc::new(Shared {
            wake: Notify::new(),
            stopping: CancellationToken::new(),
            deadline: watch::Sender::new(None),
            health: watch::Sender::default(),
        });
        let passes = Passes {
            name: self.name,
            store: self.store,
            at_a_time: self.at_a_time,
            unmarked: BTreeSet::new(),
            report: Counts::default(),
            last_refused: None,
            stopping: shared.stopping.clone(),
            publisher: self.publisher,
        };
        let mut task = JoinSet::new();
        task.spawn(run(passes, shared.clone(), self.interval));
        Relay { shared, task }
    }
}

impl Relay {
    /// A relay from a table to a publisher. A [`MessageProducer`](crate::MessageProducer) publishes to its stream.
    pub fn builder(store: Arc<dyn OutboxStore>, publisher: Arc<Publisher>) -> RelayBuilder {
        let (name, interval) = ("outbox".to_owned(), Duration::from_secs(1));
        RelayBuilder { name, store, publisher, interval, at_a_time: 100 }
    }

    /// Lets the relay look at the table now. Call it after a transaction is committed; without it the event waits for the
    /// interval. It does not shorten a wait after a failure.
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// How it is doing.
    pub fn health(&self) -> RelayHealth {
        self.shared.health.borrow().clone()
    }

    /// Returns when a pass that began after this call has published all that it found. For tests, and before a planned stop.
    ///
    /// # Errors
    /// When the relay has ended by itself.
    pub async fn wait_until_empty(&self) -> Result<(), RelayError> {
        let mut health = self.shared.health.subscribe();
        // The pass that runs now may have read the table already.
        let wanted = health.borrow().complete_passes + 2;
        loop {
            {
                let now = health.borrow_and_update();
                if let Some(reason) = &now.ended {
                    return Err(RelayError { reason: reason.clone() });
                }
                if now.complete_passes >= wanted {
                    return Ok(());
                }
            }
            self.wake();
            if health.changed().await.is_err() {
                return Err(RelayError { reason: "its task is gone".to_owned() });
            }
        }
    }

    /// Takes no further events, waits for the publications that are under way, until the deadline, and tells the table what the broker has.
    pub async fn shutdown(mut self, deadline: Duration) -> RelayReport {
        self.shared.deadline.send_replace(Some(Instant::now() + deadline.min(LONGEST)));
        self.shared.stopping.cancel();
        match self.task.join_next().await {
            Some(Ok(report)) => report,
            Some(Err(error)) => gone(error.to_string()),
            None => gone("its task is gone".to_owned()),
        }
    }
}

fn gone(reason: String) -> RelayReport {
    RelayReport {
        published: 0,
        refused: 0,
        waiting: None,
        unmarked: 0,
        interrupted: true,
        ended: Some(reason),
    }
}

/// The task of a relay. A panic of the user's publisher or table ends it, and is told to all who wait for it.
async fn run(passes: Passes, shared: Arc<Shared>, interval: Duration) -> RelayReport {
    let name = passes.name.clone();
    let lived = AssertUnwindSafe(live(passes, shared.clone(), interval)).catch_unwind().await;
    lived.unwrap_or_else(|panic| {
        let reason = format!("its publisher or its table panicked: {}", panic_text(&*panic));
        tracing::error!(outbox = %name, "the relay ends: {reason}");
        shared.health.send_modify(|health| health.ended = Some(reason.clone()));
        gone(reason)
    })
}

async fn live(mut passes: Passes, shared: Arc<Shared>, interval: Duration) -> RelayReport {
    let (store, name) = (passes.store.clone(), passes.name.clone());
    let mut deadline = shared.deadline.subscribe();
    let deadline_passed = async {
        match deadline.wait_for(Option::is_some).await.map(|at| *at) {
            Ok(Some(at)) => sleep_until(at).await,
            _ => std::future::pending().await,
        }
    };
    let interrupted = tokio::select! {
        () = go(&mut passes, &shared, interval) => false,
        () = measure(&*store, &name, &shared, interval) => false,
        () = deadline_passed => true,
    };
    // What the broker has taken is known here, also of a pass that the deadline ended.
    if let Ok(Err(Trouble::ForNow(reason) | Trouble::Closed(reason))) = timeout(GRACE, passes.mark()).await {
        tracing::warn!(outbox = %name, "{reason}");
    }
    let waiting = timeout(GRACE, store.backlog()).await.ok().and_then(Result::ok);
    RelayReport {
        published: passes.report.published,
        refused: passes.report.refused,
        waiting: waiting.map(|waiting| waiting.count),
        unmarked: passes.unmarked.len(),
        interrupted,
        ended: shared.health.borrow().ended.clone(),
    }
}

/// Pass after pass, until the relay stops or the bus is closed.
async fn go(passes: &mut Passes, shared: &Shared, interval: Duration) {
    let mut failures = 0;
    while !shared.stopping.is_cancelled() {
        let trouble = passes.run().await.err();
        let wait = match &trouble {
            None => {
                failures = 0;
                interval
            }
            Some(Trouble::ForNow(reason)) => {
                failures += 1;
                tracing::warn!(outbox = %passes.name, "events wait: {reason}");
                wait_before(failures)
            }
            Some(Trouble::Closed(reason)) => {
                tracing::error!(outbox = %passes.name, "the relay ends: {reason}");
                shared.health.send_modify(|health| health.ended = Some(reason.clone()));
                return;
            }
        };
        shared.health.send_modify(|health| {
            health.complete_passes += u64::from(trouble.is_none());
            health.last_refused.clone_from(&passes.last_refused);
            health.trouble = trouble.map(|trouble| match trouble {
                Trouble::ForNow(reason) | Trouble::Closed(reason) => reason,
            });
        });
        tokio::select! {
            () = sleep(wait) => {}
            () = shared.wake.notified(), if failures == 0 => {}
            () = shared.stopping.cancelled() => {}
        }
    }
}

/// Keeps the figures of the backlog fresh, also during a long pass.
async fn measure(store: &dyn OutboxStore, name: &str, shared: &Shared, interval: Duration) {
    loop {
        match store.backlog().await {
            Ok(backlog) => {
                let age = backlog.oldest.and_then(|oldest| SystemTime::now().duration_since(oldest).ok());
                #[allow(clippy::cast_precision_loss, reason = "a gauge")]
                metrics::gauge!("outbox_waiting", "outbox" => name.to_owned()).set(backlog.count as f64);
                metrics::gauge!("outbox_lag_seconds", "outbox" => name.to_owned())
                    .set(age.unwrap_or_default().as_secs_f64());
                shared.health.send_modify(|health| health.backlog = Some(backlog));
            }
            Err(error) => tracing::warn!(outbox = %name, "the backlog is not known: {error}"),
        }
        sleep(interval).await;
    }
}

impl fmt::Debug for RelayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayBuilder")
            .field("name", &self.name)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
