use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::time::{Instant, sleep};

use super::settings::{KafkaSettings, blocking, failed};
use super::wire;
use crate::backend::{BackendError, Incoming, LogError, LogReader, Positions};
use crate::event::Position;

const TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);
/// Reading over as many records is faster than asking the broker for another position.
const NEAR: u64 = 1_000;
/// librdkafka wants a group of every consumer; this one joins none.
const NO_GROUP: &str = "rocketmq-event-reader";

/// Reads a topic without a group.
pub(super) struct Log {
    consumer: Arc<StreamConsumer>,
    stream: ByteString,
    next: BTreeMap<i32, u64>,
    /// `seek` was called: one partition is read.
    is_single: bool,
}

impl Log {
    pub(super) async fn open(
        settings: &KafkaSettings,
        stream: &str,
        partitions: &[i32],
        from: &Positions,
    ) -> Result<Self, LogError> {
        let made = settings.reader(NO_GROUP).create();
        let consumer: Arc<StreamConsumer> = Arc::new(made.map_err(failed("Kafka's reader cannot be made"))?);
        let bounds = watermarks(consumer.clone(), stream, partitions.to_vec()).await?;
        let mut next = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for (partition, (first, _)) in bounds {
            let asked = from.0.get(partition.to_string().as_str()).copied();
            if let Some(asked) = asked.filter(|asked| *asked < first) {
                return Err(truncated(stream, partition, asked, first));
            }
            let begin = asked.unwrap_or(first);
            next.insert(partition, begin);
            let offset = Offset::Offset(i64::try_from(begin).unwrap_or(i64::MAX));
            let failed = failed("a position is not valid");
            list.add_partition_offset(stream, partition, offset).map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed(format!("cannot read {stream:?}")))?;
        Ok(Self { consumer, stream: stream.into(), next, is_single: false })
    }

    async fn bounds(&self) -> Result<BTreeMap<i32, (u64, u64)>, BackendError> {
        watermarks(self.consumer.clone(), &self.stream, self.next.keys().copied().collect()).await
    }
}

/// The first offset of each partition, and the next one that it will give.
async fn watermarks(
    consumer: Arc<StreamConsumer>,
    topic: &str,
    partitions: Vec<i32>,
) -> Result<BTreeMap<i32, (u64, u64)>, BackendError> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let (consumer, topic, partitions) = (consumer.clone(), topic.to_owned(), partitions.clone());
        let asked = blocking(move || {
            let mut bounds = BTreeMap::new();
            for partition in partitions {
                let what = format!("Kafka does not tell what {topic}/{partition} has");
                let (first, end) =
                    consumer.fetch_watermarks(&topic, partition, TIMEOUT).map_err(failed(what))?;
                let offset = |offset: i64| u64::try_from(offset).unwrap_or(0);
                bounds.insert(partition, (offset(first), offset(end)));
            }
            Ok(bounds)
        });
        match asked.await {
            Err(error) if has_no_leader(&error) && Instant::now() < deadline => sleep(PAUSE).await,
            asked => return asked,
        }
    }
}

/// Whether the brokers have not agreed yet who leads a partition, which takes a moment after its topic was made.
fn has_no_leader(error: &BackendError) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition};
    let source = error.source.as_ref().and_then(|source| source.get().downcast_ref::<KafkaError>());
    let code = source.and_then(KafkaError::rdkafka_error_code);
    matches!(code, Some(LeaderNotAvailable | NotLeaderForPartition))
}

fn truncated(stream: &str, partition: i32, asked: u64, first: u64) -> LogError {
    let place = partition.to_string().into();
    LogError::Truncated { asked: Position { stream: stream.into(), place, offset: Some(asked) }, first }
}

#[async_trait]
impl LogReader for Log {
    async fn next(&mut self) -> Result<Incoming, LogError> {
        loop {
            let error = match self.consumer.recv().await {
                Ok(message) => {
                    if !self.next.contains_key(&message.partition()) {
                        continue;
                    }
                    let incoming = wire::incoming(&message, &self.stream);
                    let offset = incoming.position.offset.unwrap_or_default();
                    self.next.insert(message.partition(), offset + 1);
                    return Ok(incoming);
                }
                Err(error) => error,
            };
            let code = match &error {
                KafkaError::MessageConsumption(code) => *code,
                _ => return Err(failed("the log cannot be read")(error).into()),
            };
            match code {
                RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                    for (partition, (first, _)) in self.bounds().await? {
                        let asked = self.next.get(&partition).copied().unwrap_or_default();
                        if asked < first {
                            return Err(truncated(&self.stream, partition, asked, first));
                        }
                    }
                }
                RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::UnknownTopicOrPartition => {
                    return Err(failed("the log cannot be read")(error).into());
                }
                // librdkafka heals what passes.
                _ => tracing::debug!(%error, "reading a log"),
            }
        }
    }

    fn positions(&self) -> Positions {
        Positions(self.next.iter().map(|(partition, next)| (partition.to_string().into(), *next)).collect())
    }

    async fn seek(&mut self, place: &str, offset: u64) -> Result<(), LogError> {
        let missing = || BackendError::new(format!("{} has no partition {place}", self.stream));
        let partition: i32 = place.parse().map_err(|_| missing())?;
        let near = |next: &u64| (*next..next.saturating_add(NEAR)).contains(&offset);
        if self.is_single && self.next.get(&partition).is_some_and(near) {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        let begin = Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX));
        let what = || failed(format!("cannot read {:?} at {place}@{offset}", self.stream));
        list.add_partition_offset(&self.stream, partition, begin).map_err(what())?;
        self.consumer.assign(&list).map_err(what())?;
        (self.next, self.is_single) = ([(partition, offset)].into(), true);
        Ok(())
    }

    async fn ends(&self) -> Result<Positions, LogError> {
        let bounds = self.bounds().await?;
        let ends = bounds.into_iter().map(|(partition, (_, end))| (partition.to_string().into(), end));
        Ok(Positions(ends.collect()))
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("stream", &self.stream).field("next", &self.next).finish_non_exhaustive()
    }
}
