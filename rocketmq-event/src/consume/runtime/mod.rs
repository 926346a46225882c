//! The tasks of a running consumer: one takes deliveries and gives each a task of its own.
//!
//! - `settings`: what the builder chose
//! - `lanes`: which delivery may be handled next
//! - `pump`: takes deliveries, starts and joins handlers, shuts down
//! - `attempt`: one attempt of a handler: decode, layers, timeout, panic
//! - `settle`: what becomes of a delivery after an attempt
//! - `in_hand`: the deliveries that are not settled, for health and shutdown
//! - `meter`: counters and times

mod attempt;
mod in_hand;
mod lanes;
mod meter;
mod pump;
mod settings;
mod settle;

use std::sync::{Arc, Mutex, PoisonError};

use bytestring::ByteString;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use settings::Settings;

use super::handler::Handlers;
use super::watch::{ConsumerError, ConsumerEvent, Health};
use crate::backend::{Backend, Source, SubscriptionSpec};
use in_hand::InHand;
use meter::Meter;

/// The state that all tasks of a consumer share.
#[derive(Debug)]
pub(super) struct Runtime {
    backend: Arc<dyn Backend>,
    source: Box<dyn Source>,
    spec: SubscriptionSpec,
    service: ByteString,
    handlers: Handlers,
    settings: Settings,
    slots: Semaphore,
    in_hand: InHand,
    meter: Meter,
    events: broadcast::Sender<ConsumerEvent>,
    paused: watch::Sender<bool>,
    /// Set: no further events, and the deadline of the shutdown.
    stopping: watch::Sender<Option<Instant>>,
    /// Handlers should end: the deadline is near.
    cancelled: CancellationToken,
    /// All tasks of the consumer have ended.
    over: CancellationToken,
    /// Why the consumer ended by itself.
    ended: watch::Sender<Option<ConsumerError>>,
    last_failure: Mutex<Option<String>>,
}

/// How the tasks of a consumer ended.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) finished: usize,
    pub(super) released: usize,
    pub(super) left: usize,
    pub(super) error: Option<ConsumerError>,
}

impl Runtime {
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        source: Box<dyn Source>,
        spec: SubscriptionSpec,
        service: ByteString,
        handlers: Handlers,
        settings: Settings,
    ) -> Self {
        Self {
            backend,
            source,
            service,
            handlers,
            slots: Semaphore::new(settings.concurrency),
            in_hand: InHand::default(),
            meter: Meter::new(&spec),
            settings,
            spec,
            events: broadcast::channel(256).0,
            paused: watch::Sender::new(false),
            stopping: watch::Sender::new(None),
            cancelled: CancellationToken::new(),
            over: CancellationToken::new(),
            ended: watch::Sender::new(None),
            last_failure: Mutex::default(),
        }
    }

    pub(super) fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    pub(super) fn stop(&self, deadline: Instant) {
        self.stopping.send_replace(Some(deadline));
    }

    /// Its events, and when there will be no more.
    pub(super) fn listen(&self) -> (broadcast::Receiver<ConsumerEvent>, CancellationToken) {
        (self.events.subscribe(), self.over.clone())
    }

    pub(super) async fn wait(&self) -> Result<(), ConsumerError> {
        let mut ended = self.ended.subscribe();
        tokio::select! {
            _ = ended.wait_for(Option::is_some) => {}
            () = self.over.cancelled() => {}
        }
        self.ended.borrow().clone().map_or(Ok(()), Err)
    }

    pub(super) fn health(&self) -> Health {
        let last_failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (in_flight, oldest) = self.in_hand.summary();
        Health {
            is_connected: self.source.is_connected(),
            is_paused: *self.paused.borrow(),
            ended: self.ended.borrow().as_ref().map(|error| crate::error::with_causes(error)),
            in_flight,
            oldest,
            last_failure,
        }
    }

    /// Resolves when no further events may be taken: a shutdown began, or the consumer ended by itself.
    async fn stopped(&self) {
        let (mut stopping, mut ended) = (self.stopping.subscribe(), self.ended.subscribe());
        tokio::select! {
            _ = stopping.wait_for(Option::is_some) => {}
            _ = ended.wait_for(Option::is_some) => {}
        }
    }

    fn tell(&self, event: ConsumerEvent) {
        // An error means that there is no listener.
        _ = self.events.send(event);
    }

    /// The consumer ends by itself; the first reason stays.
    fn end(&self, error: ConsumerError) {
        tracing::error!(group = %self.spec.group, stream = %self.spec.stream, "{}", crate::error::with_causes(&error));
        let reason = crate::error::with_causes(&error);
        let is_first = self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            ended.get_or_insert(error);
            is_first
        });
        if is_first {
            self.tell(ConsumerEvent::Ended { reason });
        }
    }
}
