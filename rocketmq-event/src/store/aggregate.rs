use bytestring::ByteString;
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::replay::decoded;
use super::{EventStore, Snapshot, StoreError};
use crate::error::SharedError;
use crate::event::{EventType, Position};

/// A state that follows from events.
///
/// ```
/// use rocketmq_event::EventType;
/// use rocketmq_event::store::Aggregate;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Deposited { cents: u64 }
/// impl EventType for Deposited {
///     const NAMES: &'static [&'static str] = &["account.deposited"];
/// }
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Account { cents: u64 }
/// impl Aggregate for Account {
///     type Event = Deposited;
///     fn apply(&mut self, event: &Deposited) {
///         self.cents += event.cents;
///     }
/// }
/// ```
pub trait Aggregate: Default + Serialize + DeserializeOwned + Send {
    /// Its events.
    type Event: EventType;

    /// The version of the snapshots' schema. Raise it when an old snapshot cannot be read or means something else: it is then left out, and
    /// the events are applied from the first on.
    const SNAPSHOT: u32 = 1;

    /// The state after the next event. It has happened: it cannot be refused here.
    fn apply(&mut self, event: &Self::Event);
}

/// An aggregate as the store has it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded<A> {
    /// The id of the aggregate.
    pub id: ByteString,
    /// Its state.
    pub state: A,
    /// Its version: what the next append expects. 0: it has no events.
    pub version: u64,
    /// The version of the snapshot that the state was made from. 0: from no snapshot.
    pub snapshot: u64,
    /// Where the log of its place goes on: all before is in the state. `None` without events.
    pub position: Option<Position>,
}

impl<E: EventType> EventStore<E> {
    /// The state of an aggregate: the last snapshot, and the events behind it. One without events has the default state and version 0.
    ///
    /// # Errors
    /// `Truncated` when events behind the snapshot, or without a snapshot the first events, are deleted; `Decode` when one of them cannot be
    /// read: a state that leaves out an event is no state.
    pub async fn load<A: Aggregate<Event = E>>(&self, id: &str) -> Result<Loaded<A>, StoreError> {
        if id.is_empty() {
            return Err(StoreError::NoId);
        }
        let id = ByteString::from(id);
        let mut loaded = Loaded { id, state: A::default(), version: 0, snapshot: 0, position: None };
        let snapshot = self.shared.snapshots.load(&self.shared.stream, &loaded.id).await?;
        if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.schema == A::SNAPSHOT) {
            match serde_json::from_slice(&snapshot.state) {
                Ok(state) => {
                    self.seed(&loaded.id, &snapshot).await?;
                    loaded.state = state;
                    (loaded.version, loaded.snapshot) = (snapshot.version, snapshot.version);
                }
                Err(error) => {
                    tracing::warn!(aggregate = %loaded.id, %error, "a snapshot cannot be read, and is left out");
                }
            }
        }
        let from = loaded.version + 1;
        let Some(found) = self.shared.appends(&loaded.id, from).await? else { return Ok(loaded) };
        let (stream, place) = (self.shared.stream.clone(), found.place.clone());
        loaded.position = Some(Position { stream, place, offset: Some(found.end) });
        let mut events =
            self.shared.clone().fetched(found, from).map(|raw| raw.and_then(decoded::<E>)).boxed();
        while let Some(recorded) = events.try_next().await? {
            loaded.state.apply(&recorded.event.data);
            loaded.version = recorded.version;
        }
        Ok(loaded)
    }

    /// Stores the state, so that the next [`load`](Self::load) begins with it. It is never needed for the truth, only for speed; and where a
    /// broker deletes old events, for what they made of the aggregate.
    ///
    /// # Errors
    /// When it is not stored: nothing is lost by that. An aggregate without events has no snapshot.
    pub async fn save_snapshot<A: Aggregate<Event = E>>(&self, loaded: &Loaded<A>) -> Result<(), StoreError> {
        let failed = |source| StoreError::Snapshot { source };
        let nothing = || failed(SharedError::new("the aggregate has no events"));
        let state = serde_json::to_vec(&loaded.state).map_err(|error| failed(SharedError::new(error)))?;
        let snapshot = Snapshot {
            version: loaded.version,
            position: loaded.position.clone().ok_or_else(nothing)?,
            schema: A::SNAPSHOT,
            state: state.into(),
        };
        self.shared.snapshots.save(&self.shared.stream, &loaded.id, snapshot).await
    }

    /// Tells the ledger what the snapshot knows, and checks that the log knows it too.
    async fn seed(&self, id: &ByteString, snapshot: &Snapshot) -> Result<(), StoreError> {
        let Position { place, offset, .. } = &snapshot.position;
        let mut tail = self.shared.tail.lock().await;
        tail.catch_up().await?;
        let ledger = &mut tail.fold.ledger;
        ledger.seed(id, place, offset.unwrap_or_default(), snapshot.version);
        let history = ledger.history(id);
        if history.is_some_and(|history| !history.is_undecided() && history.version >= snapshot.version) {
            return Ok(());
        }
        Err(ledger.truncated(id, place, None))
    }
}
