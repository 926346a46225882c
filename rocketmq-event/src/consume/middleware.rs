use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::{Context, Failure};

/// Runs around each attempt of a handler, after its payload is decoded. Panics within are failures, and a timeout of the
/// consumer counts it in.
#[async_trait]
pub trait Middleware: fmt::Debug + Send + Sync + 'static {
    /// Runs `next`, or does not: returning `Ok` without it acknowledges the event.
    ///
    /// # Errors
    /// The outcome of the attempt.
    async fn handle(&self, context: &Context, next: Next<'_>) -> Result<(), Failure>;
}

/// The rest of the chain: further layers, then the handler.
pub struct Next<'a> {
    layers: &'a [Arc<dyn Middleware>],
    handling: BoxFuture<'a, Result<(), Failure>>,
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("layers", &self.layers).finish_non_exhaustive()
    }
}

impl<'a> Next<'a> {
    pub(super) fn new(
        layers: &'a [Arc<dyn Middleware>],
        handling: BoxFuture<'a, Result<(), Failure>>,
    ) -> Self {
        Self { layers, handling }
    }

    /// Runs the rest of the chain.
    ///
    /// # Errors
    /// The failure of the rest of the chain.
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self.layers.split_first() {
            Some((layer, rest)) => {
                layer.handle(context, Next { layers: rest, handling: self.handling }).await
            }
            None => self.handling.await,
        }
    }
}

/// Ends what is within it when it takes longer than this. `ConsumerBuilder::timeout` is around everything; this layer can be
/// put within others.
#[derive(Debug, Clone, Copy)]
pub struct Timeout(pub Duration);

#[async_trait]
impl Middleware for Timeout {
    async fn handle(&self, context: &Context, next: Next<'_>) -> Result<(), Failure> {
        let late = |_| Failure::from(format!("the handler took longer than {:?}", self.0));
        tokio::time::timeout(self.0, next.run(context)).await.map_err(late)?
    }
}

/// Runs a handler once for each id of an event, as far as `Seen` remembers: a second delivery is acknowledged unhandled.
///
/// The id is noted after the handler succeeded. A process that ends between the two handles the event again; a handler that must
/// not, notes the id in the transaction of its own work.
#[derive(Debug)]
pub struct Dedupe<S>(pub S);

/// Remembers which events a group has handled.
#[async_trait]
pub trait Seen: fmt::Debug + Send + Sync + 'static {
    /// Before the handler. `false`: the group has handled the event.
    ///
    /// # Errors
    /// When it is not known, or the event is being handled now: the attempt fails, and the event comes again.
    async fn begin(&self, group: &str, id: &str) -> Result<bool, Failure>;

    /// After the handler, which succeeded or not.
    ///
    /// # Errors
    /// When it cannot be noted: the attempt fails, and the event comes again.
    async fn end(&self, group: &str, id: &str, succeeded: bool) -> Result<(), Failure>;
}

#[async_trait]
impl<S: Seen> Middleware for Dedupe<S> {
    async fn handle(&self, context: &Context, next: Next<'_>) -> Result<(), Failure> {
        let (group, id) = (context.group(), context.envelope().id.as_str());
        if !self.0.begin(group, id).await? {
            return Ok(());
        }
        // When this future is dropped by a timeout, the handler panics, or the end is not noted, the id must not stay begun.
        let mut begun = Begun { seen: &self.0, group, id, is_over: false };
        let result = next.run(context).await;
        self.0.end(group, id, result.is_ok()).await?;
        begun.is_over = true;
        result
    }
}

struct Begun<'a, S: Seen> {
    seen: &'a S,
    group: &'a str,
    id: &'a str,
    is_over: bool,
}

impl<S: Seen> Drop for Begun<'_, S> {
    fn drop(&mut self) {
        if !self.is_over {
            // The id is noted if that needs no waiting: `MemorySeen` never waits.
            _ = futures_util::FutureExt::now_or_never(self.seen.end(self.group, self.id, false));
        }
    }
}

/// Remembers the last ids in memory: enough for duplicates that follow within the life of a process.
#[derive(Debug)]
pub struct MemorySeen {
    capacity: usize,
    inner: Mutex<Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// True: handled; false: being handled.
    ids: HashMap<(String, String), bool>,
    handled: VecDeque<(String, String)>,
}

impl MemorySeen {
    /// Remembers up to `capacity` handled events; the oldest is forgotten first.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Remembered> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Seen for MemorySeen {
    async fn begin(&self, group: &str, id: &str) -> Result<bool, Failure> {
        let key = (group.to_owned(), id.to_owned());
        let mut inner = self.inner();
        match inner.ids.get(&key) {
            Some(true) => Ok(false),
            Some(false) => Err(format!("the event {id} is being handled now").into()),
            None => {
                inner.ids.insert(key, false);
                Ok(true)
            }
        }
    }

    async fn end(&self, group: &str, id: &str, succeeded: bool) -> Result<(), Failure> {
        let key = (group.to_owned(), id.to_owned());
        let mut inner = self.inner();
        if !succeeded {
            inner.ids.remove(&key);
            return Ok(());
        }
        inner.ids.insert(key.clone(), true);
        inner.handled.push_back(key);
        while inner.handled.len() > self.capacity {
            if let Some(oldest) = inner.handled.pop_front() {
                inner.ids.remove(&oldest);
            }
        }
        Ok(())
    }
}
