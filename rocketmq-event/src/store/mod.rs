//! Event sourcing: the log of a stream is the truth, and the state of an aggregate is what its events make of it.
//!
//! - `event_store`: [`EventStore`]: opening, what all of its calls share
//! - `append`: appending with the expected version, and the answer of the log
//! - `replay`: [`Recorded`]; the events of one aggregate, and of all
//! - `aggregate`: [`Aggregate`] and [`Loaded`]: a snapshot and the events behind it
//! - `snapshots`: [`SnapshotStore`], and snapshots in a log
//! - `record`: how an append lies in the log
//! - `ledger`: which appends count: the rule by which all readers decide alike
//! - `tail`: follows a log to its end
//! - `error`: [`AppendError`] and [`StoreError`]
//!
//! Brokers do not know versions, so the log decides. An append is one record, with the version that its writer expects. Each reader goes
//! through the log in its order, and counts the record if the aggregate has that version there; else the record is void for all readers.
//! `append` publishes, reads the log up to its own record, and so learns whether it counts. `docs/events.md` says what that costs.

mod aggregate;
mod append;
mod error;
mod event_store;
mod ledger;
mod record;
mod replay;
mod snapshots;
mod tail;

pub use aggregate::{Aggregate, Loaded};
pub use error::{AppendError, StoreError};
pub use event_store::EventStore;
pub use record::Expected;
pub use replay::Recorded;
pub use snapshots::{Snapshot, SnapshotStore};
