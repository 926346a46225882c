use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rocketmq_client::Error;
use rocketmq_client::admin::{Brokers, MQAdmin, TopicConfig};
use rocketmq_client::client::MQClient;
use rocketmq_client::model::{Message, SendResult, SendStatus};
use rocketmq_client::producer::Producer;
use rocketmq_client::selector::SelectMessageQueueByHash;
use tokio::time::{Instant, sleep_until};

use super::failures::{failed, is_busy, not_published};
use super::mapping;
use super::member::Member;
use super::reader::TopicReader;
use crate::backend::dead_log::DeadLog;
use crate::backend::{
    Abilities, Backend, BackendError, DeadQueue, Destination, Durability, LogError, LogReader, Outgoing,
    Positions, Source, Stored, SubscriptionSpec,
};
use crate::error::{PublishError, PublishErrorKind, wait_before};
use crate::event::Position;

/// The producers' group; brokers use it for transactions only.
const PRODUCER_GROUP: &str = "rocketmq-event";
/// The client's and the brokers' limit.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// The client's limit of all properties together.
const MAX_HEADERS: usize = 32_255;
/// Queues of a new topic on each broker: as many members of a group can share it there.
const QUEUES: u32 = 8;
/// How long a message waits for its answer, in milliseconds: as long as on the other brokers. After Java's three seconds a broker with a burst to
/// store could not have answered yet, and the event would be maybe stored.
const PUBLISH_TIMEOUT: u64 = 30_000;
/// How long a broker may be too busy for a message.
const BUSY_LIMIT: Duration = Duration::from_secs(20);
/// The brokers' delay levels in seconds, from level 1 on.
const LEVELS: [Duration; 18] = {
    let seconds = [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200];
    let mut levels = [Duration::ZERO; 18];
    let mut level = 0;
    while level < levels.len() {
        levels[level] = Duration::from_secs(seconds[level]);
        level += 1;
    }
    levels
};

/// A connection to a RocketMQ cluster. Clones share it.
#[derive(Debug, Clone)]
pub struct RocketMqBackend(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    client: MQClient,
    producer: Producer,
    admin: MQAdmin,
    /// The topics that are known to exist.
    known: Mutex<HashSet<String>>,
}

impl RocketMqBackend {
    /// Connects to the cluster behind these NameServers: `host:port;host:port`.
    ///
    /// # Errors
    /// When no NameServer answers.
    pub async fn connect(name_servers: &str) -> Result<Self, BackendError> {
        let what = || format!("no connection to RocketMQ at {name_servers}");
        let client = MQClient::connect(name_servers).await.map_err(failed(what()))?;
        Self::over(client).await
    }

    /// Uses a client that is started, for example with TLS or ACL. [`close`](Backend::close) shuts it down.
    ///
    /// # Errors
    /// When the client does not take a producer.
    pub async fn over(client: MQClient) -> Result<Self, BackendError> {
        let producer = client.producer(PRODUCER_GROUP);
        let producer = producer.option(|option| _ = option.set_send_msg_timeout(PUBLISH_TIMEOUT));
        let producer = producer.start().await.map_err(failed("no producer"))?;
        let admin = client.admin();
        Ok(Self(Arc::new(Connection { client, producer, admin, known: Mutex::default() })))
    }
}

impl Connection {
    /// Creates a topic if it does not exist. A cluster that refuses may still create it at the first message.
    async fn ensure_topic(&self, topic: &str, queues: u32) -> Result<(), BackendError> {
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(topic) {
            return Ok(());
        }
        match self.admin.message_queues(topic).await {
            Ok(queues) if !queues.is_empty() => {}
            Ok(_) | Err(Error::BrokerNotFound { .. }) => {
                let config = TopicConfig::new(topic, queues);
                match self.admin.create_topic(&config, &Brokers::All).await {
                    Ok(created) if created.failed.is_empty() => {}
                    Ok(created) => tracing::warn!(topic, "not created on {} brokers", created.failed.len()),
                    Err(error @ Error::InvalidArgument { .. }) => {
                        return Err(failed(format!("{topic:?} cannot be a topic"))(error));
                    }
                    Err(error) => {
                        tracing::info!(topic, %error, "the topic is not created now: the first message may do it");
                        return Ok(());
                    }
                }
            }
            Err(error) => return Err(failed(format!("the route of {topic} is not known"))(error)),
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned());
        Ok(())
    }

    /// Sends a message, to the queue of its key if it has one. A broker that is too busy for a burst has not stored the message, and takes it a
    /// moment later: longer than the client tries, which tries a message with a key once, as Java's does.
    async fn send_patiently(&self, message: Message, key: Option<&ByteString>) -> Result<SendResult, Error> {
        let deadline = Instant::now() + BUSY_LIMIT;
        let mut attempt = 0;
        loop {
            let message = message.clone();
            let sent = match key {
                Some(key) => {
                    let key = key.to_string();
                    self.producer.send_with_selector(message, SelectMessageQueueByHash, key).await
                }
                None => self.producer.send(message).await,
            };
            attempt += 1;
            let next = Instant::now() + wait_before(attempt);
            match sent {
                Err(error) if is_busy(&error) && next < deadline => sleep_until(next).await,
                sent => return sent,
            }
        }
    }

    async fn send(&self, message: Outgoing) -> Result<Stored, PublishError> {
        let Outgoing { destination, envelope, body } = message;
        if body.len() > MAX_BODY {
            return Err(PublishError::too_large(body.len(), MAX_BODY));
        }
        // A copy of a message without a tag, which another publisher sent, needs none either.
        if matches!(destination, Destination::Stream(_)) && !mapping::is_tag(&envelope.name) {
            let what = format!("{:?} cannot be the name of an event on RocketMQ: it is a tag", envelope.name);
            return Err(PublishError::not_stored(PublishErrorKind::Invalid, what));
        }
        let stream = destination.stream().clone();
        let topic = match &destination {
            Destination::Stream(stream) => stream.to_string(),
            Destination::Group { stream, group, .. } => format!("%RETRY%{}", group_name(stream, group)),
            Destination::Dead { stream, group } => dead_topic(stream, group),
        };
        if matches!(destination, Destination::Dead { .. }) {
            let not_there = |error| {
                PublishError::not_stored(PublishErrorKind::Disconnected, "no topic for dead letters")
                    .with_source(error)
            };
            self.ensure_topic(&topic, 1).await.map_err(not_there)?;
        }
        let mut message = mapping::message(&topic, &envelope, body);
        let (size, limit) = (size_of_properties(&message), MAX_HEADERS - destination.reserve());
        if size > limit {
            let what = format!("headers of {size} bytes are larger than {limit}");
            return Err(PublishError::not_stored(PublishErrorKind::TooLarge, what));
        }
        if let Destination::Group { delay, .. } = &destination {
            message.set_delay_time_level(level_of(*delay));
        }
        // The retry topic has an order of its own, and so have dead letters.
        let key = envelope.key.filter(|_| matches!(destination, Destination::Stream(_)));
        let sent = self.send_patiently(message, key.as_ref()).await.map_err(not_published)?;
        let durability = match sent.send_status {
            SendStatus::SendOk => Durability::AsConfigured,
            _ => Durability::Weaker,
        };
        let queue = &sent.message_queue;
        let place = format!("{}/{}", queue.broker_name(), queue.queue_id());
        let place = if topic == *stream { place } else { format!("{topic}/{place}") };
        let offset = u64::try_from(sent.queue_offset).ok();
        Ok(Stored { position: Position { stream, place: place.into(), offset }, durability })
    }
}

#[async_trait]
impl Backend for RocketMqBackend {
    fn abilities(&self) -> Abilities {
        Abilities {
            name: "rocketmq",
            routes: false,
            starts_in_the_past: true,
            log: true,
            numbers: true,
            orders_across_members: true,
            counts_redeliveries: false,
            releases_at_once: false,
            max_body: MAX_BODY,
            delay_steps: &LEVELS,
            durable: true,
        }
    }

    async fn ensure(&self, destination: &Destination) -> Result<(), BackendError> {
        match destination {
            Destination::Stream(stream) | Destination::Group { stream, .. } => {
                if stream.contains("__") || stream.ends_with('_') {
                    let what = "on RocketMQ the name of a stream has no `__`, and no `_` at its end";
                    return Err(BackendError::new(format!("{stream:?} cannot be a stream: {what}")));
                }
                self.0.ensure_topic(stream, QUEUES).await
            }
            Destination::Dead { stream, group } => self.0.ensure_topic(&dead_topic(stream, group), 1).await,
        }
    }

    async fn publish(&self, batch: Vec<Outgoing>) -> Vec<Result<Stored, PublishError>> {
        let count = batch.len();
        // Messages of one key follow each other; all others travel together.
        let mut chains: Vec<Vec<(usize, Outgoing)>> = Vec::new();
        let mut chain_of: HashMap<ByteString, usize> = HashMap::new();
        for (place, message) in batch.into_iter().enumerate() {
            let known = message.envelope.key.as_ref().and_then(|key| chain_of.get(key)).copied();
            let Some(chain) = known else {
                if let Some(key) = &message.envelope.key {
                    chain_of.insert(key.clone(), chains.len());
                }
                chains.push(vec![(place, message)]);
                continue;
            };
            chains[chain].push((place, message));
        }
        let connection = &self.0;
        let mut sending: FuturesUnordered<_> = chains
            .into_iter()
            .map(|chain| async move {
                let mut sent = Vec::with_capacity(chain.len());
                for (place, message) in chain {
                    sent.push((place, connection.send(message).await));
                }
                sent
            })
            .collect();
        let mut results: Vec<Option<Result<Stored, PublishError>>> = (0..count).map(|_| None).collect();
        while let Some(sent) = sending.next().await {
            for (place, result) in sent {
                results[place] = Some(result);
            }
        }
        let missing = || PublishError::maybe_stored(PublishErrorKind::Refused, "the client did not answer");
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(missing()))).collect()
    }

    async fn subscribe(&self, spec: SubscriptionSpec) -> Result<Box<dyn Source>, BackendError> {
        Ok(Box::new(Member::join(&self.0.client, spec).await?))
    }

    async fn dead(&self, stream: &str, group: &str) -> Result<Box<dyn DeadQueue>, BackendError> {
        let backend = Arc::new(self.clone());
        Ok(Box::new(DeadLog::open(backend, dead_topic(stream, group).into(), stream, group).await?))
    }

    async fn log(&self, stream: &str, from: Positions) -> Result<Box<dyn LogReader>, LogError> {
        Ok(Box::new(TopicReader::open(self.0.admin.clone(), stream, from).await?))
    }

    async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        let closing = tokio::time::timeout(deadline, self.0.client.shutdown()).await;
        let late = |_| BackendError::new(format!("RocketMQ's client was not shut down after {deadline:?}"));
        let report = closing.map_err(late)?.map_err(failed("RocketMQ's client was not shut down"))?;
        if report.is_clean() {
            return Ok(());
        }
        Err(BackendError::new(format!("RocketMQ's client left something: {report:?}")))
    }
}

/// The name of a group at the brokers. A RocketMQ group whose members subscribe to different topics loses messages, and users name
/// one group for several streams: so each stream has a group of its own. No two pairs have one name, because no stream contains `__`.
pub(super) fn group_name(stream: &str, group: &str) -> String {
    format!("{stream}__{group}")
}

/// The bytes that they take in their wire form.
fn size_of_properties(message: &Message) -> usize {
    message.properties().iter().map(|(name, value)| name.len() + value.len() + 2).sum()
}

fn dead_topic(stream: &str, group: &str) -> String {
    format!("%DLQ%{}", group_name(stream, group))
}

/// The first level that is at least as long; the highest for longer delays.
fn level_of(delay: Duration) -> i32 {
    if delay.is_zero() {
        return 0;
    }
    let level = LEVELS.iter().position(|level| *level >= delay).unwrap_or(LEVELS.len() - 1) + 1;
    i32::try_from(level).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Placed;

    impl crate::EventType for Placed {
        const NAMES: &'static [&'static str] = &["order.placed"];
    }

    #[test]
    fn delays_are_rounded_up_to_levels() {
        let levels = [0, 1, 999, 1_000, 1_001, 5_000, 60_000, 7_200_000, 99_000_000];
        let levels = levels.map(|millis| level_of(Duration::from_millis(millis)));
        assert_eq!(levels, [0, 1, 1, 1, 2, 2, 5, 18, 18]);
    }

    #[tokio::test]
    async fn a_busy_broker_gets_an_event_with_a_key_again() {
        let cluster = rocketmq_namesrv_mock::MockCluster::start().await.unwrap();
        let bus = crate::Bus::connect(&format!("rocketmq://{}", cluster.name_server_addr())).await.unwrap();
        let producer = bus.producer("orders").await.unwrap();
        cluster.inject("on=sends times=3 do=refuse code=SYSTEM_BUSY".parse().unwrap());
        let events = ["ann", "bob"].map(|key| crate::Event::new(Placed).with_key(key));
        for result in producer.send_batch(&events).await {
            result.unwrap();
        }
        bus.close().await.unwrap();
    }
}
