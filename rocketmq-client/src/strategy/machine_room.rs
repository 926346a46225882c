use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rocketmq_common::MessageQueue;

use super::{AllocateError, AllocateMessageQueueStrategy, place_of};

/// Shares the queues of some machine rooms, and leaves all others alone. The room of a broker is the part of its name before
/// `@`: `room1@broker-a`. Java: `AllocateMessageQueueByMachineRoom`, `MACHINE_ROOM`.
///
/// ```
/// use rocketmq_client::consumer::strategy::{AllocateMessageQueueByMachineRoom, AllocateMessageQueueStrategy};
/// use rocketmq_client::model::MessageQueue;
///
/// let queues = [MessageQueue::new("Orders", "north@a", 0), MessageQueue::new("Orders", "south@a", 0)];
/// let strategy = AllocateMessageQueueByMachineRoom::new(["south"]);
/// let share = strategy.allocate("g", "a", &queues, &["a".to_owned()]).unwrap();
/// assert_eq!(share, queues[1..]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct AllocateMessageQueueByMachineRoom {
    rooms: BTreeSet<String>,
}

impl AllocateMessageQueueByMachineRoom {
    /// The rooms whose queues the group reads (Java: `consumeridcs`).
    pub fn new(rooms: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rooms: rooms.into_iter().map(Into::into).collect() }
    }
}

impl AllocateMessageQueueStrategy for AllocateMessageQueueByMachineRoom {
    fn name(&self) -> Cow<'_, str> {
        "MACHINE_ROOM".into()
    }

    fn allocate(
        &self,
        _group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        let Some(place) = place_of(me, members) else { return Ok(Vec::new()) };
        let in_rooms = |queue: &&MessageQueue| {
            let mut parts = queue.broker_name().split('@');
            let (room, broker, more) = (parts.next(), parts.next(), parts.next());
            broker.is_some() && more.is_none() && room.is_some_and(|room| self.rooms.contains(room))
        };
        let ours: Vec<&MessageQueue> = queues.iter().filter(in_rooms).collect();
        let (share, rest) = (ours.len() / members.len(), ours.len() % members.len());
        // Unlike the average, the rest comes from behind all equal shares.
        let equal = ours.iter().skip(place * share).take(share);
        let extra = ours.iter().skip(share * members.len() + place).take(usize::from(place < rest));
        Ok(equal.chain(extra).map(|queue| (*queue).clone()).collect())
    }
}

/// Tells in which machine room a broker or a member is. Java: `AllocateMachineRoomNearby.MachineRoomResolver`.
pub trait MachineRoomResolver: fmt::Debug + Send + Sync {
    /// The room of the broker of a queue. `None` makes the allocation fail.
    fn broker_deploy_in(&self, queue: &MessageQueue) -> Option<String>;

    /// The room of a member. `None` makes the allocation fail.
    fn consumer_deploy_in(&self, client_id: &str) -> Option<String>;
}

/// Shares the queues of each machine room among the members in that room; all members share the queues of a room without a
/// member. Within a room, another strategy decides. Java: `AllocateMachineRoomNearby`.
///
/// ```
/// use rocketmq_client::consumer::strategy::*;
/// use rocketmq_client::model::MessageQueue;
///
/// /// Names such as `north-1` begin with the room.
/// #[derive(Debug)]
/// struct Prefix;
///
/// impl MachineRoomResolver for Prefix {
///     fn broker_deploy_in(&self, queue: &MessageQueue) -> Option<String> {
///         queue.broker_name().split_once('-').map(|(room, _)| room.to_owned())
///     }
///
///     fn consumer_deploy_in(&self, client_id: &str) -> Option<String> {
///         client_id.split_once('-').map(|(room, _)| room.to_owned())
///     }
/// }
///
/// let queues = [MessageQueue::new("Orders", "north-1", 0), MessageQueue::new("Orders", "south-1", 0)];
/// let members = ["north-a".to_owned(), "south-a".to_owned()];
/// let nearby = AllocateMachineRoomNearby::new(AllocateMessageQueueAveragely, Prefix);
/// assert_eq!(nearby.allocate("g", "south-a", &queues, &members).unwrap(), queues[1..]);
/// ```
#[derive(Debug)]
pub struct AllocateMachineRoomNearby<S, R> {
    strategy: S,
    resolver: R,
}

impl<S: AllocateMessageQueueStrategy, R: MachineRoomResolver> AllocateMachineRoomNearby<S, R> {
    /// Shares by `strategy` within rooms that `resolver` tells.
    pub fn new(strategy: S, resolver: R) -> Self {
        Self { strategy, resolver }
    }
}

impl<S: AllocateMessageQueueStrategy, R: MachineRoomResolver> AllocateMessageQueueStrategy
    for AllocateMachineRoomNearby<S, R>
{
    fn name(&self) -> Cow<'_, str> {
        format!("MACHINE_ROOM_NEARBY-{}", self.strategy.name()).into()
    }

    fn allocate(
        &self,
        group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        if place_of(me, members).is_none() {
            return Ok(Vec::new());
        }
        let mut queues_of = BTreeMap::<String, Vec<MessageQueue>>::new();
        for queue in queues {
            let room = self.resolver.broker_deploy_in(queue).filter(|room| !room.is_empty());
            let room = room.ok_or_else(|| format!("no machine room for broker {}", queue.broker_name()))?;
            queues_of.entry(room).or_default().push(queue.clone());
        }
        let mut members_of = BTreeMap::<String, Vec<String>>::new();
        for member in members {
            let room = self.resolver.consumer_deploy_in(member).filter(|room| !room.is_empty());
            let room = room.ok_or_else(|| format!("no machine room for member {member}"))?;
            members_of.entry(room).or_default().push(member.clone());
        }
        let mut share = Vec::new();
        // As in Java, the queues of the own room come first.
        let mine = members_of.iter().find(|(_, members)| members.iter().any(|member| member == me));
        if let Some((room, neighbours)) = mine
            && let Some(near) = queues_of.get(room)
        {
            share.extend(self.strategy.allocate(group, me, near, neighbours)?);
        }
        for (_, abandoned) in queues_of.iter().filter(|(room, _)| !members_of.contains_key(*room)) {
            share.extend(self.strategy.allocate(group, me, abandoned, members)?);
        }
        Ok(share)
    }
}
