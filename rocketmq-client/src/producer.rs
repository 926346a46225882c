//! Sending messages.

mod default_mq_producer_impl;
mod permits;
mod prepared;
pub(crate) mod retry;
mod send_kernel;

use std::sync::Arc;
use std::time::Duration;

use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::model::{Message, SendResult};
use default_mq_producer_impl::DefaultMQProducerImpl;

/// Another name of [`Producer`], for readers who come from Java.
pub type DefaultMQProducer = Producer;

/// Sends messages to the brokers of a cluster.
///
/// A producer is a handle: clones share everything, and each method takes `&self`. It runs on the tokio runtime
/// in which [`start`](Self::start) was called. Messages are delivered at least once: after an error whose
/// [`outcome`](MQClientError::outcome) is *unknown*, a message that is sent again may arrive twice.
#[derive(Debug, Clone)]
pub struct Producer {
    inner: Arc<DefaultMQProducerImpl>,
}

impl Producer {
    /// A producer with these options, which `start` checks.
    pub fn new(option: ProducerOption) -> Self {
        Self { inner: Arc::new(DefaultMQProducerImpl::new(option)) }
    }

    /// Makes and starts a producer in one expression.
    pub fn builder(group: impl Into<String>) -> ProducerBuilder {
        let mut option = ProducerOption::default();
        option.set_group_name(group);
        ProducerBuilder { option }
    }

    /// Checks the options, makes sure that a NameServer answers, and starts the background duties. When it
    /// fails, or its future is dropped, the producer is as before and `start` may be called again.
    ///
    /// # Errors
    /// `InvalidOption`, `NameServerUnreachable`, `AlreadyStarted`, `ShutDown`, or `NoRuntime`.
    pub async fn start(&self) -> Result<(), MQClientError> {
        self.inner.start().await
    }

    /// Sends a message and waits until a broker has stored it, trying other brokers when one fails.
    ///
    /// The message keeps one id over all attempts. Dropping the future gives the message up: it may be stored
    /// or not.
    ///
    /// # Errors
    /// [`MQClientError::outcome`] tells whether the message may be stored all the same.
    pub async fn send(&self, message: Message) -> Result<SendResult, MQClientError> {
        self.inner.send(message).await
    }

    /// Sends a message without waiting for an answer: `Ok` means that its frame is in the write buffer, and
    /// nothing is known of what becomes of it. Dropping the future before that sends nothing.
    ///
    /// # Errors
    /// The message is illegal, or no broker could be reached within the send time-out: it was not sent.
    pub async fn send_oneway(&self, message: Message) -> Result<(), MQClientError> {
        self.inner.send_oneway(message).await
    }

    /// Stops taking messages, from all clones; waits for those in flight, at most for the send time-out; tells
    /// the brokers; closes the connections; and says what was left. A second call finds nothing to do. Dropping
    /// the future leaves the producer closed for new messages; call it again to finish.
    ///
    /// # Errors
    /// `NotStarted`.
    pub async fn shutdown(&self) -> Result<ShutdownReport, MQClientError> {
        self.inner.shutdown().await
    }
}

/// Options of a producer in the making.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct ProducerBuilder {
    option: ProducerOption,
}

impl ProducerBuilder {
    /// The NameServers, as `host:port;host:port`.
    pub fn name_server_addr(mut self, addresses: impl Into<String>) -> Self {
        self.option.set_name_server_addr(addresses);
        self
    }

    /// Sets any other option.
    pub fn option(mut self, change: impl FnOnce(&mut ProducerOption)) -> Self {
        change(&mut self.option);
        self
    }

    /// The started producer; see [`Producer::start`].
    ///
    /// # Errors
    /// As [`Producer::start`].
    pub async fn start(self) -> Result<Producer, MQClientError> {
        let producer = Producer::new(self.option);
        producer.start().await?;
        Ok(producer)
    }
}

/// What a shutdown left behind.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Sends that had no outcome when their time was over; each of them has failed by now.
    pub unfinished_sends: u32,
    /// Brokers that could not be told that this producer leaves; they notice when the connection closes.
    pub brokers_not_told: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl ShutdownReport {
    /// Whether nothing was left.
    pub fn is_clean(&self) -> bool {
        self.unfinished_sends == 0 && self.brokers_not_told.is_empty()
    }
}
