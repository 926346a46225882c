use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use bytestring::ByteString;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::{Incoming, Start, SubscriptionSpec, Tag};
use crate::event::{Envelope, Pattern, Position};

/// The only place of each stream: one order holds for all its events.
pub(super) const PLACE: &str = "0";

/// A member of a group.
pub(super) type MemberId = u64;

/// All streams of a broker.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) streams: HashMap<ByteString, Stream>,
    last_number: u64,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) log: Vec<Arc<Message>>,
    pub(super) groups: HashMap<ByteString, Group>,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) envelope: Envelope,
    pub(super) body: Bytes,
    pub(super) position: Position,
    pub(super) stored: SystemTime,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    /// The next message of the log.
    cursor: usize,
    patterns: Vec<Pattern>,
    /// In the order of `Held::number`.
    ready: VecDeque<Held>,
    delayed: BTreeMap<(Instant, u64), Held>,
    out: HashMap<Tag, (MemberId, Held)>,
    pub(super) dead: BTreeMap<u64, Arc<Message>>,
}

#[derive(Debug)]
struct Held {
    number: u64,
    redeliveries: u32,
    message: Arc<Message>,
}

/// The next step of a member.
pub(super) enum Next {
    Delivery(Box<Incoming>),
    /// Nothing before this time, unless something changes.
    Wait(Option<Instant>),
}

impl State {
    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn append(&mut self, stream: &ByteString, envelope: Envelope, body: Bytes) -> Position {
        let log = &mut self.streams.entry(stream.clone()).or_default().log;
        let position = position(stream, PLACE, log.len() as u64);
        log.push(Arc::new(Message { envelope, body, position: position.clone(), stored: SystemTime::now() }));
        position
    }

    pub(super) fn join(&mut self, spec: &SubscriptionSpec) {
        let stream = self.streams.entry(spec.stream.clone()).or_default();
        let end = stream.log.len();
        let cursor = match spec.start {
            Start::Earliest => 0,
            Start::Latest => end,
            Start::At(time) => stream.log.partition_point(|message| message.stored < time),
        };
        let new = || Group { cursor, ..Group::default() };
        let group = stream.groups.entry(spec.group.clone()).or_insert_with(new);
        group.patterns.clone_from(&spec.patterns);
    }

    /// Puts a message into one group. False if the group does not exist.
    pub(super) fn append_to_group(&mut self, message: Message, group: &str, due: Option<Instant>) -> bool {
        let number = self.number();
        let stream = self.streams.get_mut(&message.position.stream);
        let Some(group) = stream.and_then(|stream| stream.groups.get_mut(group)) else { return false };
        let held = Held { number, redeliveries: 0, message: Arc::new(message) };
        match due {
            Some(due) => _ = group.delayed.insert((due, number), held),
            None => group.ready.push_back(held),
        }
        true
    }

    /// The next delivery of a member, which holds less than it may.
    pub(super) fn next(&mut self, spec: &SubscriptionSpec, member: MemberId, now: Instant) -> Next {
        let Self { streams, last_number } = self;
        let Some(stream) = streams.get_mut(&spec.stream) else { return Next::Wait(None) };
        let Some(group) = stream.groups.get_mut(&spec.group) else { return Next::Wait(None) };
        group.fill(&stream.log, now, last_number);
        let held_by_me = group.out.values().filter(|(owner, _)| *owner == member).count();
        if held_by_me >= spec.prefetch.max(1) {
            return Next::Wait(None);
        }
        let next_due = group.delayed.first_key_value().map(|((due, _), _)| *due);
        let Some(place) = group.first_free(member, spec.by_key) else { return Next::Wait(next_due) };
        let Some(held) = group.ready.remove(place) else { return Next::Wait(next_due) };
        *last_number += 1;
        let tag = Tag(*last_number);
        let incoming = Incoming {
            tag,
            envelope: held.message.envelope.clone(),
            body: held.message.body.clone(),
            position: held.message.position.clone(),
            redeliveries: held.redeliveries,
            revoked: CancellationToken::new(),
        };
        group.out.insert(tag, (member, held));
        Next::Delivery(Box::new(incoming))
    }

    pub(super) fn acknowledge(&mut self, spec: &SubscriptionSpec, tag: Tag) {
        if let Some(group) = self.group(spec) {
            group.out.remove(&tag);
        }
    }

    pub(super) fn release(&mut self, spec: &SubscriptionSpec, tag: Tag) {
        let Some(group) = self.group(spec) else { return };
        if let Some((_, held)) = group.out.remove(&tag) {
            group.put_back(held);
        }
    }

    /// All that the member holds is handed out again.
    pub(super) fn leave(&mut self, spec: &SubscriptionSpec, member: MemberId) {
        let Some(group) = self.group(spec) else { return };
        let tags: Vec<Tag> =
            group.out.iter().filter(|(_, (owner, _))| *owner == member).map(|(tag, _)| *tag).collect();
        for tag in tags {
            if let Some((_, mut held)) = group.out.remove(&tag) {
                held.redeliveries += 1;
                group.put_back(held);
            }
        }
    }

    fn group(&mut self, spec: &SubscriptionSpec) -> Option<&mut Group> {
        self.streams.get_mut(&spec.stream)?.groups.get_mut(&spec.group)
    }
}

impl Group {
    /// Moves to `ready` what the log has and what is due.
    fn fill(&mut self, log: &[Arc<Message>], now: Instant, last_number: &mut u64) {
        for message in &log[self.cursor.min(log.len())..] {
            if self.patterns.iter().any(|pattern| pattern.matches(&message.envelope.name)) {
                *last_number += 1;
                self.ready.push_back(Held {
                    number: *last_number,
                    redeliveries: 0,
                    message: message.clone(),
                });
            }
        }
        self.cursor = log.len();
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            *last_number += 1;
            let held = Held { number: *last_number, ..entry.remove() };
            self.ready.push_back(held);
        }
    }

    /// The first message that may go to this member: with `by_key`, its key is not out at another.
    fn first_free(&self, member: MemberId, by_key: bool) -> Option<usize> {
        if !by_key {
            return (!self.ready.is_empty()).then_some(0);
        }
        let others = self.out.values().filter(|(owner, _)| *owner != member);
        let taken: std::collections::HashSet<&ByteString> =
            others.filter_map(|(_, held)| held.message.envelope.key.as_ref()).collect();
        self.ready
            .iter()
            .position(|held| held.message.envelope.key.as_ref().is_none_or(|key| !taken.contains(key)))
    }

    /// Back to where it was, before everything that came later.
    fn put_back(&mut self, held: Held) {
        let place = self.ready.partition_point(|other| other.number < held.number);
        self.ready.insert(place, held);
    }
}

pub(super) fn position(stream: &ByteString, place: &str, offset: u64) -> Position {
    Position { stream: stream.clone(), place: place.into(), offset: Some(offset) }
}
