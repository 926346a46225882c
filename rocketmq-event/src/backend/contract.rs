use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::{Abilities, Destination, Incoming, Outgoing, Positions, Stored, SubscriptionSpec, Tag};
use crate::error::{PublishError, SharedError};
use crate::event::Position;

/// A broker behind a few functions. The runtime above it decodes, runs handlers, counts attempts, and decides what becomes
/// of each delivery; a backend stores, hands out and forgets.
///
/// # What the runtime builds from it
///
/// | outcome | what the runtime does |
/// |---|---|
/// | acknowledged | [`Source::acknowledge`] |
/// | retried later | [`publish`](Self::publish) a copy with a [`FailureRecord`](crate::event::FailureRecord) to [`Destination::Group`] with the delay; once that is stored, `acknowledge` the original |
/// | retried in place | keeps the delivery unsettled, waits, and runs the handler again |
/// | dead letter | [`publish`](Self::publish) a copy with its `FailureRecord` to [`Destination::Dead`]; once that is stored, `acknowledge` the original |
/// | released (shutdown, stop) | [`Source::release`] |
/// | paused | does not call [`Source::next`]; deliveries that are out can still be settled |
///
/// When the copy cannot be stored, the runtime tries again and keeps the original unsettled: an event is never in no place.
/// After *maybe stored* it tries again too, so that a retry or a dead letter may exist twice, but never not at all.
///
/// # Rules
///
/// All functions may be called at the same time from several tasks. Every envelope comes back equal: write it with
/// [`Attributes`](crate::event::Attributes). Bodies are bytes and stay as they are, empty ones included. A connection that is lost heals by itself,
/// with a [`Notice`](super::Notice) of the loss and of the return; calls meanwhile wait or fail as each says.
#[async_trait]
pub trait Backend: Debug + Send + Sync + 'static {
    /// The abilities of this broker. They do not change while the backend lives.
    fn abilities(&self) -> Abilities;

    /// Creates the stream, or the queues of the group, that `destination` needs, if they do not exist and the user may create them.
    /// It is called before the first publish to a stream and before [`subscribe`](Self::subscribe), and does nothing when all is there.
    ///
    /// # Errors
    /// When the broker refuses or cannot be reached.
    async fn ensure(&self, destination: &Destination) -> Result<(), BackendError>;

    /// Creates the log that [`log`](Self::log) reads, if it does not exist and the user may create it. A log that is created here keeps its
    /// messages for ever, where the broker has such a setting for one stream alone. A broker whose streams keep no messages keeps in the
    /// log the messages that are published from then on. By default a stream is its log.
    ///
    /// # Errors
    /// When the broker refuses, keeps no logs, or cannot be reached.
    async fn ensure_log(&self, stream: &str) -> Result<(), BackendError> {
        self.ensure(&Destination::Stream(stream.into())).await
    }

    /// Stores messages, pipelined, and returns one result for each, in the order of `batch`. `Ok` means that the broker has
    /// said that it has the message, with the durability that [`Stored`] tells; and, for a stream that routes, that at least a queue
    /// took it: a message that no queue takes is `NoRoute`, if [`Abilities::routes`]. Messages of equal key in one batch, and of
    /// consecutive calls, are stored in that order. One bad message costs its neighbours nothing.
    ///
    /// A message for [`Destination::Group`] comes to this group alone, not before `delay` is over; a short delay does not wait
    /// behind a long one. The broker keeps it, not this process. Other groups of the stream never see it. With a delay of
    /// zero it comes at once.
    ///
    /// # Errors
    /// Each error says whether the message is stored. When the connection ends before the answer, it is *maybe stored*. When
    /// the future is dropped, each message is maybe stored.
    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>>;

    /// Joins a group. Returns when the group exists at the broker: an event that is published after that is delivered. A new
    /// group begins at [`SubscriptionSpec::start`], if [`Abilities::starts_in_the_past`], and else with what is published from now on;
    /// a known group goes on behind what it acknowledged.
    ///
    /// # Errors
    /// When the broker refuses or cannot be reached.
    async fn subscribe(&self, spec: SubscriptionSpec) -> Result<Box<dyn Source>, BackendError>;

    /// Opens the dead letters of a group. A group without dead letters has an empty queue, which is no error.
    ///
    /// # Errors
    /// When the broker refuses or cannot be reached.
    async fn dead(&self, stream: &str, group: &str) -> Result<Box<dyn DeadQueue>, BackendError>;

    /// Reads a stream without a group, from `from`: places that it does not name begin with their oldest message.
    ///
    /// # Errors
    /// `Truncated` when a named position is gone already; `Impossible` without [`Abilities::log`].
    async fn log(&self, stream: &str, from: Positions) -> Result<Box<dyn LogReader>, LogError>;

    /// Flushes what is to be sent, and closes all connections, within `deadline`. Sources end: their `next` returns `None`.
    /// Calling it again does nothing.
    ///
    /// # Errors
    /// When something was left when the deadline passed.
    async fn close(&self, deadline: Duration) -> Result<(), BackendError>;
}

/// A member of a group.
///
/// Dropping it leaves the group like [`close`](Self::close), without waiting for the broker: what is not settled is released.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// Waits for the next delivery, and returns it; `None` once the source is closed. Deliveries of one place come in its order. No more
    /// than [`SubscriptionSpec::prefetch`] deliveries are out or held here unsettled; a delivery that waits in here belongs to the broker
    /// until it is returned.
    ///
    /// The runtime does not call `next` while it is paused or has enough to do, perhaps for hours: the source has to keep its membership
    /// and its connection alive by itself. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the member cannot go on (the group was deleted, rights are gone): the consumer ends with this error. A lost
    /// connection is no error: `next` waits until it is back.
    async fn next(&self) -> Result<Option<Incoming>, BackendError>;

    /// The delivery is done: it never comes again, not after a restart either. Deliveries are acknowledged in any order; a delivery that
    /// is not acknowledged comes again after a crash, whatever was acknowledged behind it.
    ///
    /// # Errors
    /// When the broker may not know it, so that the delivery may come again. For a delivery that this member does not own any longer
    /// ([`Incoming::revoked`]), and for a broker that learns of acknowledgements in intervals, `Ok` means that it is noted.
    async fn acknowledge(&self, tag: Tag) -> Result<(), BackendError>;

    /// The delivery is given back unhandled: it comes again, to any member, as soon as the broker can, without counting as a
    /// failure. A backend with offsets may let it come again only when the place moves to another member or this member leaves.
    ///
    /// # Errors
    /// When the broker does not know it; the delivery comes again at the latest when this member leaves.
    async fn release(&self, tag: Tag) -> Result<(), BackendError>;

    /// Whether the connection to the broker stands.
    fn is_connected(&self) -> bool;

    /// Leaves the group: releases what is not settled, tells the broker what was acknowledged, and leaves, within
    /// `deadline`. Calling it again does nothing.
    ///
    /// # Errors
    /// When an acknowledgement may not have reached the broker.
    async fn close(&self, deadline: Duration) -> Result<(), BackendError>;
}

/// Reads a stream in the order of each place.
#[async_trait]
pub trait LogReader: Debug + Send {
    /// The next message. It waits at the end until there is one. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// `Truncated` when the next message was deleted before it was read.
    async fn next(&mut self) -> Result<Incoming, LogError>;

    /// Where `next` goes on. Behind [`Backend::log`] that is the oldest message of each place that `from` did not name.
    fn positions(&self) -> Positions;

    /// Reads this place alone from now on. The first messages may be older than the one at `offset`, which is not left out.
    ///
    /// # Errors
    /// When the broker refuses or cannot be reached, or the log does not have the place.
    async fn seek(&mut self, place: &str, offset: u64) -> Result<(), LogError>;

    /// The caller waits for a message of this place: a reader that asks one place after the other asks this place next.
    fn prefer(&mut self, place: &str) {
        let _ = place;
    }

    /// The ends of all places, now: the offset that the next message of each place will have.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    async fn ends(&self) -> Result<Positions, LogError>;
}

/// The dead letters of a group, from the oldest on.
///
/// Reading takes nothing away. Dropping it leaves everything that was not removed where it was; a broker that hides what a reader
/// holds shows it to others a moment later.
#[async_trait]
pub trait DeadQueue: Debug + Send {
    /// The number of dead letters.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    async fn count(&mut self) -> Result<u64, BackendError>;

    /// The next dead letter; `None` behind the last that was there when the queue was opened.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    async fn next(&mut self) -> Result<Option<Incoming>, BackendError>;

    /// Takes away a dead letter that `next` of this object returned. It returns when no reader sees it any longer. A log notes
    /// that the message is gone; its bytes stay until the log forgets them.
    ///
    /// # Errors
    /// When the broker may not know it: the dead letter may still be there.
    async fn remove(&mut self, tag: Tag) -> Result<(), BackendError>;
}

/// A broker did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct BackendError {
    /// The request, the broker, and the answer.
    pub what: String,
    /// The error of the library that talks to the broker.
    #[source]
    pub source: Option<SharedError>,
}

impl BackendError {
    /// An error without a cause.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// An error with its cause.
    pub fn with_source(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { what: what.into(), source: Some(SharedError::new(source)) }
    }
}

/// A stream cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// Messages that were asked for are deleted.
    #[error("{asked} is deleted; the first that is left is {first}")]
    Truncated {
        /// The request.
        asked: Position,
        /// The first offset that is left there.
        first: u64,
    },
    /// This broker keeps no log.
    #[error("this broker keeps no log that can be read without a group")]
    Impossible,
    /// The broker did not do what it was asked to.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
