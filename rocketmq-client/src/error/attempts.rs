use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::ResponseCode;

/// What one NameServer said, or why it said nothing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NameServerAnswer {
    /// The NameServer's address.
    pub address: Arc<str>,
    /// Its answer, or the failure to get one, with its causes.
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
    /// The queue that was chosen.
    pub queue: MessageQueue,
    /// The broker's address, as it was dialled.
    pub address: Arc<str>,
    /// The address that the broker advertises: another one if an address translator changed it.
    pub advertised: Arc<str>,
    /// The NameServer whose route has that address.
    pub name_server: Arc<str>,
    /// How long it took.
    pub took: Duration,
    /// The broker's response code, if it answered.
    pub code: Option<ResponseCode>,
    /// What went wrong, with its causes.
    pub error: String,
    /// Whether the broker may have stored the message.
    pub maybe_stored: bool,
    /// There was no connection.
    pub(crate) not_connected: bool,
}

impl Attempt {
    /// Where the address came from. Brokers advertise an address of their own choice, which is wrong behind containers
    /// and tunnels.
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

/// What happened to a send and where its time went.
#[derive(Debug, Clone, Default)]
pub struct SendReport {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) waited_for_permits: Duration,
    pub(crate) waited_for_batch: Duration,
    pub(crate) prepared: Duration,
    pub(crate) waited_for_route: Duration,
    /// The send was given up from outside, in the middle of whatever it was doing.
    pub(crate) given_up: bool,
    /// The last attempt went to a queue that the topic lost. Another queue may be there.
    pub(crate) lost_queue: bool,
}

impl SendReport {
    /// The attempts, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Where the address came from that could not be dialled, if that was the end of it.
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

    /// Time spent waiting for other messages to go with (option `auto_batch`).
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
