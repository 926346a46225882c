use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::ResponseCode;

/// The answer of one NameServer, or why there is none.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NameServerAnswer {
    /// The NameServer's address.
    pub address: Arc<str>,
    /// Its answer, or the error with its causes.
    pub said: String,
}

impl fmt::Display for NameServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} said \"{}\"", self.address, self.said)
    }
}

/// One attempt to hand a message to a broker.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The chosen queue.
    pub queue: MessageQueue,
    /// The address that was dialled.
    pub address: Arc<str>,
    /// The address that the broker advertises; differs if an address translator changed it.
    pub advertised: Arc<str>,
    /// The NameServer whose route has this address.
    pub name_server: Arc<str>,
    /// The time that the attempt took.
    pub took: Duration,
    /// The broker's response code, if it answered.
    pub code: Option<ResponseCode>,
    /// The error, with its causes.
    pub error: String,
    /// Whether the broker may have stored the message.
    pub maybe_stored: bool,
    /// There was no connection.
    pub(crate) not_connected: bool,
}

impl Attempt {
    /// The origin of the address, for error messages. Brokers advertise an address of their own choice, which is often
    /// wrong behind containers and tunnels.
    fn origin(&self) -> String {
        let Self { address, advertised, name_server, .. } = self;
        let dialled = if address == advertised {
            String::new()
        } else {
            format!(", which the address translator made {address}")
        };
        format!("; NameServer {name_server} says that it is at {advertised}{dialled}")
    }
}

/// The course of a send, and where its time went.
#[derive(Debug, Clone, Default)]
pub struct SendReport {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) waited_for_permits: Duration,
    pub(crate) waited_for_batch: Duration,
    pub(crate) prepared: Duration,
    pub(crate) waited_for_route: Duration,
    /// The send was stopped from outside at an unknown step.
    pub(crate) given_up: bool,
    /// The last attempt went to a queue that the topic lost. Another queue may be there.
    pub(crate) lost_queue: bool,
}

impl SendReport {
    /// The attempts, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The origin of the last address, if the last attempt failed at dialling.
    pub(super) fn dialled(&self) -> String {
        match self.attempts.last() {
            Some(attempt) if attempt.not_connected => attempt.origin(),
            _ => String::new(),
        }
    }

    /// Whether a broker may have stored the message.
    pub fn maybe_stored(&self) -> bool {
        self.given_up || self.attempts.iter().any(|attempt| attempt.maybe_stored)
    }

    /// Time spent waiting for permits of the client's own limits.
    pub fn waited_for_permits(&self) -> Duration {
        self.waited_for_permits
    }

    /// Time spent waiting for other messages of a batch (option `auto_batch`).
    pub fn waited_for_batch(&self) -> Duration {
        self.waited_for_batch
    }

    /// Time spent on validation and compression.
    pub fn prepared(&self) -> Duration {
        self.prepared
    }

    /// Time spent on looking up the route.
    pub fn waited_for_route(&self) -> Duration {
        self.waited_for_route
    }
}
