use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::offsets::Progress;
use crate::backend::{BackendError, Incoming, Notice, SubscriptionSpec, Tag};

/// Topic and partition.
pub(super) type Place = (String, i32);

/// The state that a member shares with its task and with librdkafka's callbacks.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) spec: SubscriptionSpec,
    pub(super) retry_topic: String,
    state: Mutex<State>,
    /// Something changed: `next`, or the task, looks again.
    pub(super) arrived: Notify,
    pub(super) settled: Notify,
    is_connected: AtomicBool,
    /// The member leaves.
    pub(super) closing: CancellationToken,
    /// The task has ended.
    pub(super) ended: CancellationToken,
}

#[derive(Debug, Default)]
pub(super) struct State {
    last_tag: u64,
    /// Polled, and not yet handed out.
    ready: VecDeque<Record>,
    /// The first records of paused partitions of the retry topic, which are not due yet.
    pub(super) waiting: HashMap<Place, (Instant, Record)>,
    out: HashMap<Tag, Out>,
    progress: HashMap<Place, Progress>,
    pub(super) failure: Option<BackendError>,
}

/// A record that was read.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) place: Place,
    pub(super) offset: i64,
    pub(super) incoming: Incoming,
}

#[derive(Debug)]
struct Out {
    place: Place,
    offset: i64,
    revoked: CancellationToken,
}

impl Subscription {
    pub(super) fn new(spec: SubscriptionSpec, retry_topic: String, closing: CancellationToken) -> Self {
        Self {
            spec,
            retry_topic,
            state: Mutex::default(),
            arrived: Notify::new(),
            settled: Notify::new(),
            is_connected: AtomicBool::new(true),
            closing,
            ended: CancellationToken::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Acquire)
    }

    /// Notes that the connection is lost or back, and tells it once.
    pub(super) fn connection(&self, is_connected: bool, reason: &str) {
        if self.is_connected.swap(is_connected, Ordering::AcqRel) == is_connected {
            return;
        }
        let lost = || Notice::Lost { reason: reason.to_owned() };
        self.spec.notices.tell(if is_connected { Notice::Connected } else { lost() });
        self.settled.notify_one();
    }

    /// The next delivery, if the member may have one more.
    pub(super) fn hand_out(&self) -> Result<Option<Incoming>, BackendError> {
        let mut state = self.state();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.out.len() >= self.spec.prefetch.max(1) {
            return Ok(None);
        }
        let Some(Record { place, offset, mut incoming }) = state.ready.pop_front() else { return Ok(None) };
        state.last_tag += 1;
        incoming.tag = Tag(state.last_tag);
        incoming.revoked = CancellationToken::new();
        let out = Out { place, offset, revoked: incoming.revoked.clone() };
        state.out.insert(incoming.tag, out);
        drop(state);
        self.settled.notify_one();
        Ok(Some(incoming))
    }

    /// The delivery is settled. Only what is done lets the offset move.
    pub(super) fn settle(&self, tag: Tag, is_done: bool) {
        let mut state = self.state();
        let Some(Out { place, offset, .. }) = state.out.remove(&tag) else { return };
        if is_done && let Some(progress) = state.progress.get_mut(&place) {
            progress.finish(offset);
        }
        drop(state);
        self.settled.notify_one();
        self.arrived.notify_one();
    }

    /// Nothing is ours any longer.
    pub(super) fn revoke_all(&self) {
        let mut state = self.state();
        state.ready.clear();
        state.waiting.clear();
        state.progress.clear();
        for (_, out) in state.out.drain() {
            out.revoked.cancel();
        }
    }

    fn revoke(&self, list: &TopicPartitionList) {
        let mut state = self.state();
        for element in list.elements() {
            let place = (element.topic().to_owned(), element.partition());
            state.progress.remove(&place);
            state.waiting.remove(&place);
            state.ready.retain(|record| record.place != place);
            let gone: Vec<Tag> =
                state.out.iter().filter(|(_, out)| out.place == place).map(|(tag, _)| *tag).collect();
            for tag in gone {
                if let Some(out) = state.out.remove(&tag) {
                    out.revoked.cancel();
                }
            }
            self.spec.notices.tell(Notice::Revoked { place: name(&place) });
        }
        drop(state);
        self.settled.notify_one();
        self.arrived.notify_one();
    }
}

impl State {
    /// A record was read: it is unfinished until it is settled.
    pub(super) fn take(&mut self, place: &Place, offset: i64) {
        self.progress.entry(place.clone()).or_default().take(offset);
    }

    /// A record that the group does not want.
    pub(super) fn pass_over(&mut self, place: &Place, offset: i64) {
        let progress = self.progress.entry(place.clone()).or_default();
        progress.take(offset);
        progress.finish(offset);
    }

    pub(super) fn push(&mut self, record: Record) {
        self.ready.push_back(record);
    }

    /// Records that are here and not settled.
    pub(super) fn held(&self) -> usize {
        self.ready.len() + self.out.len()
    }

    /// The offsets that may be committed and were not named before.
    pub(super) fn take_to_store(&mut self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), progress) in &mut self.progress {
            if let Some(offset) = progress.take_to_store() {
                // Any offset of a record is valid.
                _ = list.add_partition_offset(topic, *partition, Offset::Offset(offset));
            }
        }
        list
    }
}

/// The callbacks of librdkafka, which run on the task that polls.
pub(super) struct Callbacks(pub(super) std::sync::Arc<Subscription>);

impl ClientContext for Callbacks {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.0.connection(false, reason);
        }
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Callbacks {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Revoke(list) => self.0.revoke(list),
            Rebalance::Assign(list) => {
                for element in list.elements() {
                    let place = (element.topic().to_owned(), element.partition());
                    self.0.spec.notices.tell(Notice::Assigned { place: name(&place) });
                }
            }
            Rebalance::Error(error) => tracing::warn!(%error, "the group could not share its partitions"),
        }
    }
}

fn name((topic, partition): &Place) -> String {
    format!("{topic}/{partition}")
}
