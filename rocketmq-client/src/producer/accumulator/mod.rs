//! Gathers single sends into batches, and gives each send its own outcome. Java: `ProduceAccumulator`.
//!
//! - [`Accumulator`]: the messages that may be gathered, and the room for them
//! - `open_batches`: decides when a batch goes out
//! - `outcome`: splits the outcome of a request among its messages

mod open_batches;
mod outcome;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytestring::ByteString;
use rocketmq_common::message_batch::encoded_len;
use rocketmq_common::{Message, MessageQueue, UniqueIdGenerator, message_const as names, mix_all};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::machine::SendPlan;
use super::permits::{Permit, Permits};
use crate::clock::now_ms;
use crate::conf::ProducerOption;
use crate::error::{MQClientError, SendReport};
use crate::hook::CommunicationMode;
use crate::model::SendResult;
use open_batches::{Batch, Limits, Newcomer, OpenBatches};
pub(super) use outcome::of_each as outcome_of_each;

/// Messages to send in one request.
pub(super) type GatheredBatch = Batch<Member>;

/// Room for the bytes of one gathered message.
type Room = OwnedSemaphorePermit;

/// The largest number of bytes that an id adds to a message: `UNIQ_KEY`, two separators, 56 digits.
const ID_BYTES: usize = 66;

/// Properties of messages that are not plain: brokers look for them only in single sends.
const NOT_IN_BATCHES: [&str; 7] = [
    names::PROPERTY_TRANSACTION_PREPARED,
    names::PROPERTY_PRODUCER_GROUP,
    names::PROPERTY_MESSAGE_TYPE,
    names::PROPERTY_CORRELATION_ID,
    names::PROPERTY_INNER_MULTI_DISPATCH,
    names::PROPERTY_TIMER_DEL_UNIQKEY,
    names::PROPERTY_PRIORITY,
];

/// Gathers the messages of single sends into batches, and gives each sender its own outcome.
#[derive(Debug)]
pub(super) struct Accumulator {
    open: Mutex<OpenBatches<BatchKey, Member>>,
    /// Bytes that may still be gathered.
    room: Arc<Semaphore>,
    /// Notified when a batch was opened: its time may be the next.
    opened: Notify,
    largest: usize,
    compressed_from: usize,
    namespace: Option<String>,
    ids: &'static UniqueIdGenerator,
}

/// The properties that all messages of a batch share.
#[derive(Debug, PartialEq, Eq, Hash)]
struct BatchKey {
    topic: ByteString,
    tags: Option<Box<str>>,
    wait_store_msg_ok: bool,
    queue: Option<MessageQueue>,
    mode: CommunicationMode,
    timeout: Duration,
    retries: u32,
}

/// A message with its sender.
#[derive(Debug)]
pub(super) struct Member {
    message: Message,
    sender: Sender,
    room: Room,
}

/// The sender of a message, with the permits that it holds.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) plan: SendPlan,
    pub(super) report: SendReport,
    permit: Permit<Arc<Permits>>,
    answer: Answer,
}

/// The receiver of an outcome.
pub(super) enum Answer {
    /// A task, which may have given up.
    Task(oneshot::Sender<Result<SendResult, MQClientError>>),
    Callback(Box<dyn FnOnce(Result<SendResult, MQClientError>) + Send>),
}

/// Reserved room for one message.
#[derive(Debug)]
pub(super) struct Reserved<'a> {
    accumulator: &'a Accumulator,
    room: Room,
    bytes: usize,
}

impl Accumulator {
    /// The accumulator for these options; `None` if they do not ask for it.
    pub(super) fn new(option: &ProducerOption, ids: &'static UniqueIdGenerator) -> Option<Arc<Self>> {
        // Such a hook must see every single message, so that it can forbid each by itself.
        if !option.auto_batch() || !option.hooks().forbidden.is_empty() {
            return None;
        }
        let largest = option.batch_max_bytes().min(option.max_message_size());
        let limits = Limits { delay: Duration::from_millis(option.batch_max_delay_ms()), bytes: largest };
        let total = option.total_batch_max_bytes().min(Semaphore::MAX_PERMITS);
        Some(Arc::new(Self {
            open: Mutex::new(OpenBatches::new(limits)),
            room: Arc::new(Semaphore::new(total)),
            opened: Notify::new(),
            largest,
            compressed_from: option.compress_msg_body_over_threshold(),
            namespace: option.namespace().map(str::to_owned),
            ids,
        }))
    }

    /// Reserves room for a message in a batch; `None` if the message must, or should, go alone.
    pub(super) fn reserve(&self, message: &mut Message) -> Option<Reserved<'_>> {
        message.properties_mut().take_off_received();
        let instance =
            self.namespace.as_ref().map_or(0, |name| names::PROPERTY_INSTANCE_ID.len() + name.len() + 2);
        let bytes = encoded_len(message) + ID_BYTES + instance;
        let alone = bytes >= self.largest
            || message.body().len() >= self.compressed_from
            || message.delay_time_level() > 0
            || message.is_timer()
            || mix_all::is_retry_topic(message.topic())
            || message.properties().iter().any(|(name, _)| NOT_IN_BATCHES.contains(&name));
        if alone {
            return None;
        }
        let room = self.room.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()?;
        Some(Reserved { accumulator: self, room, bytes })
    }

    /// The batches that are due, and when the next one is due.
    pub(super) fn take_due(&self, now: Instant) -> (Vec<GatheredBatch>, Option<Instant>) {
        self.lock().take_due(now)
    }

    /// Waits until a batch is opened, or until `next`.
    pub(super) async fn opened_or(&self, next: Option<Instant>) {
        let opened = self.opened.notified();
        match next {
            Some(next) => _ = timeout_at(next, opened).await,
            None => opened.await,
        }
    }

    /// Takes out all waiting messages. From now on each message is a batch of its own.
    pub(super) fn close(&self) -> Vec<GatheredBatch> {
        self.lock().close()
    }

    fn lock(&self) -> MutexGuard<'_, OpenBatches<BatchKey, Member>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the message its id now, so that each sender of the batch knows the id of its own message.
    fn identify(&self, message: &mut Message) {
        if message.unique_key().is_none() {
            message.properties_mut().put_reserved(names::UNIQ_KEY, self.ids.next(now_ms()).as_str());
        }
        if let Some(namespace) = &self.namespace {
            message.properties_mut().put_reserved(names::PROPERTY_INSTANCE_ID, namespace);
        }
    }
}

impl Reserved<'_> {
    /// Adds the message to a batch. Returns a batch that must be sent now.
    #[must_use]
    pub(super) fn join(self, mut message: Message, sender: Sender) -> Option<GatheredBatch> {
        self.accumulator.identify(&mut message);
        let plan = &sender.plan;
        let key = BatchKey {
            topic: message.shared_topic().clone(),
            tags: message.tags().map(Box::from),
            wait_store_msg_ok: message.wait_store_msg_ok(),
            queue: plan.queue.clone(),
            mode: plan.mode,
            timeout: plan.timeout,
            retries: plan.retries,
        };
        let (began, timeout) = (plan.began, plan.timeout);
        let item = Member { message, sender, room: self.room };
        let newcomer = Newcomer { item, bytes: self.bytes, began, timeout };
        let added = self.accumulator.lock().add(key, newcomer, Instant::now());
        if added.opened {
            self.accumulator.opened.notify_one();
        }
        added.full
    }
}

impl Member {
    /// Splits into the message and the rest, which returns to the sender.
    pub(super) fn split(self) -> (Message, (Sender, Room)) {
        (self.message, (self.sender, self.room))
    }

    /// Whether the sender still waits.
    pub(super) fn is_wanted(&self) -> bool {
        !self.sender.answer.is_unwanted()
    }

    /// Records the time that the message waited for others.
    pub(super) fn note_wait(&mut self, now: Instant) {
        let Sender { plan, report, .. } = &mut self.sender;
        report.waited_for_batch = (now - plan.began).saturating_sub(report.waited_for_permits);
    }
}

impl Sender {
    pub(super) fn new(
        plan: SendPlan,
        report: Option<Box<SendReport>>,
        permit: Permit<Arc<Permits>>,
        answer: Answer,
    ) -> Self {
        Self { plan, report: report.map_or_else(SendReport::default, |report| *report), permit, answer }
    }

    /// Gives the sender the outcome. First returns the permit, so that the sender can send again at once.
    pub(super) fn finish(self, sent: Result<SendResult, MQClientError>) {
        drop(self.permit);
        match self.answer {
            // An error means that the sender has just given up.
            Answer::Task(task) => _ = task.send(sent),
            Answer::Callback(callback) => callback(sent),
        }
    }
}

impl Answer {
    /// Whether the sender has dropped the future of its send.
    fn is_unwanted(&self) -> bool {
        matches!(self, Self::Task(task) if task.is_closed())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task(_) => "Task",
            Self::Callback(_) => "Callback",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factory::unique_ids;

    fn accumulator(change: impl FnOnce(&mut ProducerOption)) -> Option<Arc<Accumulator>> {
        let mut option = ProducerOption::default();
        option.set_auto_batch(true);
        change(&mut option);
        Accumulator::new(&option, unique_ids(std::net::Ipv4Addr::LOCALHOST.into()))
    }

    fn message() -> Message {
        Message::new("T", "body")
    }

    #[test]
    fn messages_that_no_batch_can_have_go_alone() {
        let accumulator = accumulator(|_| {}).unwrap();
        let with = |name: &str| {
            let mut message = message();
            message.properties_mut().put_reserved(name, "x");
            message
        };
        assert!(accumulator.reserve(&mut message()).is_some());
        for mut alone in [
            message().with_delay_time_level(1),
            message().with_delay_time_sec(1),
            message().with_deliver_time_ms(1),
            message().with_topic("%RETRY%group"),
            message().with_body(vec![0; 4096]),
            with("TRAN_MSG"),
            with("PGROUP"),
            with("CORRELATION_ID"),
            with("MSG_TYPE"),
            with("INNER_MULTI_DISPATCH"),
        ] {
            assert!(accumulator.reserve(&mut alone).is_none(), "{alone:?}");
        }
    }

    #[test]
    fn room_is_limited_and_comes_back() {
        let accumulator = accumulator(|option| {
            option.set_total_batch_max_bytes(200);
        })
        .unwrap();
        let (first, second) = (accumulator.reserve(&mut message()), accumulator.reserve(&mut message()));
        assert!(first.is_some() && second.is_some() && accumulator.reserve(&mut message()).is_none());
        drop(first);
        assert!(accumulator.reserve(&mut message()).is_some());
    }

    #[test]
    fn a_hook_that_forbids_messages_sees_each_alone() {
        struct Never;
        impl crate::hook::CheckForbiddenHook for Never {
            fn check_forbidden(&self, _: &crate::hook::SendMessageContext<'_>) -> Result<(), String> {
                Err("never".to_owned())
            }
        }
        assert!(accumulator(|_| {}).is_some());
        let watched = accumulator(|option| {
            option.add_check_forbidden_hook(Arc::new(Never));
        });
        assert!(watched.is_none());
    }
}
