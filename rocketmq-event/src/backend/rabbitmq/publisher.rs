use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, ErrorKind, PublisherConfirm};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connection::MAX_BODY;
use super::link::{Link, answered};
use super::topology::{self, Queues, code};
use super::wire;
use crate::backend::steps::{STEPS, step};
use crate::backend::{BackendError, Destination, Durability, Outgoing, Stored};
use crate::error::{PublishError, PublishErrorKind, wait_before};
use crate::event::Position;

/// Messages that wait for their confirms, all calls together: what back-pressure holds against.
const UNCONFIRMED: u32 = 1_024;
/// How often a message that waits for its confirm looks whether the channel is still there.
const LOST_POLL: Duration = Duration::from_millis(250);
/// Messages that are written before their confirms are awaited.
const CHUNK: usize = 256;

/// Publishes on one channel, so that the broker takes messages in the order of the calls, and waits for confirms.
#[derive(Debug)]
pub(super) struct Publisher {
    link: Arc<Link>,
    timeout: Duration,
    slots: Semaphore,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    channel: Option<Channel>,
    /// The queues for retries and dead letters that are known to exist.
    declared: HashSet<String>,
}

/// A message on the wire.
struct Written {
    confirm: PublisherConfirm,
    channel: Channel,
    position: Position,
    /// More than one queue may take it.
    is_routed: bool,
}

/// A message as AMQP wants it.
struct Prepared {
    exchange: ShortString,
    key: ShortString,
    properties: BasicProperties,
    position: Position,
    is_routed: bool,
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>, timeout: Duration) -> Self {
        Self { link, timeout, slots: Semaphore::new(UNCONFIRMED as usize), open: Mutex::default() }
    }

    pub(super) async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        let mut results = Vec::with_capacity(batch.len());
        let mut batch = batch.into_iter();
        loop {
            let chunk: Vec<Outgoing> = batch.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return results;
            }
            let wanted = u32::try_from(chunk.len()).unwrap_or(UNCONFIRMED);
            let Ok(_slots) = self.slots.acquire_many(wanted).await else {
                let closed = || PublishError::not_stored(PublishErrorKind::Closed, "the bus is closed");
                results.extend(chunk.iter().map(|_| Err(closed())));
                continue;
            };
            let deadline = Instant::now() + self.timeout;
            for written in self.write(&chunk, deadline).await {
                results.push(match written {
                    Ok(written) => confirmed(written, deadline).await,
                    Err(error) => Err(error),
                });
            }
        }
    }

    /// Refuses further messages, and waits until all that are written have their answers. False: the deadline passed.
    pub(super) async fn close(&self, deadline: Duration) -> bool {
        let all = timeout(deadline, self.slots.acquire_many(UNCONFIRMED)).await;
        self.slots.close();
        all.is_ok()
    }

    async fn write(&self, chunk: &[Outgoing], deadline: Instant) -> Vec<Result<Written, PublishError>> {
        let Ok(mut open) = timeout_at(deadline, self.open.lock()).await else {
            let late = || PublishError::not_stored(PublishErrorKind::Timeout, "others publish for too long");
            return chunk.iter().map(|_| Err(late())).collect();
        };
        let mut written = Vec::with_capacity(chunk.len());
        // After a loss the rest is not written: it would overtake what was lost, which the caller may send again.
        let mut lost = None;
        for message in chunk {
            if let Some(error) = &lost {
                written.push(Err(PublishError::clone(error)));
                continue;
            }
            let result = self.write_one(&mut open, message, deadline).await;
            if let Err(error) = &result
                && error.kind() == PublishErrorKind::Disconnected
            {
                let what = "the connection to RabbitMQ was lost before";
                lost = Some(PublishError::not_stored(PublishErrorKind::Disconnected, what));
            }
            written.push(result);
        }
        written
    }

    async fn write_one(
        &self,
        open: &mut Open,
        message: &Outgoing,
        deadline: Instant,
    ) -> Result<Written, PublishError> {
        if message.body.len() > MAX_BODY {
            return Err(PublishError::too_large(message.body.len(), MAX_BODY));
        }
        let prepared = self.prepare(open, message).await?;
        let channel = self.channel(open, deadline).await?;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let Prepared { exchange, key, properties, position, is_routed } = prepared;
        let write = channel.basic_publish(exchange, key, options, &message.body, properties);
        match timeout_at(deadline, write).await {
            Ok(Ok(confirm)) => Ok(Written { confirm, channel: channel.clone(), position, is_routed }),
            Ok(Err(error)) => Err(unwritten(error)),
            Err(_) => {
                let what = "the connection took no bytes in time: RabbitMQ blocks publishers when memory or disk is short";
                // The next message must not follow the half of one.
                open.channel = None;
                Err(PublishError::maybe_stored(PublishErrorKind::Timeout, what))
            }
        }
    }

    async fn prepare(&self, open: &mut Open, message: &Outgoing) -> Result<Prepared, PublishError> {
        let properties = wire::properties(&message.envelope, message.destination.reserve())?;
        let invalid = |error: BackendError| {
            PublishError::not_stored(PublishErrorKind::Invalid, "a name is too long").with_source(error)
        };
        let (exchange, key, place) = match &message.destination {
            Destination::Stream(stream) => (&**stream, message.envelope.name.clone(), ByteString::new()),
            Destination::Group { stream, group, delay } => {
                let queues = Queues::new(stream, group);
                let queue = match step(*delay) {
                    None => queues.main,
                    Some(number) => {
                        let queue = queues.retry(STEPS[number]);
                        if !open.declared.contains(&queue) {
                            let declaring = topology::declare_retry(&self.link, &queues, STEPS[number]);
                            if !answered(declaring).await.map_err(undeclared)? {
                                let what = format!("{stream} has no group {group}");
                                return Err(PublishError::not_stored(PublishErrorKind::NoRoute, what));
                            }
                            open.declared.insert(queue.clone());
                        }
                        queue
                    }
                };
                ("", queue.clone().into(), queue.into())
            }
            Destination::Dead { stream, group } => {
                let queues = Queues::new(stream, group);
                let queue = queues.dead();
                if !open.declared.contains(&queue) {
                    answered(topology::declare_dead(&self.link, &queues)).await.map_err(undeclared)?;
                    open.declared.insert(queue.clone());
                }
                ("", queue.clone().into(), queue.into())
            }
        };
        Ok(Prepared {
            exchange: topology::short(exchange).map_err(invalid)?,
            key: topology::short(&key).map_err(invalid)?,
            properties,
            position: Position { stream: message.destination.stream().clone(), place, offset: None },
            is_routed: !exchange.is_empty(),
        })
    }

    /// The channel of all messages. It waits for the connection as long as the caller does.
    async fn channel<'open>(
        &self,
        open: &'open mut Open,
        deadline: Instant,
    ) -> Result<&'open Channel, PublishError> {
        if open.channel.as_ref().is_some_and(|channel| !channel.status().connected()) {
            open.channel = None;
            // Queues may be gone together with the channel.
            open.declared.clear();
        }
        let mut attempt = 0;
        while open.channel.is_none() {
            match timeout_at(deadline, self.confirming_channel()).await {
                Ok(Ok(channel)) => open.channel = Some(channel),
                Ok(Err(error)) => {
                    attempt += 1;
                    let wait = wait_before(attempt);
                    if Instant::now() + wait >= deadline {
                        let what = "RabbitMQ cannot be reached";
                        return Err(
                            PublishError::not_stored(PublishErrorKind::Disconnected, what).with_source(error)
                        );
                    }
                    sleep(wait).await;
                }
                Err(_) => {
                    let what = "RabbitMQ was not reached in time";
                    return Err(PublishError::not_stored(PublishErrorKind::Disconnected, what));
                }
            }
        }
        let none = || PublishError::not_stored(PublishErrorKind::Disconnected, "there is no channel");
        open.channel.as_ref().ok_or_else(none)
    }

    async fn confirming_channel(&self) -> Result<Channel, BackendError> {
        let channel = self.link.channel().await?;
        let selected = channel.confirm_select(ConfirmSelectOptions::default()).await;
        selected.map_err(|error| BackendError::with_source("RabbitMQ does not confirm", error))?;
        Ok(channel)
    }
}

async fn confirmed(written: Written, deadline: Instant) -> Result<Stored, PublishError> {
    let Written { confirm, channel, position, is_routed } = written;
    let answer = async {
        tokio::select! {
            biased;
            answer = confirm => Some(answer),
            () = lost(&channel) => None,
        }
    };
    match timeout_at(deadline, answer).await {
        Ok(Some(Ok(Confirmation::Ack(None)))) => {
            Ok(Stored { position, durability: Durability::AsConfigured })
        }
        Ok(Some(Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))))) => {
            let what = format!("no queue takes it from {}", position.stream);
            Err(PublishError::not_stored(PublishErrorKind::NoRoute, what))
        }
        // A queue refused the message; another queue of the exchange may have it.
        Ok(Some(Ok(Confirmation::Nack(None)))) if is_routed => {
            Err(PublishError::maybe_stored(PublishErrorKind::Refused, "a queue refused it"))
        }
        Ok(Some(Ok(Confirmation::Nack(None)))) => {
            Err(PublishError::not_stored(PublishErrorKind::Refused, "the queue refused it"))
        }
        Ok(Some(Ok(Confirmation::NotRequested))) => {
            Err(PublishError::maybe_stored(PublishErrorKind::Refused, "the channel does not confirm"))
        }
        Ok(None) => {
            let what = "the connection ended before the broker's answer";
            Err(PublishError::maybe_stored(PublishErrorKind::Disconnected, what))
        }
        Ok(Some(Err(error))) => {
            let what = "the channel ended before the broker's answer";
            Err(PublishError::maybe_stored(PublishErrorKind::Disconnected, what).with_source(error))
        }
        Err(_) => Err(PublishError::maybe_stored(PublishErrorKind::Timeout, "no confirm came in time")),
    }
}

/// Resolves when the channel is closed. The library forgets a confirm that is asked for while the connection ends.
pub(super) async fn lost(channel: &Channel) {
    while channel.status().connected() {
        sleep(LOST_POLL).await;
    }
}

/// Writing a message failed.
fn unwritten(error: lapin::Error) -> PublishError {
    let what = "the connection to RabbitMQ is lost";
    let refused = matches!(
        error.kind(),
        ErrorKind::InvalidChannel(_)
            | ErrorKind::InvalidChannelState(..)
            | ErrorKind::InvalidConnectionState(_)
            | ErrorKind::SerialisationError(_)
    );
    let make = if refused { PublishError::not_stored } else { PublishError::maybe_stored };
    make(PublishErrorKind::Disconnected, what.to_owned()).with_source(error)
}

fn undeclared(error: BackendError) -> PublishError {
    let kind =
        if code(&error).is_some() { PublishErrorKind::Refused } else { PublishErrorKind::Disconnected };
    PublishError::not_stored(kind, "the queue is not there").with_source(error)
}
