use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::MQClientError;
use crate::model::{MessageExt, MessageQueue};

/// Which message an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageIdentity {
    /// The queue that the message came from.
    pub queue: MessageQueue,
    /// Its position in the queue.
    pub offset: i64,
    /// Its topic as the listener sees it: of a message that comes again, the topic that it was sent to.
    pub topic: Arc<str>,
    /// The id that its producer gave it, else its offset id.
    pub msg_id: Arc<str>,
    /// How often it failed before.
    pub reconsume_times: u32,
}

impl MessageIdentity {
    pub(crate) fn of(message: &MessageExt, queue: &MessageQueue) -> Self {
        let topic = if message.topic() == queue.topic() {
            queue.shared_topic().clone()
        } else {
            Arc::from(message.topic())
        };
        Self {
            queue: queue.clone(),
            offset: message.queue_offset(),
            topic,
            msg_id: Arc::from(message.msg_id()),
            reconsume_times: u32::try_from(message.reconsume_times()).unwrap_or_default(),
        }
    }
}

impl fmt::Display for MessageIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of {} at {} in {}", self.msg_id, self.topic, self.offset, self.queue)
    }
}

/// An event of a consumer. Each event names the group, and the topic and the queue where there is one.
///
/// `{}` prints one line. Each event is written to the log as well.
///
/// ```
/// use rocketmq_client::consumer::ConsumerEvent;
///
/// fn pages_somebody(event: &ConsumerEvent) -> bool {
///     match event {
///         ConsumerEvent::DeadLettered { .. } | ConsumerEvent::LockLost { .. } => true,
///         ConsumerEvent::SendBackFailed { attempt, .. } => *attempt > 10,
///         _ => false,
///     }
/// }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConsumerEvent {
    /// The consumer runs: its routes, subscriptions, queues and first positions are known.
    #[non_exhaustive]
    Started {
        /// The consumer group.
        group: Arc<str>,
        /// The queues that it owns.
        queues: Vec<MessageQueue>,
    },
    /// Queues of a topic are owned from now on.
    #[non_exhaustive]
    Assigned {
        /// The consumer group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The queues that came.
        queues: Vec<MessageQueue>,
    },
    /// Queues of a topic are not owned any more: their messages were drained, their offsets committed.
    #[non_exhaustive]
    Revoked {
        /// The consumer group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The queues that went.
        queues: Vec<MessageQueue>,
    },
    /// The broker refused an offset (code 21), its smallest and largest offset bore it out, and the position moved.
    #[non_exhaustive]
    OffsetCorrected {
        /// The consumer group.
        group: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// The offset that was refused.
        from: i64,
        /// Where the consumer goes on.
        to: i64,
        /// The queue's first offset.
        min: i64,
        /// The offset behind the queue's last message.
        max: i64,
    },
    /// An operator moved the group's offset (request 220, or code 21 with `OFFSET_RESET`).
    #[non_exhaustive]
    OffsetReset {
        /// The consumer group.
        group: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// Where the consumer was, if it had a position.
        from: Option<i64>,
        /// Where it goes on.
        to: i64,
    },
    /// A stored record cannot be decoded. Its neighbours are delivered.
    #[non_exhaustive]
    MessageUndecodable {
        /// The consumer group.
        group: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// Its position in the queue, if the record still tells.
        offset: Option<i64>,
        /// The defect.
        reason: Arc<str>,
        /// The record as the broker sent it.
        raw: Bytes,
    },
    /// A message that failed could not be stored for another delivery. It is tried again; its offset is not committed meanwhile.
    #[non_exhaustive]
    SendBackFailed {
        /// The consumer group.
        group: Arc<str>,
        /// The message.
        message: Box<MessageIdentity>,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// The pause before the next attempt.
        retry_in: Duration,
        /// Why.
        error: MQClientError,
    },
    /// A message was stored in the group's dead letter topic.
    #[non_exhaustive]
    DeadLettered {
        /// The consumer group.
        group: Arc<str>,
        /// The message.
        message: Box<MessageIdentity>,
        /// What the listener said, or its last failure.
        reason: Arc<str>,
    },
    /// A message is given up without a dead letter: a broadcast consumer has none.
    #[non_exhaustive]
    MessageSkipped {
        /// The consumer group.
        group: Arc<str>,
        /// The message.
        message: Box<MessageIdentity>,
        /// What the listener said, or its last failure.
        reason: Arc<str>,
    },
    /// A listener panicked. The message comes again later.
    #[non_exhaustive]
    ListenerPanicked {
        /// The consumer group.
        group: Arc<str>,
        /// The message; of a batch, its first.
        message: Box<MessageIdentity>,
        /// The text of the panic.
        panic: Arc<str>,
    },
    /// A handler is over its time (`consume_timeout`); its token is cancelled.
    #[non_exhaustive]
    ListenerSlow {
        /// The consumer group.
        group: Arc<str>,
        /// The message; of a batch, its first.
        message: Box<MessageIdentity>,
        /// How long it has run.
        running_for: Duration,
    },
    /// A handler goes on although its time and the grace are over and it cannot be dropped: it blocks its thread. Its message is
    /// not delivered again while it runs. Told once for each handler.
    ///
    /// A handler must not block: `tokio::task::spawn_blocking` is the place for blocking calls. On a runtime with several threads
    /// the other handlers go on, with one thread less for each handler that blocks.
    #[non_exhaustive]
    ListenerStuck {
        /// The consumer group.
        group: Arc<str>,
        /// The message; of a batch, its first.
        message: Box<MessageIdentity>,
        /// How long it has run.
        running_for: Duration,
    },
    /// A queue made no progress for 30 s while its broker has more: it was restarted at its position. Told once, until
    /// [`QueueHealed`](Self::QueueHealed). A queue that is paused, throttled, waits for its lock, is refused or out of reach, or
    /// has a running handler is not stalled.
    #[non_exhaustive]
    QueueStalled {
        /// The consumer group.
        group: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// How long nothing has moved.
        stalled_for: Duration,
        /// The next offset to pull.
        pulled: i64,
        /// The offset behind the broker's last message.
        broker_max: i64,
    },
    /// A queue that was stalled moves again.
    #[non_exhaustive]
    QueueHealed {
        /// The consumer group.
        group: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// How long nothing had moved.
        after: Duration,
    },
    /// Messages have waited for 10 s and nothing takes them: the consumer has neither a listener nor a stream, its stream was
    /// dropped or is not polled, or the user of a pull consumer does not poll. They stay cached, within the limits, and
    /// unfinished. Told once, until something reads again.
    #[non_exhaustive]
    NobodyReads {
        /// The consumer group.
        group: Arc<str>,
        /// How many messages wait.
        waiting: usize,
        /// For how long.
        waiting_for: Duration,
    },
    /// A broker did not answer three times in a row. The consumer keeps its queues and goes on trying. Told once, until
    /// [`BrokerReachable`](Self::BrokerReachable).
    #[non_exhaustive]
    BrokerUnreachable {
        /// The consumer group.
        group: Arc<str>,
        /// The broker's name.
        broker: Arc<str>,
        /// How long ago the first failure was.
        silent_for: Duration,
    },
    /// A broker that was unreachable answers again.
    #[non_exhaustive]
    BrokerReachable {
        /// The consumer group.
        group: Arc<str>,
        /// The broker's name.
        broker: Arc<str>,
        /// How long it was away.
        after: Duration,
    },
    /// A route answer lacks brokers whose queues this consumer knows. Their queues are kept until another NameServer or a later
    /// answer agrees. Told once, until the route has them again or the queues are dropped.
    #[non_exhaustive]
    RouteDoubted {
        /// The consumer group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The brokers that are missing.
        brokers: Vec<Arc<str>>,
        /// The NameServer that answered.
        name_server: Arc<str>,
    },
    /// The consumer ends by itself, because it cannot heal: its group was deleted, or its rights were taken away. See
    /// [`wait`](crate::consumer::PushConsumer::wait).
    #[non_exhaustive]
    Ended {
        /// The consumer group.
        group: Arc<str>,
        /// Why.
        reason: MQClientError,
    },
    /// The lock of a queue may be lost: its connection ended, or it was not renewed in time. No handler starts before it is confirmed.
    #[non_exhaustive]
    LockAtRisk {
        /// The consumer group.
        group: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// How long ago the lock was last requested with success.
        age: Duration,
        /// Why.
        reason: Arc<str>,
    },
    /// Another member has the lock of a queue. Its messages are dropped and come to that member.
    #[non_exhaustive]
    LockLost {
        /// The consumer group.
        group: Arc<str>,
        /// The queue.
        queue: MessageQueue,
    },
    /// The lock of a queue is confirmed again.
    #[non_exhaustive]
    LockRegained {
        /// The consumer group.
        group: Arc<str>,
        /// The queue.
        queue: MessageQueue,
        /// How long it was in doubt.
        after: Duration,
    },
    /// A subscribed topic has no route, or its broker does not know it.
    #[non_exhaustive]
    TopicMissing {
        /// The consumer group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The answers of the servers.
        error: MQClientError,
    },
    /// Another member of the group wants other messages of a topic. A broker keeps one subscription for each topic of a group,
    /// so that each of the two misses messages. Told once for each change.
    #[non_exhaustive]
    SubscriptionsDiffer {
        /// The consumer group.
        group: Arc<str>,
        /// The topic.
        topic: Arc<str>,
        /// The expression of this member; `None`: it does not subscribe to the topic.
        ours: Option<Arc<str>>,
        /// The expression of the other member, likewise.
        theirs: Option<Arc<str>>,
        /// The client id of that member; of several, the id of any. `None`: the broker has the expression of a member that has
        /// left, or that does not tell its subscriptions.
        client_id: Option<Arc<str>>,
    },
    /// A broker does not say what the group subscribes to (request 203), mostly because an access list forbids it: different
    /// subscriptions go unnoticed. Told once.
    #[non_exhaustive]
    SubscriptionsUnchecked {
        /// The consumer group.
        group: Arc<str>,
        /// The broker's answer.
        error: MQClientError,
    },
    /// Another client of the group has the id of this client: both clients read the same queues, and no client reads the other
    /// queues. Give each client an `instance_name` of its own. A process whose machine went down keeps its place for up to two
    /// minutes; a successor with its id gets this event, too.
    #[non_exhaustive]
    DuplicateClientId {
        /// The consumer group.
        group: Arc<str>,
        /// The client id.
        client_id: Arc<str>,
        /// The broker that knows both.
        broker: Arc<str>,
        /// The addresses of the clients with this id, as the broker sees them; none if it does not tell.
        addresses: Vec<Arc<str>>,
    },
    /// A broadcast consumer could not write its offsets. The file keeps the older offsets, and the consumer tries again.
    #[non_exhaustive]
    OffsetsNotStored {
        /// The consumer group.
        group: Arc<str>,
        /// The file.
        path: PathBuf,
        /// Why.
        error: Arc<std::io::Error>,
    },
    /// The reader of the events was too slow: older events were dropped.
    #[non_exhaustive]
    Missed {
        /// The consumer group.
        group: Arc<str>,
        /// How many.
        count: u64,
    },
}
