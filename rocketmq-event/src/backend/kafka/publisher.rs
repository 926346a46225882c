use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::{DeliveryFuture, OwnedDeliveryResult};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::settings::{KafkaSettings, MAX_BODY, blocking, failed};
use super::topics::{GroupTopics, Topics, is_name, partition_of};
use super::wire;
use crate::backend::{BackendError, Destination, Durability, Outgoing, Stored};
use crate::error::{PublishError, PublishErrorKind};
use crate::event::Position;

/// Messages that wait for their answers, all calls together: what back-pressure holds against.
const UNANSWERED: u32 = 4_096;
const CHUNK: usize = 1_024;
/// How often it looks whether librdkafka's queue has room.
const FULL_POLL: Duration = Duration::from_millis(5);

/// Publishes by an idempotent producer: retries of librdkafka neither double nor reorder records.
pub(super) struct Publisher {
    settings: KafkaSettings,
    topics: Topics,
    slots: Semaphore,
    producer: Mutex<FutureProducer>,
}

impl Publisher {
    pub(super) fn new(settings: &KafkaSettings, topics: Topics) -> Result<Self, BackendError> {
        let producer = settings.producer().create().map_err(failed("Kafka's producer cannot be made"))?;
        Ok(Self {
            settings: settings.clone(),
            topics,
            slots: Semaphore::new(UNANSWERED as usize),
            producer: Mutex::new(producer),
        })
    }

    pub(super) async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        let mut results = Vec::with_capacity(batch.len());
        let mut batch = batch.into_iter();
        loop {
            let chunk: Vec<Outgoing> = batch.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return results;
            }
            let wanted = u32::try_from(chunk.len()).unwrap_or(UNANSWERED);
            let Ok(_slots) = self.slots.acquire_many(wanted).await else {
                results.extend(chunk.iter().map(|_| Err(closed())));
                continue;
            };
            let mut sent = Vec::with_capacity(chunk.len());
            for message in &chunk {
                sent.push(self.send(message).await);
            }
            for (message, sent) in chunk.iter().zip(sent) {
                results.push(match sent {
                    Ok(answer) => stored(message, answer.await),
                    Err(error) => Err(error),
                });
            }
        }
    }

    /// Sends what is queued, and waits for the answers.
    pub(super) async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        self.slots.close();
        let producer = self.producer()?;
        blocking(move || {
            producer.flush(deadline).map_err(failed("messages had no answer when the deadline passed"))
        })
        .await
    }

    async fn send(&self, message: &Outgoing) -> Result<DeliveryFuture, PublishError> {
        if message.body.len() > MAX_BODY {
            return Err(PublishError::too_large(message.body.len(), MAX_BODY));
        }
        let (topic, partition) = self.target(&message.destination).await?;
        let mut headers =
            Some(wire::headers(&message.envelope, &message.body, message.destination.reserve())?);
        let key = message.envelope.key.as_deref().map(str::as_bytes);
        let invalid = |error: BackendError| {
            let what = "Kafka's producer ended";
            PublishError::not_stored(PublishErrorKind::Refused, what).with_source(error)
        };
        let deadline = Instant::now() + self.settings.publish_timeout;
        loop {
            let producer = self.producer().map_err(invalid)?;
            let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic).payload(&message.body);
            record.key = key;
            record.partition = partition;
            record.headers = headers.take();
            match producer.send_result(record) {
                Ok(answer) => return Ok(answer),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record))
                    if Instant::now() < deadline =>
                {
                    headers = record.headers;
                }
                Err((error, _)) => return Err(unsent(error)),
            }
            sleep(FULL_POLL).await;
        }
    }

    /// Topic, and partition if the key does not choose it.
    async fn target(&self, destination: &Destination) -> Result<(String, Option<i32>), PublishError> {
        let invalid = |error: BackendError| {
            let what = "the topic of the group is not there";
            PublishError::not_stored(PublishErrorKind::Refused, what).with_source(error)
        };
        match destination {
            Destination::Stream(stream) if !is_name(stream) => {
                let what = format!("{stream:?} is no name of a topic");
                Err(PublishError::not_stored(PublishErrorKind::Invalid, what))
            }
            Destination::Stream(stream) => Ok((stream.to_string(), None)),
            Destination::Group { stream, group, delay } => {
                let topics = GroupTopics::new(stream, group);
                self.topics.ensure_retry(&topics).await.map_err(invalid)?;
                Ok((topics.retry(), Some(partition_of(*delay))))
            }
            Destination::Dead { stream, group } => {
                let topics = GroupTopics::new(stream, group);
                self.topics.ensure_dead(&topics).await.map_err(invalid)?;
                Ok((topics.dead(), Some(0)))
            }
        }
    }

    /// The producer; a new one after an error that ends the sequence of an idempotent producer.
    fn producer(&self) -> Result<FutureProducer, BackendError> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((code, reason)) = producer.client().fatal_error() {
            tracing::warn!(%code, reason, "Kafka's producer ended, and begins anew");
            *producer =
                self.settings.producer().create().map_err(failed("Kafka's producer cannot be made"))?;
        }
        Ok(producer.clone())
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("settings", &self.settings).finish_non_exhaustive()
    }
}

pub(super) fn closed() -> PublishError {
    PublishError::not_stored(PublishErrorKind::Closed, "the bus is closed")
}

fn stored<E>(message: &Outgoing, answer: Result<OwnedDeliveryResult, E>) -> Result<Stored, PublishError> {
    match answer {
        Ok(Ok(delivery)) => Ok(Stored {
            position: Position {
                stream: message.destination.stream().clone(),
                place: delivery.partition.to_string().into(),
                offset: u64::try_from(delivery.offset).ok(),
            },
            durability: Durability::AsConfigured,
        }),
        Ok(Err((error, _))) => Err(unsent(error)),
        Err(_) => {
            let what = "the producer ended before the broker's answer";
            Err(PublishError::maybe_stored(PublishErrorKind::Closed, what))
        }
    }
}

/// Translates librdkafka's error: not stored, or maybe stored.
fn unsent(error: KafkaError) -> PublishError {
    use PublishErrorKind::{Disconnected, Invalid, NoRoute, Refused, Timeout, TooLarge};
    use RDKafkaErrorCode as Code;
    let code = match &error {
        KafkaError::MessageProduction(code) => *code,
        _ => Code::Unknown,
    };
    let (kind, is_stored_nowhere) = match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => (TooLarge, true),
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => (NoRoute, true),
        Code::InvalidMessage | Code::InvalidTopic | Code::InvalidTimestamp => (Invalid, true),
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::PolicyViolation
        | Code::NotEnoughReplicas
        | Code::QueueFull
        | Code::PurgeQueue => (Refused, true),
        Code::MessageTimedOut | Code::RequestTimedOut => (Timeout, false),
        Code::AllBrokersDown | Code::BrokerTransportFailure | Code::NetworkException => (Disconnected, false),
        _ => (Refused, false),
    };
    let what = format!("Kafka did not say that it has the message: {code}");
    let make = if is_stored_nowhere { PublishError::not_stored } else { PublishError::maybe_stored };
    make(kind, what).with_source(error)
}
