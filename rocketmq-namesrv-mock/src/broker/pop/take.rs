//! Takes messages off queues.

use bytes::{Bytes, BytesMut};
use rocketmq_common::MessageQueue;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::is_retry_topic;
use rocketmq_common::record::{RecordFields, encode_record};
use rocketmq_remoting::net::random;
use rocketmq_remoting::protocol::header::PopMessageFields;

use super::checks::Allowed;
use super::handle::{ORDERED, kind_of, retry_topic};
use super::revive::remind;
use crate::broker::filters::MessageFilter;
use crate::broker::records::read::{Found, Room, Status, read};
use crate::broker::state::pops::{Batch, Checkpoint, CheckpointKey, Event, Hidden, QueueKey};
use crate::broker::state::{Broker, Obeyed, State};
use crate::store::{ConsumeQueue, decode_stored, property_entries, with_properties};

/// Queues of Java's topic of pop records; pops use them in turn.
const REVIVE_QUEUES: i32 = 8;

/// Java: `ConsumeInitMode.MIN`.
const INIT_MIN: i32 = 0;

/// A pop.
pub(crate) struct Pop<'a> {
    topic: &'a str,
    group: &'a str,
    queue_id: i32,
    queues: i32,
    max_msg_nums: usize,
    init_mode: i32,
    attempt_id: Option<&'a str>,
    filter: MessageFilter,
    /// Of a hundred pops so many take the queues by priority.
    priority_factor: u64,
    obeyed: Obeyed,
    pub(crate) is_ordered: bool,
    /// Milliseconds since 1970.
    pub(crate) pop_time: i64,
    pub(crate) invisible_time: i64,
    pub(crate) revive_queue_id: i32,
}

/// The popped messages.
#[derive(Debug, Default)]
pub(crate) struct Popped {
    pub(crate) records: Vec<Bytes>,
    /// The number of messages left.
    pub(crate) rest: i64,
    pub(crate) start_offsets: String,
    pub(crate) message_offsets: String,
    pub(crate) order_counts: String,
    /// For the history, if it is on: the queues with the offsets of the messages.
    pub(crate) taken: Vec<(MessageQueue, Vec<i64>)>,
}

impl<'a> Pop<'a> {
    pub(crate) fn new(
        broker: &Broker,
        state: &mut State,
        fields: &'a PopMessageFields<'_>,
        allowed: &Allowed<'a>,
        filter: MessageFilter,
    ) -> Self {
        let is_ordered = fields.order.unwrap_or(false);
        let turn = state.pops.pop_count;
        let revive_queue_id = if is_ordered {
            ORDERED
        } else {
            state.pops.pop_count = turn.wrapping_add(1);
            turn.rem_euclid(REVIVE_QUEUES)
        };
        Self {
            topic: allowed.topic,
            group: allowed.group,
            queue_id: fields.queue_id.unwrap_or(0),
            queues: allowed.queues,
            max_msg_nums: usize::try_from(fields.max_msg_nums.unwrap_or(0)).unwrap_or(0),
            init_mode: fields.init_mode.unwrap_or(0),
            attempt_id: fields.attempt_id.as_deref(),
            filter,
            priority_factor: if is_ordered { 0 } else { allowed.priority_factor },
            obeyed: broker.obeyed(),
            is_ordered,
            pop_time: broker.now_ms(),
            invisible_time: fields.invisible_time.unwrap_or(0),
            revive_queue_id,
        }
    }

    /// Takes messages off the queues. Some pops start with the retry topic; otherwise it fills up the rest. A pop by
    /// priority takes the queues in order, any other pop starts with a random queue.
    pub(crate) fn take(&self, broker: &Broker, state: &mut State) -> Popped {
        let mut popped = Popped::default();
        let chance = random() % 100;
        let by_priority = chance < self.priority_factor;
        let (first, retry_chance) = match by_priority {
            true => (0, self.obeyed.retry_first_by_priority),
            // A number below a hundred.
            false => (chance as i32, self.obeyed.retry_first),
        };
        let retry_first = chance < retry_chance;
        let retry = retry_topic(self.topic, self.group);
        let retry_queues = state.topics.get(&retry).map_or(0, |topic| topic.config.read_queue_nums);
        let take_all = |state: &mut State, popped: &mut Popped, topic: &str, queues: i32| {
            for index in 0..queues {
                let index = if self.obeyed.highest_queue_first { queues - 1 - index } else { index };
                let queue_id = (first + index) % queues;
                self.take_from(broker, state, topic, queue_id, popped);
            }
        };
        if retry_first && !self.is_ordered {
            take_all(state, &mut popped, &retry, retry_queues);
        }
        if self.queue_id < 0 {
            take_all(state, &mut popped, self.topic, self.queues);
        } else {
            self.take_from(broker, state, self.topic, self.queue_id, &mut popped);
        }
        if !retry_first && !self.is_ordered && popped.records.len() < self.max_msg_nums {
            take_all(state, &mut popped, &retry, retry_queues);
        }
        popped
    }

    fn take_from(&self, broker: &Broker, state: &mut State, topic: &str, queue_id: i32, popped: &mut Popped) {
        let key = QueueKey::new(topic, self.group, queue_id);
        let start = match state.offsets.take_reset(topic, self.group, queue_id) {
            Some(offset) => self.moved_to(state, &key, offset),
            None => self.start_offset(state, &key),
        };
        if self.is_ordered {
            let orders = &mut state.pops.orders;
            if orders.is_blocked(&key, self.attempt_id, self.invisible_time, self.pop_time) {
                return;
            }
        }
        let room = self.max_msg_nums.saturating_sub(popped.records.len());
        if room == 0 {
            popped.rest += queue(state, &key).max_offset() - start;
            return;
        }
        let mut found = self.look(state, &key, start, room);
        if matches!(found.status, Status::OffsetTooSmall | Status::OffsetOverflowBadly) {
            let next = found.next_begin_offset;
            state.offsets.commit(topic, self.group, queue_id, next);
            found = self.look(state, &key, next, room);
        }
        popped.rest += found.max_offset - found.next_begin_offset;
        let is_found = found.status == Status::Found;
        if is_found && self.is_ordered {
            self.note_batch(broker, state, &key, start, &found, popped);
        } else if is_found {
            self.note_checkpoint(broker, state, &key, start, &found);
        }
        if is_found {
            self.count(state, topic, &found);
            self.tell(broker, state, &key, start, &found, popped);
        }
        if found.status == Status::NoMatchedMessage || is_found && !self.is_ordered {
            // Apache's broker commits some milliseconds later.
            state.offsets.commit(topic, self.group, queue_id, found.next_begin_offset);
        }
    }

    /// Applies a reset: the group continues at `offset` and forgets its earlier batch.
    fn moved_to(&self, state: &mut State, key: &QueueKey, offset: i64) -> i64 {
        state.pops.orders.unblock(key);
        state.offsets.commit(&key.topic, self.group, key.queue_id, offset);
        offset
    }

    /// The offset to continue from; for a new group the offset to start at.
    fn start_offset(&self, state: &mut State, key: &QueueKey) -> i64 {
        let QueueKey { topic, group, queue_id } = key;
        state.offsets.get(topic, group, *queue_id).unwrap_or_else(|| {
            let offset = self.first_offset(state, key);
            state.offsets.commit(topic, group, *queue_id, offset);
            offset
        })
    }

    /// The offset at which a group starts. A queue that still has all its messages is read from its start, whatever the
    /// request says.
    fn first_offset(&self, state: &State, key: &QueueKey) -> i64 {
        let (min, max) = queue(state, key).range();
        let from_start = self.init_mode == INIT_MIN || is_retry_topic(&key.topic);
        if from_start || min == 0 && max > 0 { min } else { (max - 1).max(0) }
    }

    fn look(&self, state: &State, key: &QueueKey, offset: i64, room: usize) -> Found {
        let Obeyed { max_transfer_count: max_count, max_transfer_bytes: max_bytes, .. } = self.obeyed;
        let room = Room { wanted: room, max_count, max_bytes };
        read(queue(state, key), &state.log, offset, room, &self.filter)
    }

    fn note_checkpoint(&self, broker: &Broker, state: &mut State, key: &QueueKey, start: i64, found: &Found) {
        let open = found.messages.iter().map(|(offset, _)| *offset).collect();
        let Self { pop_time, invisible_time, .. } = *self;
        let point = CheckpointKey { queue: key.clone(), start_offset: start, pop_time, invisible_time };
        state.pops.checkpoints.add(point.clone(), Checkpoint { open, is_suspended: false });
        remind(broker, state, point.end_ms(), Event::Revive(point));
    }

    fn note_batch(
        &self,
        broker: &Broker,
        state: &mut State,
        key: &QueueKey,
        start: i64,
        found: &Found,
        popped: &mut Popped,
    ) {
        let mut batch = Batch::default();
        batch.attempt_id = self.attempt_id.map(str::to_owned);
        batch.pop_time = self.pop_time;
        batch.invisible_time = self.invisible_time;
        batch.messages = found.messages.iter().map(|(offset, _)| Hidden::new(*offset)).collect();
        let (counts, least) = state.pops.orders.update(key, batch);
        let (kind, queue_id) = (kind_of(&key.topic), key.queue_id);
        for (offset, count) in counts {
            add(&mut popped.order_counts, &format!("{kind} qo{queue_id}%{offset} {count}"));
        }
        add(&mut popped.order_counts, &format!("{kind} {queue_id} {least}"));
        state.offsets.commit(&key.topic, self.group, queue_id, start);
        let end_ms = self.pop_time.saturating_add(self.invisible_time);
        remind(broker, state, end_ms, Event::Unblock(key.clone()));
    }

    fn count(&self, state: &mut State, topic: &str, found: &Found) {
        let records = found.messages.iter().filter_map(|(_, number)| state.log.record(*number));
        let bytes = records.map(Bytes::len).sum();
        state.figures.get(self.pop_time, topic, self.group, found.messages.len(), bytes);
        if !self.is_ordered {
            state.figures.checkpoint(self.pop_time, self.topic, self.group);
        }
    }

    /// Adds the messages and their handles to the answer.
    fn tell(
        &self,
        broker: &Broker,
        state: &State,
        key: &QueueKey,
        start: i64,
        found: &Found,
        popped: &mut Popped,
    ) {
        let (kind, queue_id) = (kind_of(&key.topic), key.queue_id);
        add(&mut popped.start_offsets, &format!("{kind} {queue_id} {start}"));
        let offsets: Vec<_> = found.messages.iter().map(|(offset, _)| offset.to_string()).collect();
        add(&mut popped.message_offsets, &format!("{kind} {queue_id} {}", offsets.join(",")));
        if broker.recorder.is_on() {
            let offsets = found.messages.iter().map(|(offset, _)| *offset).collect();
            popped.taken.push((broker.queue(&key.topic, queue_id), offsets));
        }
        for (offset, number) in &found.messages {
            let Some(record) = state.log.record(*number) else { continue };
            if *key.topic == *self.topic {
                popped.records.push(record.clone());
                continue;
            }
            let handle = format!(
                "{start} {} {} {} {kind} {} {queue_id} {offset}",
                self.pop_time,
                self.invisible_time,
                self.revive_queue_id,
                broker.name()
            );
            popped.records.extend(relabelled(record, self.topic, &handle));
        }
    }
}

/// The queue to read.
pub(crate) fn queue<'a>(state: &'a State, key: &QueueKey) -> &'a ConsumeQueue {
    state.topics.get(&key.topic).map_or(ConsumeQueue::EMPTY, |topic| topic.queue_or_empty(key.queue_id))
}

fn add(list: &mut String, entry: &str) {
    if !list.is_empty() {
        list.push(';');
    }
    list.push_str(entry);
}

/// A message of a retry topic under its first topic, with its handle.
fn relabelled(record: &Bytes, topic: &str, handle: &str) -> Option<Bytes> {
    let message = decode_stored(record)?;
    let wire = message.properties().as_wire();
    let is_named = property_entries(wire).any(|(name, _)| name == names::PROPERTY_POP_CK);
    let added = (!is_named).then_some((names::PROPERTY_POP_CK, handle));
    let properties = with_properties(wire, added.into_iter(), &[]);
    let (header, flag) = (message.header(), message.flag());
    let fields = RecordFields { header, flag, topic, body: message.body(), properties: &properties };
    let mut bytes = BytesMut::with_capacity(fields.record_len());
    encode_record(&fields, &mut bytes).ok()?;
    Some(bytes.freeze())
}
