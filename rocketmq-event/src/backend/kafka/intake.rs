use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, TopicPartitionList};
use tokio::time::{Instant, sleep, sleep_until};

use super::settings::{blocking, failed};
use super::subscription::{Callbacks, Place, Record, Subscription};
use super::topics::delay_of;
use super::wire;
use crate::backend::BackendError;
use crate::error::with_causes;

/// A member that takes nothing for this time has its partitions paused; polling goes on, or Kafka would think that it is dead. Pausing at
/// once would throw away what librdkafka has fetched ahead.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it asks whether the brokers are back.
const PROBE: Duration = Duration::from_millis(500);
const FAR: Duration = Duration::from_secs(3_600);

/// The task of a member: polls, pauses, and stores offsets, which librdkafka commits.
pub(super) struct Intake {
    consumer: Arc<StreamConsumer<Callbacks>>,
    subscription: Arc<Subscription>,
    /// Since when the member has enough.
    full_since: Option<Instant>,
    /// Paused because the member has enough.
    paused: HashSet<Place>,
}

impl Intake {
    pub(super) fn new(consumer: StreamConsumer<Callbacks>, subscription: Arc<Subscription>) -> Self {
        Self { consumer: Arc::new(consumer), subscription, full_since: None, paused: HashSet::new() }
    }

    pub(super) async fn run(mut self) {
        let closing = self.subscription.closing.clone();
        let consumer = self.consumer.clone();
        loop {
            let due = self.hand_over_due();
            self.store_offsets();
            let may_poll = self.may_poll();
            let patience_ends = self.full_since.map_or(Instant::now() + FAR, |since| since + PATIENCE);
            let is_lost = !self.subscription.is_connected();
            tokio::select! {
                biased;
                () = closing.cancelled() => break,
                () = self.subscription.settled.notified() => {}
                () = sleep_until(due) => {}
                () = sleep_until(patience_ends), if !may_poll => {}
                received = consumer.recv(), if may_poll => {
                    if let Err(error) = self.receive(received) {
                        self.fail(&error);
                        break;
                    }
                }
                is_back = probe(consumer.clone()), if is_lost => {
                    self.subscription.connection(is_back, "");
                }
            }
        }
        drop(consumer);
        self.leave().await;
    }

    /// Whether a record may come: there is room, or all is paused and only librdkafka's own events come.
    fn may_poll(&mut self) -> bool {
        let has_room = self.subscription.state().held() < self.subscription.spec.prefetch.max(1);
        if has_room {
            self.full_since = None;
            self.resume();
            return true;
        }
        let since = *self.full_since.get_or_insert_with(Instant::now);
        if since.elapsed() < PATIENCE {
            return false;
        }
        if self.paused.is_empty() {
            self.pause_all();
        }
        true
    }

    fn pause_all(&mut self) {
        let Ok(assigned) = self.consumer.assignment() else { return };
        let waiting: HashSet<Place> = self.subscription.state().waiting.keys().cloned().collect();
        for element in assigned.elements() {
            let place = (element.topic().to_owned(), element.partition());
            if !waiting.contains(&place) {
                self.paused.insert(place);
            }
        }
        self.change(&self.paused, |consumer, list| consumer.pause(list));
    }

    fn resume(&mut self) {
        if self.paused.is_empty() {
            return;
        }
        let mut paused = std::mem::take(&mut self.paused);
        let state = self.subscription.state();
        paused.retain(|place| !state.waiting.contains_key(place));
        drop(state);
        self.change(&paused, |consumer, list| consumer.resume(list));
    }

    fn change<'a>(
        &self,
        places: impl IntoIterator<Item = &'a Place>,
        change: impl Fn(&StreamConsumer<Callbacks>, &TopicPartitionList) -> Result<(), KafkaError>,
    ) {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in places {
            list.add_partition(topic, *partition);
        }
        // A partition that is not ours any longer is an error, and needs nothing.
        if list.count() > 0
            && let Err(error) = change(&self.consumer, &list)
        {
            tracing::debug!(%error, "a partition was not paused or resumed");
        }
    }

    fn receive(&mut self, received: Result<BorrowedMessage<'_>, KafkaError>) -> Result<(), KafkaError> {
        let message = match received {
            Ok(message) => message,
            Err(error) if ends_membership(&error) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "polling");
                return Ok(());
            }
        };
        self.subscription.connection(true, "");
        let subscription = &self.subscription;
        let place: Place = (message.topic().to_owned(), message.partition());
        let offset = message.offset();
        let mut incoming = wire::incoming(&message, &subscription.spec.stream);
        let is_retry = place.0 == subscription.retry_topic;
        let mut state = subscription.state();
        if !is_retry && !subscription.spec.wants(&incoming.envelope.name) {
            state.pass_over(&place, offset);
            return Ok(());
        }
        state.take(&place, offset);
        if is_retry {
            incoming.position.place = format!("retry/{}", place.1).into();
        }
        let record = Record { place: place.clone(), offset, incoming };
        let left = if is_retry { left(&message) } else { Duration::ZERO };
        if !left.is_zero() {
            state.waiting.insert(place.clone(), (Instant::now() + left, record));
            drop(state);
            self.change([&place], |consumer, list| consumer.pause(list));
            return Ok(());
        }
        let is_above = state.held() >= subscription.spec.prefetch.max(1);
        state.push(record);
        drop(state);
        if is_above {
            // It was assigned after all others were paused.
            self.change([&place], |consumer, list| consumer.pause(list));
            self.paused.insert(place);
        }
        self.subscription.arrived.notify_one();
        Ok(())
    }

    /// Hands out what is due, and says when the next is.
    fn hand_over_due(&mut self) -> Instant {
        let now = Instant::now();
        let mut state = self.subscription.state();
        let due: Vec<Place> = state
            .waiting
            .iter()
            .filter(|(_, (due, _))| *due <= now)
            .map(|(place, _)| place.clone())
            .collect();
        for place in &due {
            if let Some((_, record)) = state.waiting.remove(place) {
                state.push(record);
            }
        }
        let next = state.waiting.values().map(|(due, _)| *due).min().unwrap_or(now + FAR);
        drop(state);
        if !due.is_empty() {
            self.change(&due, |consumer, list| consumer.resume(list));
            self.subscription.arrived.notify_one();
        }
        next
    }

    fn store_offsets(&self) {
        let list = self.subscription.state().take_to_store();
        // A partition that is not ours any longer is an error, and needs nothing.
        if list.count() > 0
            && let Err(error) = self.consumer.store_offsets(&list)
        {
            tracing::debug!(%error, "an offset was not stored");
        }
    }

    fn fail(&self, error: &KafkaError) {
        let what = format!("the member cannot go on in the group {:?}", self.subscription.spec.group);
        self.subscription.state().failure = Some(BackendError::with_source(what, error.clone()));
    }

    /// Commits what is finished, and leaves the group.
    async fn leave(self) {
        self.store_offsets();
        let Self { consumer, subscription, .. } = self;
        subscription.revoke_all();
        let left = blocking(move || {
            let committed = match consumer.commit_consumer_state(CommitMode::Sync) {
                Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
                committed => committed.map_err(failed("Kafka may not know what is acknowledged")),
            };
            // It tells the group, and waits for the answer.
            drop(consumer);
            committed
        });
        if let Err(error) = left.await {
            tracing::warn!("{}", with_causes(&error));
            subscription.state().failure.get_or_insert(error);
        }
        subscription.ended.cancel();
        subscription.arrived.notify_waiters();
        subscription.arrived.notify_one();
    }
}

/// How long a record of the retry topic has to wait.
fn left(message: &BorrowedMessage<'_>) -> Duration {
    let due = wire::time(message).map(|time| time + delay_of(message.partition()));
    due.and_then(|due| due.duration_since(SystemTime::now()).ok()).unwrap_or_default()
}

async fn probe(consumer: Arc<StreamConsumer<Callbacks>>) -> bool {
    sleep(PROBE).await;
    let ask = move || {
        let asked = consumer.fetch_metadata(Some("__consumer_offsets"), PROBE);
        asked.map(drop).map_err(failed("the brokers do not answer"))
    };
    blocking(ask).await.is_ok()
}

fn ends_membership(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumptionFatal(_)
            | KafkaError::MessageConsumption(
                RDKafkaErrorCode::GroupAuthorizationFailed | RDKafkaErrorCode::TopicAuthorizationFailed
            )
    )
}
