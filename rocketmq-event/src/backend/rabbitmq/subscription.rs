use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::Acker;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::link::{Link, answered};
use super::publisher::lost;
use super::topology::{self, Queues, code};
use super::wire;
use crate::backend::{BackendError, Incoming, Notice, SubscriptionSpec, Tag};
use crate::error::{wait_before, with_causes};
use crate::event::Position;

/// A server that has just started elects the leaders of its queues.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
const INTERNAL_ERROR: u16 = 541;

/// The state that a member and its task share.
#[derive(Debug)]
pub(super) struct Subscription {
    link: Arc<Link>,
    pub(super) spec: SubscriptionSpec,
    queue: String,
    held: Mutex<HeldByTag>,
    is_connected: AtomicBool,
    /// The member leaves.
    pub(super) closing: CancellationToken,
    /// The task has ended.
    pub(super) ended: CancellationToken,
    /// Why the channel did not close as it should.
    pub(super) failure: Mutex<Option<BackendError>>,
}

/// Deliveries that are not settled.
#[derive(Debug, Default)]
struct HeldByTag {
    last: u64,
    held: HashMap<Tag, Held>,
}

#[derive(Debug)]
struct Held {
    acker: Acker,
    revoked: CancellationToken,
}

impl Subscription {
    pub(super) fn new(link: Arc<Link>, spec: SubscriptionSpec, closing: CancellationToken) -> Self {
        Self {
            link,
            queue: Queues::new(&spec.stream, &spec.group).main,
            spec,
            held: Mutex::default(),
            is_connected: AtomicBool::new(true),
            closing,
            ended: CancellationToken::new(),
            failure: Mutex::default(),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Acquire)
    }

    /// The acker of a delivery that is ours, which is settled by that.
    pub(super) fn take(&self, tag: Tag) -> Option<Acker> {
        self.held().held.remove(&tag).map(|held| held.acker)
    }

    pub(super) fn holds(&self, tag: Tag) -> bool {
        self.held().held.contains_key(&tag)
    }

    /// Forgets the deliveries that are not settled: they are not ours any longer.
    pub(super) fn revoke_all(&self) {
        for (_, held) in self.held().held.drain() {
            held.revoked.cancel();
        }
    }

    pub(super) async fn open(&self) -> Result<(Channel, Consumer), BackendError> {
        let channel = answered(self.link.channel()).await?;
        let consumer = tokio::select! {
            consumer = answered(self.consume(&channel)) => consumer?,
            () = lost(&channel) => return Err(BackendError::new("the connection to RabbitMQ ended meanwhile")),
        };
        Ok((channel, consumer))
    }

    async fn consume(&self, channel: &Channel) -> Result<Consumer, BackendError> {
        let prefetch = u16::try_from(self.spec.prefetch.max(1)).unwrap_or(u16::MAX);
        let failed = |error| BackendError::with_source(format!("cannot consume {:?}", self.queue), error);
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(failed)?;
        let queue = topology::short(&self.queue)?;
        let consuming =
            channel.basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default());
        consuming.await.map_err(failed)
    }

    /// Opens for the first time. A queue whose server has just started has no leader for some seconds, and is no error yet.
    pub(super) async fn open_first(&self) -> Result<(Channel, Consumer), BackendError> {
        let (began, mut attempt) = (Instant::now(), 0);
        loop {
            match self.open().await {
                Err(error) if code(&error) == Some(INTERNAL_ERROR) && began.elapsed() < STARTS_WITHIN => {
                    attempt += 1;
                    sleep(wait_before(attempt)).await;
                }
                opened => return opened,
            }
        }
    }

    /// Takes deliveries until the member leaves, and opens the channel anew when it is lost.
    pub(super) async fn run(
        self: Arc<Self>,
        mut open: (Channel, Consumer),
        deliveries: mpsc::Sender<Result<Incoming, BackendError>>,
    ) {
        loop {
            let (channel, consumer) = open;
            let Some(reason) = self.take_deliveries(consumer, &deliveries).await else {
                self.leave(channel).await;
                break;
            };
            drop(channel);
            self.is_connected.store(false, Ordering::Release);
            self.revoke_all();
            tracing::warn!(queue = self.queue, reason, "the channel is lost");
            self.spec.notices.tell(Notice::Lost { reason });
            match self.open_again().await {
                Some(Ok(opened)) => open = opened,
                Some(Err(error)) => {
                    // An error means that the member is gone.
                    _ = deliveries.send(Err(error)).await;
                    break;
                }
                None => break,
            }
            self.is_connected.store(true, Ordering::Release);
            self.spec.notices.tell(Notice::Connected);
        }
        self.is_connected.store(false, Ordering::Release);
        self.revoke_all();
        self.ended.cancel();
    }

    /// Why the channel is lost; `None` when the member leaves.
    async fn take_deliveries(
        &self,
        mut consumer: Consumer,
        deliveries: &mpsc::Sender<Result<Incoming, BackendError>>,
    ) -> Option<String> {
        loop {
            let next = tokio::select! {
                biased;
                () = self.closing.cancelled() => return None,
                next = consumer.next() => next,
            };
            match next {
                Some(Ok(delivery)) => {
                    if let Some(incoming) = self.receive(delivery).await {
                        tokio::select! {
                            sent = deliveries.send(Ok(incoming)) => sent.ok()?,
                            () = self.closing.cancelled() => return None,
                        }
                    }
                }
                Some(Err(error)) => return Some(with_causes(&error)),
                None => return Some("RabbitMQ ended the consumer".to_owned()),
            }
        }
    }

    /// Notes a delivery. Events that the group does not want any longer are acknowledged.
    async fn receive(&self, delivery: Delivery) -> Option<Incoming> {
        let Delivery { exchange, routing_key, redelivered, properties, data, acker, .. } = delivery;
        let is_of_stream = exchange.as_str() == &*self.spec.stream;
        if is_of_stream && !self.spec.wants(routing_key.as_str()) {
            // When it fails, the channel is lost: the event comes again, and is acknowledged then.
            _ = acker.ack(BasicAckOptions::default()).await;
            return None;
        }
        let counted = wire::delivery_count(&properties);
        let revoked = CancellationToken::new();
        let mut held = self.held();
        held.last += 1;
        let tag = Tag(held.last);
        held.held.insert(tag, Held { acker, revoked: revoked.clone() });
        Some(Incoming {
            tag,
            envelope: wire::envelope(routing_key.as_str(), &properties),
            body: Bytes::from(data),
            position: Position {
                stream: self.spec.stream.clone(),
                place: self.queue.as_str().into(),
                offset: None,
            },
            // A classic queue, which an operator made, does not count.
            redeliveries: counted.max(u32::from(redelivered)),
            revoked,
        })
    }

    /// `None` when the member leaves meanwhile; an error when the group is gone.
    async fn open_again(&self) -> Option<Result<(Channel, Consumer), BackendError>> {
        const GONE: [u16; 2] = [403, 404];
        let mut attempt = 0;
        loop {
            let error = tokio::select! {
                opened = self.open() => match opened {
                    Ok(opened) => return Some(Ok(opened)),
                    Err(error) => error,
                },
                () = self.closing.cancelled() => return None,
            };
            if code(&error).is_some_and(|code| GONE.contains(&code)) {
                return Some(Err(error));
            }
            attempt += 1;
            let wait = wait_before(attempt).min(Duration::from_secs(5));
            tracing::debug!(queue = self.queue, ?wait, "{}", with_causes(&error));
            tokio::select! {
                () = sleep(wait) => {}
                () = self.closing.cancelled() => return None,
            }
        }
    }

    /// The broker reads acknowledgements before the close, and hands out again what has none.
    async fn leave(&self, channel: Channel) {
        if let Err(error) = channel.close(200, "the member leaves".into()).await {
            let what = "the channel did not close: acknowledgements may be lost";
            let failure = BackendError::with_source(what, error);
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        }
    }

    fn held(&self) -> MutexGuard<'_, HeldByTag> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
