use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use bytestring::ByteString;
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Confirmation, Consumer};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::link::Link;
use super::topology::{self, NOT_FOUND, PRECONDITION_FAILED, code};
use super::wire;
use crate::backend::{BackendError, Incoming, LogError, LogReader, Positions, Tag};
use crate::error::with_causes;
use crate::event::{Envelope, EventId, Position};

/// The only place of a stream queue: one order holds for all.
const PLACE: &str = "0";
/// The name of records that only say where the log ended when they were written.
const MARK: &str = "rocketmq-event.mark";
/// Messages that RabbitMQ sends ahead, and after how many it learns that they came.
const AHEAD: u16 = 512;
const ACKNOWLEDGED: u16 = 128;
/// Reading over as many messages is faster than consuming anew.
const NEAR: u64 = 2_000;
/// How long RabbitMQ may take for an answer, and between two attempts to consume.
const TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

/// Reads the stream queue of a stream, by AMQP.
///
/// RabbitMQ does not tell where a stream queue ends: its count of messages is some seconds old. So `ends` writes a mark, and
/// looks where it lies.
pub(super) struct Log {
    link: Arc<Link>,
    stream: ByteString,
    queue: String,
    next: u64,
    consumer: Option<(Channel, Consumer)>,
    /// The last delivery, and how many were not acknowledged up to it.
    unacknowledged: (u64, u16),
}

impl Log {
    pub(super) async fn open(link: Arc<Link>, stream: &str, from: &Positions) -> Result<Self, LogError> {
        let (stream, queue) = (ByteString::from(stream), topology::log(stream));
        // An empty queue would deliver nothing.
        let channel = link.channel().await?;
        write_mark(&channel, &queue).await?;
        let mut consumer = consume(&channel, &queue, begin("first")).await?;
        let delivery = next_of(&mut consumer, &queue).await?;
        let first = offset(&delivery)?;
        topology::close(channel).await;
        let asked = from.0.get(PLACE).copied();
        if let Some(asked) = asked.filter(|asked| *asked < first) {
            let asked = Position { stream, place: PLACE.into(), offset: Some(asked) };
            return Err(LogError::Truncated { asked, first });
        }
        let next = asked.unwrap_or(first);
        Ok(Self { link, stream, queue, next, consumer: None, unacknowledged: (0, 0) })
    }

    async fn deliver(&mut self) -> Result<Delivery, BackendError> {
        if self.consumer.is_none() {
            let channel = self.link.channel().await?;
            let at = AMQPValue::LongLongInt(i64::try_from(self.next).unwrap_or(i64::MAX));
            let consumer = consume(&channel, &self.queue, at).await?;
            self.unacknowledged = (0, 0);
            self.consumer = Some((channel, consumer));
        }
        let lost = || BackendError::new(format!("reading {:?} ended", self.queue));
        let (channel, consumer) = self.consumer.as_mut().ok_or_else(lost)?;
        // Before the next delivery, so that a dropped future loses none.
        if self.unacknowledged.1 >= ACKNOWLEDGED {
            self.unacknowledged.1 = 0;
            let all = BasicAckOptions { multiple: true };
            let failed = |error| BackendError::with_source("RabbitMQ is not told what was read", error);
            channel.basic_ack(self.unacknowledged.0, all).await.map_err(failed)?;
        }
        let delivery = consumer.next().await.ok_or_else(lost)?;
        let delivery =
            delivery.map_err(|error| BackendError::with_source(format!("{:?}", self.queue), error))?;
        self.unacknowledged = (delivery.delivery_tag, self.unacknowledged.1 + 1);
        Ok(delivery)
    }
}

#[async_trait]
impl LogReader for Log {
    async fn next(&mut self) -> Result<Incoming, LogError> {
        loop {
            match self.deliver().await {
                Ok(delivery) => {
                    let offset = offset(&delivery)?;
                    if offset < self.next {
                        continue;
                    }
                    self.next = offset + 1;
                    return Ok(incoming(&delivery, &self.stream, offset));
                }
                Err(error) => {
                    self.consumer = None;
                    if code(&error) == Some(NOT_FOUND) {
                        return Err(error.into());
                    }
                    tracing::debug!(error = with_causes(&error), "reading a log");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn positions(&self) -> Positions {
        Positions([(PLACE.into(), self.next)].into())
    }

    async fn seek(&mut self, _: &str, offset: u64) -> Result<(), LogError> {
        let near = self.next..self.next.saturating_add(NEAR);
        if !near.contains(&offset) {
            (self.next, self.consumer) = (offset, None);
        }
        Ok(())
    }

    async fn ends(&self) -> Result<Positions, LogError> {
        let channel = self.link.channel().await?;
        // It stands at the end before the mark is written: so the mark comes.
        let mut consumer = consume(&channel, &self.queue, begin("next")).await?;
        let mark = write_mark(&channel, &self.queue).await?;
        let end = loop {
            let delivery = next_of(&mut consumer, &self.queue).await?;
            let id = delivery.properties.message_id();
            if id.as_ref().is_some_and(|id| id.as_str() == mark.as_str()) {
                break offset(&delivery)? + 1;
            }
            delivery.acker.ack(BasicAckOptions::default()).await.map_err(unread)?;
        };
        topology::close(channel).await;
        Ok(Positions([(PLACE.into(), end)].into()))
    }
}

async fn consume(channel: &Channel, queue: &str, from: AMQPValue) -> Result<Consumer, BackendError> {
    let failed = |error: lapin::Error| {
        BackendError::with_source(format!("cannot read {queue:?} from a position"), error)
    };
    channel.basic_qos(AHEAD, BasicQosOptions::default()).await.map_err(failed)?;
    let mut arguments = FieldTable::default();
    arguments.insert(topology::short("x-stream-offset")?, from);
    let options = BasicConsumeOptions::default();
    channel.basic_consume(topology::short(queue)?, "".into(), options, arguments).await.map_err(failed)
}

async fn next_of(consumer: &mut Consumer, queue: &str) -> Result<Delivery, BackendError> {
    let late = || BackendError::new(format!("{queue:?} delivered nothing for {TIMEOUT:?}"));
    let ended = || BackendError::new(format!("reading {queue:?} ended"));
    let next = timeout(TIMEOUT, consumer.next()).await.map_err(|_| late())?;
    next.ok_or_else(ended)?.map_err(unread)
}

/// Writes a record without an event. Returns the id of the record.
async fn write_mark(channel: &Channel, queue: &str) -> Result<EventId, BackendError> {
    let envelope = Envelope::new(MARK);
    let failed = |error| BackendError::with_source(format!("{queue:?} takes no messages"), error);
    let refused = |why: &str| BackendError::new(format!("{queue:?} {why}"));
    channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(failed)?;
    let properties = wire::properties(&envelope, 0)
        .map_err(|error| BackendError::with_source("a mark cannot be written", error))?;
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let written = channel.basic_publish("".into(), topology::short(queue)?, options, b"", properties);
    let confirm = written.await.map_err(failed)?;
    match timeout(TIMEOUT, confirm).await {
        Ok(Ok(Confirmation::Ack(None))) => Ok(envelope.id),
        Ok(Ok(Confirmation::Ack(Some(_)))) => {
            Err(refused("does not exist: the log of a stream has to be created before it is read"))
        }
        Ok(Ok(_)) => Err(refused("refused a message")),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(refused("confirmed nothing in time")),
    }
}

fn begin(word: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(word))
}

fn unread(error: lapin::Error) -> BackendError {
    BackendError::with_source("a stream queue cannot be read", error)
}

fn offset(delivery: &Delivery) -> Result<u64, BackendError> {
    let missing = || BackendError::new("a message has no `x-stream-offset`: its queue is no stream");
    wire::stream_offset(&delivery.properties).ok_or_else(missing)
}

fn incoming(delivery: &Delivery, stream: &ByteString, offset: u64) -> Incoming {
    Incoming {
        tag: Tag(offset),
        envelope: wire::envelope(delivery.routing_key.as_str(), &delivery.properties),
        body: Bytes::copy_from_slice(&delivery.data),
        position: Position { stream: stream.clone(), place: PLACE.into(), offset: Some(offset) },
        redeliveries: 0,
        revoked: CancellationToken::new(),
    }
}

/// Why the stream queue of a log is not declared.
pub(super) fn undeclared(queue: &str, error: lapin::Error) -> BackendError {
    let what =
        format!("cannot declare the stream queue {queue:?}; RabbitMQ 3.9 and later have stream queues");
    let error = BackendError::with_source(what, error);
    match code(&error) {
        Some(PRECONDITION_FAILED) => {
            BackendError { what: format!("{}, and it exists with other settings", error.what), ..error }
        }
        _ => error,
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("queue", &self.queue).field("next", &self.next).finish_non_exhaustive()
    }
}
