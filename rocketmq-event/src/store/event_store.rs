use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex as Lock, MutexGuard as Guard, PoisonError};

use bytestring::ByteString;
use tokio::sync::{Mutex, MutexGuard};

use super::StoreError;
use super::ledger::{Ledger, Verdict};
use super::record::{Claim, Mark};
use super::snapshots::{LogSnapshots, SnapshotStore};
use super::tail::{Fold, Readers, Tail};
use crate::Bus;
use crate::backend::{Backend, Incoming, Positions};
use crate::event::{EventType, Format};

/// Appends of one aggregate take turns within this process, so that they do not make each other void.
const LANES: usize = 64;

/// The events of aggregates, in the log of a stream. Clones share all.
///
/// ```
/// use futures_util::TryStreamExt;
/// use rocketmq_event::store::{EventStore, Expected};
/// use rocketmq_event::{Bus, EventType};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Deposited { cents: u64 }
/// impl EventType for Deposited {
///     const NAMES: &'static [&'static str] = &["account.deposited"];
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = Bus::connect("memory:").await?;
/// let accounts = EventStore::<Deposited>::open(&bus, "accounts").await?;
/// let version = accounts.append("ann", Expected::New, &[Deposited { cents: 100 }]).await?;
/// accounts.append("ann", Expected::Version(version), &[Deposited { cents: 50 }, Deposited { cents: 7 }]).await?;
/// let stale = accounts.append("ann", Expected::Version(version), &[Deposited { cents: 1 }]).await;
/// assert!(stale.is_err(), "the account has version 3");
/// let events: Vec<_> = accounts.read("ann", 1).try_collect().await?;
/// assert_eq!((events.len(), events[2].version, events[2].event.data.cents), (3, 3, 7));
/// # Ok(())
/// # }
/// ```
///
/// The first call reads the whole log once, and keeps in memory which appends count and where they lie (some 50 bytes for each). Later calls
/// read what came since.
pub struct EventStore<E> {
    pub(super) shared: Arc<Shared>,
    pub(super) format: Format,
    events: PhantomData<fn() -> E>,
}

/// What the clones of a store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) stream: ByteString,
    pub(super) service: ByteString,
    pub(super) tail: Mutex<Tail<Books>>,
    pub(super) verdicts: Verdicts,
    pub(super) snapshots: Arc<dyn SnapshotStore>,
    lanes: [Mutex<()>; LANES],
    pub(super) readers: Readers,
}

impl<E: EventType> EventStore<E> {
    /// Opens the store of a stream, whose log is created if it does not exist and the broker lets us. Snapshots lie in the log
    /// `stream-snapshots`.
    ///
    /// # Errors
    /// `Unsupported` when the broker has no logs; `Backend` when it refuses or cannot be reached.
    pub async fn open(bus: &Bus, stream: impl Into<ByteString>) -> Result<Self, StoreError> {
        let stream = stream.into();
        let snapshots = LogSnapshots::new(bus.backend().clone(), format!("{stream}-snapshots"));
        Self::open_with(bus, stream, Arc::new(snapshots)).await
    }

    /// As [`open`](Self::open), with snapshots elsewhere: in a database, for example.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(
        bus: &Bus,
        stream: impl Into<ByteString>,
        snapshots: Arc<dyn SnapshotStore>,
    ) -> Result<Self, StoreError> {
        let (backend, stream) = (bus.backend().clone(), stream.into());
        let abilities = backend.abilities();
        if !abilities.log {
            return Err(StoreError::Unsupported { backend: abilities.name });
        }
        backend.ensure_log(&stream).await?;
        let verdicts = Verdicts::default();
        let books = Books { ledger: Ledger::default(), verdicts: verdicts.clone() };
        let shared = Shared {
            readers: Readers::new(backend.clone(), stream.clone()),
            tail: Mutex::new(Tail::new(backend.clone(), stream.clone(), books)),
            service: bus.service().clone(),
            backend,
            stream,
            verdicts,
            snapshots,
            lanes: std::array::from_fn(|_| Mutex::new(())),
        };
        Ok(Self { shared: Arc::new(shared), format: Format::Json, events: PhantomData })
    }

    /// The format of the payloads that are appended, JSON by default. Readers learn it from the content type of each event.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }
}

impl Shared {
    /// The turn of an append: one aggregate after the other.
    pub(super) async fn turn(&self, aggregate: &str) -> MutexGuard<'_, ()> {
        let mut hasher = std::hash::DefaultHasher::new();
        aggregate.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default();
        self.lanes[lane].lock().await
    }
}

/// The ledger, and who waits for its verdicts.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) ledger: Ledger,
    verdicts: Verdicts,
}

impl Fold for Books {
    fn begin(&mut self, firsts: &Positions) {
        self.ledger = Ledger::begin(firsts);
    }

    fn record(&mut self, record: &Incoming) {
        if let Some(claim) = Claim::of(record) {
            let name = (claim.aggregate.clone(), claim.mark);
            let verdict = self.ledger.judge(claim);
            self.verdicts.tell(&name, verdict);
        }
    }
}

/// The verdicts that appends of this process wait for.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdicts(Arc<Lock<Awaited>>);

/// Records by aggregate and mark. `None`: the log has not shown it yet.
type Awaited = HashMap<(ByteString, Mark), Option<Verdict>>;

impl Verdicts {
    fn lock(&self) -> Guard<'_, Awaited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of the verdict on this record from now on.
    pub(super) fn expect(&self, aggregate: &ByteString, mark: Mark) -> Expecting<'_> {
        let name = (aggregate.clone(), mark);
        self.lock().insert(name.clone(), None);
        Expecting { verdicts: self, name }
    }

    /// The first copy of a record decides over all.
    fn tell(&self, name: &(ByteString, Mark), verdict: Verdict) {
        if let Some(known @ None) = self.lock().get_mut(name) {
            *known = Some(verdict);
        }
    }
}

/// An append that waits. Dropping it forgets the verdict.
pub(super) struct Expecting<'store> {
    verdicts: &'store Verdicts,
    name: (ByteString, Mark),
}

impl Expecting<'_> {
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.verdicts.lock().get(&self.name).copied().flatten()
    }
}

impl Drop for Expecting<'_> {
    fn drop(&mut self) {
        self.verdicts.lock().remove(&self.name);
    }
}

impl<E> Clone for EventStore<E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), format: self.format, events: PhantomData }
    }
}

impl<E> fmt::Debug for EventStore<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStore").field("stream", &self.shared.stream).finish_non_exhaustive()
    }
}
