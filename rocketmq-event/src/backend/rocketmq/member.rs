use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use rocketmq_client::Error;
use rocketmq_client::client::MQClient;
use rocketmq_client::conf::{ConsumeFromWhere, ConsumerOption};
use rocketmq_client::consumer::{
    Acker, ConsumerEvent, ConsumerEvents, Delivery, MessageStream, PushConsumer,
};
use rocketmq_client::model::MessageQueue;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::connection::group_name;
use super::failures::failed;
use super::mapping;
use crate::backend::{BackendError, Incoming, Notice, Notices, Source, Start, SubscriptionSpec, Tag};

/// The runtime has time limits of its own: the client's must not end a retry in place.
const AS_LONG_AS_IT_TAKES: Duration = Duration::from_secs(3600 * 24 * 365);

/// The client has one member of a group at a time. A member that was dropped ends by then.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);
const LEFT_POLL: Duration = Duration::from_millis(10);

/// A member of a consumer group.
#[derive(Debug)]
pub(super) struct Member {
    consumer: PushConsumer,
    messages: tokio::sync::Mutex<MessageStream>,
    spec: SubscriptionSpec,
    out: Arc<Out>,
    last_tag: AtomicU64,
    /// Closed, or the bus is.
    closed: CancellationToken,
    /// Passes on the events of the client; it ends with this member.
    _watch: JoinSet<()>,
}

/// The deliveries that are out.
#[derive(Debug, Default)]
struct Out {
    deliveries: Mutex<HashMap<Tag, Held>>,
    /// The deliveries that were given back. The client would count a release as a failure: they stay open, so that no offset moves beyond
    /// them, until their queue moves or this member leaves.
    released: Mutex<Vec<Acker>>,
}

#[derive(Debug)]
struct Held {
    acker: Acker,
    queue: MessageQueue,
    revoked: CancellationToken,
}

impl Out {
    fn deliveries(&self) -> MutexGuard<'_, HashMap<Tag, Held>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn released(&self) -> MutexGuard<'_, Vec<Acker>> {
        self.released.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn revoke(&self, queues: &[MessageQueue]) {
        for held in self.deliveries().values().filter(|held| queues.contains(&held.queue)) {
            held.revoked.cancel();
        }
    }
}

impl Member {
    pub(super) async fn join(client: &MQClient, spec: SubscriptionSpec) -> Result<Self, BackendError> {
        let what = || format!("the group {} cannot read {}", spec.group, spec.stream);
        let begun = Instant::now();
        let (consumer, messages, events) = loop {
            let consumer = client
                .push_consumer(group_name(&spec.stream, &spec.group))
                .option(|option| options(option, &spec))
                .subscribe(spec.stream.to_string(), expression(&spec))
                .build()
                .map_err(failed(what()))?;
            let messages = consumer.messages().map_err(failed(what()))?;
            let events = consumer.events();
            match consumer.start().await {
                Ok(()) => break (consumer, messages, events),
                // A member that was dropped a moment ago leaves when its tasks have ended.
                Err(Error::InvalidOption { option: "group_name", .. }) if begun.elapsed() < LEAVES_WITHIN => {
                    sleep(LEFT_POLL).await;
                }
                Err(error @ Error::InvalidOption { option: "group_name", .. }) => {
                    let what = format!("{}: a further member needs a further bus", what());
                    return Err(failed(what)(error));
                }
                Err(error) => return Err(failed(what())(error)),
            }
        };
        let out = Arc::new(Out::default());
        let mut watch = JoinSet::new();
        watch.spawn(pass_on(events, spec.notices.clone(), out.clone()));
        Ok(Self {
            consumer,
            messages: tokio::sync::Mutex::new(messages),
            spec,
            out,
            last_tag: AtomicU64::new(0),
            closed: CancellationToken::new(),
            _watch: watch,
        })
    }

    fn incoming(&self, delivery: Delivery) -> Option<Incoming> {
        let (message, acker) = delivery.split();
        let (envelope, body) = mapping::envelope(&message);
        let is_ours = message.message().topic() != &*self.spec.stream;
        if !is_ours && !self.spec.wants(&envelope.name) {
            acker.ack();
            return None;
        }
        acker.extend(AS_LONG_AS_IT_TAKES);
        let (tag, revoked) = (Tag(self.last_tag.fetch_add(1, Ordering::Relaxed)), CancellationToken::new());
        let held = Held { acker, queue: message.message_queue(), revoked: revoked.clone() };
        self.out.deliveries().insert(tag, held);
        let position = mapping::position(&self.spec.stream, &message);
        let redeliveries = u32::try_from(message.reconsume_times()).unwrap_or_default();
        Some(Incoming { tag, envelope, body, position, redeliveries, revoked })
    }
}

#[async_trait]
impl Source for Member {
    async fn next(&self) -> Result<Option<Incoming>, BackendError> {
        let mut messages = self.messages.lock().await;
        loop {
            let delivery = tokio::select! {
                biased;
                () = self.closed.cancelled() => return Ok(None),
                delivery = messages.next() => delivery,
            };
            let Some(delivery) = delivery else { return Ok(None) };
            let delivery = delivery.map_err(failed(format!("the group {} cannot go on", self.spec.group)))?;
            if let Some(incoming) = self.incoming(delivery) {
                return Ok(Some(incoming));
            }
        }
    }

    async fn acknowledge(&self, tag: Tag) -> Result<(), BackendError> {
        let held = self.out.deliveries().remove(&tag);
        if let Some(held) = held {
            held.acker.ack();
        }
        Ok(())
    }

    async fn release(&self, tag: Tag) -> Result<(), BackendError> {
        let held = self.out.deliveries().remove(&tag);
        self.out.released().extend(held.map(|held| held.acker));
        Ok(())
    }

    fn is_connected(&self) -> bool {
        self.consumer.is_ready()
    }

    async fn close(&self, deadline: Duration) -> Result<(), BackendError> {
        self.closed.cancel();
        let ended = async {
            // The stream has ended once the consumer ends: what is dropped from then on stays uncommitted, and counts as no failure.
            let mut messages = self.messages.lock().await;
            let mut untaken = Vec::new();
            while let Some(delivery) = messages.next().await {
                untaken.push(delivery);
            }
            for (_, held) in self.out.deliveries().drain() {
                held.revoked.cancel();
            }
            self.out.released().clear();
        };
        let (report, ()) = tokio::join!(self.consumer.shutdown_within(deadline), ended);
        let report = report.map_err(failed(format!("the group {} was not left", self.spec.group)))?;
        if report.uncommitted.is_empty() {
            return Ok(());
        }
        let queues = report.uncommitted.len();
        Err(BackendError::new(format!(
            "the offsets of {queues} queues of {} are not committed",
            self.spec.group
        )))
    }
}

fn options(option: &mut ConsumerOption, spec: &SubscriptionSpec) {
    // Names of the group's own topics do not exist yet, and a stream may begin with its first event.
    option.set_require_topics(false);
    option.set_pull_threshold_for_queue(u32::try_from(spec.prefetch).unwrap_or(u32::MAX).clamp(32, 1_000));
    match spec.start {
        Start::Earliest => _ = option.set_consume_from_where(ConsumeFromWhere::First),
        Start::Latest => _ = option.set_consume_from_where(ConsumeFromWhere::LastExactly),
        Start::At(time) => {
            let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            option.set_consume_from_where(ConsumeFromWhere::Timestamp);
            option.set_consume_timestamp(u64::try_from(millis).unwrap_or(u64::MAX));
        }
    }
}

/// Brokers filter by tags if all patterns are names; else this member filters.
fn expression(spec: &SubscriptionSpec) -> String {
    let names: Option<Vec<&str>> = spec.patterns.iter().map(|pattern| pattern.literal()).collect();
    match names.filter(|names| names.iter().all(|name| mapping::is_tag(name))) {
        Some(mut names) => {
            // Members whose expressions differ in order alone must not differ.
            names.sort_unstable();
            names.dedup();
            names.join(" || ")
        }
        None => "*".to_owned(),
    }
}

async fn pass_on(mut events: ConsumerEvents, notices: Notices, out: Arc<Out>) {
    while let Some(event) = events.next().await {
        match event {
            ConsumerEvent::Assigned { queues, .. } => {
                queues.iter().for_each(|queue| notices.tell(Notice::Assigned { place: queue.to_string() }));
            }
            ConsumerEvent::Revoked { queues, .. } => {
                out.revoke(&queues);
                queues.iter().for_each(|queue| notices.tell(Notice::Revoked { place: queue.to_string() }));
            }
            ConsumerEvent::BrokerUnreachable { .. } => {
                notices.tell(Notice::Lost { reason: event.to_string() })
            }
            ConsumerEvent::BrokerReachable { .. } => notices.tell(Notice::Connected),
            ConsumerEvent::SubscriptionsDiffer { .. } | ConsumerEvent::DuplicateClientId { .. } => {
                notices.tell(Notice::Trouble { what: event.to_string() });
            }
            _ => {}
        }
    }
}
