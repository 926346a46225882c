//! Receiving messages: a [`PushConsumer`] hands them to a listener, or is read as a stream; a [`PullConsumer`] is polled.
//!
//! | to find | look in |
//! |---|---|
//! | a consumer: subscribing, starting, suspending, shutting down | [`PushConsumer`], [`PushConsumerBuilder`], `MQClient::push_consumer` |
//! | polling for messages, seeking, queues that you name | [`PullConsumer`], `MQClient::pull_consumer` |
//! | its options, each with range and default | [`ConsumerOption`] |
//! | what a listener returns | [`ConsumeOutcome`], [`OrderlyOutcome`], [`BatchOutcome`]; any error by `?` is a [`ConsumeFailure`] |
//! | what a listener is told: attempts, the token that says when to stop | [`ConsumeContext`] |
//! | listeners that are types, and listeners of single topics | [`MessageListenerConcurrently`], [`MessageListenerOrderly`], [`MessageListenerBatch`]; [`MessageListener`] |
//! | messages as a stream | [`PushConsumer::messages`], [`MessageStream`], [`Delivery`] |
//! | tags and SQL92 | [`MessageSelector`] |
//! | probes, the state of each queue, lag | [`ConsumerHealth`], [`QueueState`] |
//! | what happened: dead letters, lost brokers, rebalances | [`ConsumerEvent`], [`ConsumerEvents`] |
//! | counters | [`ConsumerStats`]; with the feature `metrics`, the module `metrics` |
//! | what a shutdown left | [`ConsumerShutdownReport`] |
//!
//! A test of a listener needs no server: call it with [`ConsumeContext::new`]. A test of a consumer uses the mock cluster
//! (`examples/test_a_service.rs`).

// Rooms from bottom to top:
//
// - `listener`: what handles messages, what it returns, and what it is told
// - `subscription`: which messages of a topic a consumer wants
// - `watch`: events, health, counters, the report of a shutdown
// - `strategy`: which member of a group reads which queues; a room of the crate's root, for the options
// - `window`: the cached messages of one queue, the lowest unfinished offset, the memory that they pin
// - `position`: where a queue starts, and when its position may move
// - `pop`: popped messages: handles, until when they are hidden, acknowledgements
// - `pull`: what the answer to a pull means, and whether a queue may pull
// - `offsets`: which offsets have to be committed
// - `lock`: how long the lock on a queue holds
// - `rebalance`: which queues to release and to take, and when to look
// - `member`: what the drivers of a running consumer share
// - `agreement`: whether the members of the group have equal subscriptions
// - `retry`: what becomes of a message that failed
// - `stream`: messages as a stream, and how a reader settles them
// - `dispatch`: hands messages to listeners and streams
// - `inner`: the working part of push and pull consumers
// - `push`: the push consumer
// - `lite_pull`: the pull consumer

mod agreement;
mod dispatch;
mod inner;
mod listener;
mod lite_pull;
mod lock;
mod member;
mod offsets;
mod pop;
mod position;
mod pull;
mod push;
mod rebalance;
mod retry;
mod stream;
mod subscription;
mod watch;
mod window;

pub use crate::conf::{ConsumeFromWhere, ConsumerOption, MessageModel, Undecodable};
/// The parts of what [`PushConsumer::consumer_running_info`] returns.
pub use rocketmq_remoting::protocol::body::{
    ConsumeStatus, ConsumeType, ConsumerRunningInfo, PopProcessQueueInfo, ProcessQueueInfo, SubscriptionData,
};

pub use listener::{
    BatchOutcome, BatchResult, BoxFuture, CancelToken, ConsumeContext, ConsumeFailure, ConsumeOutcome,
    ConsumeResult, IntoOutcome, MessageListener, MessageListenerBatch, MessageListenerConcurrently,
    MessageListenerOrderly, OrderlyOutcome, OrderlyResult,
};
/// Another name of [`PullConsumer`], for readers who come from Java.
pub use lite_pull::PullConsumer as DefaultLitePullConsumer;
pub use lite_pull::{PullConsumer, PullConsumerBuilder, PullConsumerHandle};
/// Another name of [`PushConsumer`], for readers who come from Java.
pub use push::PushConsumer as DefaultMQPushConsumer;
pub use push::{PushConsumer, PushConsumerBuilder};
pub(crate) use retry::{DLQ_ORIGIN_BROKER, DLQ_REASON};
pub use stream::{Acker, Delivery, MessageStream};
pub use subscription::MessageSelector;
pub(crate) use subscription::Subscription;
pub use watch::{
    ConsumerEvent, ConsumerEvents, ConsumerHealth, ConsumerShutdownReport, ConsumerStats, MessageIdentity,
    QueueHealth, QueueState, Throttle,
};

/// How the queues of a topic are shared among the members of a group.
pub mod strategy {
    #[doc(inline)]
    pub use crate::strategy::*;
}
