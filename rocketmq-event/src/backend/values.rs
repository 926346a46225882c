use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use bytestring::ByteString;
use tokio_util::sync::CancellationToken;

use super::Notices;
use crate::event::{Envelope, Pattern, Position};

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Destination {
    /// To all groups of a stream: RocketMQ or Kafka topic, RabbitMQ topic exchange.
    Stream(ByteString),
    /// To this group of the stream alone, not before the delay is over: retries and replays.
    Group {
        /// The stream that the group reads.
        stream: ByteString,
        /// The group.
        group: ByteString,
        /// How long the broker keeps it. Brokers with fixed delays round up.
        delay: Duration,
    },
    /// To the dead letters of this group.
    Dead {
        /// The stream that the group reads.
        stream: ByteString,
        /// The group.
        group: ByteString,
    },
}

impl Destination {
    /// The stream that the destination belongs to.
    pub fn stream(&self) -> &ByteString {
        match self {
            Self::Stream(stream) | Self::Group { stream, .. } | Self::Dead { stream, .. } => stream,
        }
    }

    /// The bytes that an event leaves free among its headers: its copies after a failure need them for the
    /// [`FailureRecord`](crate::event::FailureRecord). Without them an event could be stored, and neither be tried again nor become a dead letter.
    #[cfg_attr(not(any(feature = "rocketmq", feature = "rabbitmq", feature = "kafka")), allow(dead_code))]
    pub(super) fn reserve(&self) -> usize {
        if matches!(self, Self::Stream(_)) { 4_096 } else { 0 }
    }
}

/// A message on its way to the broker.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where it goes.
    pub destination: Destination,
    /// The attributes beside the payload: the name is the routing key, the key decides over the order.
    pub envelope: Envelope,
    /// The payload.
    pub body: Bytes,
}

/// The broker's receipt for a stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it lies.
    pub position: Position,
    /// How sure that is.
    pub durability: Durability,
}

/// How sure it is that an event stays after the broker said that it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// The broker did all that its configuration asks for.
    AsConfigured,
    /// Stored, and less sure than the broker is configured: a flush or a replica is late.
    Weaker,
    /// In the memory of this process.
    Memory,
}

/// Names a delivery to the source that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u64);

/// A message from the broker.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Names the delivery.
    pub tag: Tag,
    /// The attributes beside the payload; see [`Attributes::read`](crate::event::Attributes::read) for messages of other publishers.
    pub envelope: Envelope,
    /// The payload as it was stored.
    pub body: Bytes,
    /// Where it was read.
    pub position: Position,
    /// How often the broker has handed this copy out before, to members that died. 0 where the broker does not count deliveries.
    pub redeliveries: u32,
    /// Cancelled when this member does not own the delivery any longer: another may be handling it.
    pub revoked: CancellationToken,
}

/// A membership of a group.
#[derive(Debug, Clone)]
pub struct SubscriptionSpec {
    /// The stream.
    pub stream: ByteString,
    /// The group.
    pub group: ByteString,
    /// The names that the group wants. The broker filters if it can, and the source if it cannot: `next` returns no other. Messages
    /// for [`Destination::Group`] come whatever their name is.
    pub patterns: Vec<Pattern>,
    /// Where a new group begins.
    pub start: Start,
    /// Deliveries that may be unsettled at a time, at least 1.
    pub prefetch: usize,
    /// Events with equal keys must not be out at two members at the same time, as far as
    /// [`Abilities::orders_across_members`] goes.
    pub by_key: bool,
    /// Where to tell what happens to the connection.
    pub notices: Notices,
}

impl SubscriptionSpec {
    /// Whether an event of this name is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}

/// Where a group that the broker does not know yet begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// With the oldest event that the stream still has.
    Earliest,
    /// With what is published from now on.
    #[default]
    Latest,
    /// With the first event that was stored at this time or later.
    At(SystemTime),
}

/// Offsets of places: where to read on, for each place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(pub BTreeMap<ByteString, u64>);

impl Positions {
    /// The oldest message of each place.
    pub fn beginning() -> Self {
        Self::default()
    }

    /// Whether these positions are at or behind all of `ends`.
    pub fn have_reached(&self, ends: &Self) -> bool {
        ends.0.iter().all(|(place, end)| *end == 0 || self.0.get(place).is_some_and(|at| at >= end))
    }
}

/// The abilities of a broker. The tests of conformance name the missing ones, and `docs/events.md` says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// The word before `:` in addresses.
    pub name: &'static str,
    /// A message that no queue takes is refused: `NoRoute`. Elsewhere a stream keeps events that no group reads yet.
    pub routes: bool,
    /// A new group can begin with events that were published before it existed.
    pub starts_in_the_past: bool,
    /// A stream can be read without a group, from any position, behind [`Backend::ensure_log`](super::Backend::ensure_log).
    pub log: bool,
    /// Receipts and deliveries tell offsets.
    pub numbers: bool,
    /// Equal keys keep their order in a group of several members.
    pub orders_across_members: bool,
    /// The broker counts deliveries to members that died.
    pub counts_redeliveries: bool,
    /// A released delivery comes again at once, and not only when its place moves.
    pub releases_at_once: bool,
    /// The largest body in bytes; a larger one is `TooLarge`.
    pub max_body: usize,
    /// Delays are kept to this: a delay is rounded up to one of these steps. Empty: any delay.
    pub delay_steps: &'static [Duration],
    /// Messages survive the end of the broker's process.
    pub durable: bool,
}

impl Abilities {
    /// The delay that the broker makes of this one.
    pub fn rounded(&self, delay: Duration) -> Duration {
        if delay.is_zero() || self.delay_steps.is_empty() {
            return delay;
        }
        let fitting = self.delay_steps.iter().copied().find(|step| *step >= delay);
        fitting.or(self.delay_steps.last().copied()).unwrap_or(delay)
    }
}
