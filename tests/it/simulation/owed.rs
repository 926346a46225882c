//! What a group still has to do.

use std::collections::BTreeSet;

use rocketmq::model::{MessageExt, mix_all};

use super::checker::Record;
use super::damage;
use super::log::short;
use super::plan::{GROUP, Kind, Mode, OTHER, TOPIC};
use super::popping;
use super::world::World;

impl World {
    /// What the group still owes, by invariant.
    pub(super) fn unfinished(&self, due: &[(usize, u32)]) -> Vec<String> {
        let mut left = Vec::new();
        let is_broadcast = self.plan.mode == Mode::Broadcast;
        let letters = self.letters();
        let broken: BTreeSet<u32> = self.damaged().values().map(|(number, _)| *number).collect();
        for &(scope, number) in due {
            let may_die = self.plan.is_dead(number) || broken.contains(&number);
            let is_over = if is_broadcast && self.plan.is_dead(number) {
                self.log.is_skipped(scope, number)
            } else {
                self.log.is_done(scope, number) || (may_die && letters.contains(&number))
            };
            if !is_over {
                left.push(format!("S2: {number} is lost for {scope}"));
            }
        }
        if is_broadcast {
            return left;
        }
        let mut queues = BTreeSet::new();
        let mut topics = vec![TOPIC.to_owned()];
        match self.plan.kind {
            Kind::Push => topics.push(mix_all::retry_topic(GROUP)),
            Kind::Pull => {}
            Kind::Pop => topics.extend(popping::retry_topics().into_iter().take(1)),
        }
        topics.extend(self.wants_other().then(|| OTHER.to_owned()));
        for offsets in topics.iter().flat_map(|topic| self.cluster.queue_offsets(topic)) {
            let committed = self.cluster.committed_offset(GROUP, &offsets.queue);
            // A queue that never held anything needs no offset.
            let is_behind = committed != Some(offsets.max) && (committed.is_some() || offsets.max > 0);
            // Two members may own a queue for a moment when a network heals. One that commits by hand does not commit when it gives the
            // queue up, and the other has committed already.
            let is_behind = is_behind && (self.plan.calm || !self.plan.by_hand || committed.is_none());
            if is_behind {
                let queue = short(&offsets.queue);
                left.push(format!("L2: {queue} is committed to {committed:?} of {}", offsets.max));
            }
            queues.insert(offsets.queue);
        }
        if self.plan.kind == Kind::Pop {
            left.extend(self.unacknowledged());
            return left;
        }
        let mut owned: Vec<_> =
            self.members().iter().flat_map(|member| member.consumer.assignment()).collect();
        owned.sort_unstable();
        if owned.windows(2).any(|pair| pair[0] == pair[1]) {
            left.push("L2: a queue has two owners".to_owned());
        }
        if owned.into_iter().collect::<BTreeSet<_>>() != queues {
            left.push("L2: the members do not own all queues of the group, or others, too".to_owned());
        }
        left
    }

    /// The messages that must be delivered, each to a member or, in a group that shares them, to any (0).
    pub(super) fn due(&self) -> Vec<(usize, u32)> {
        let firsts = self.firsts.lock().unwrap().clone();
        let scopes: Vec<(usize, u32)> = if self.plan.mode == Mode::Broadcast {
            let alive: Vec<_> = self.members().iter().map(|member| member.id).collect();
            firsts.into_iter().filter(|(member, _)| alive.contains(member)).collect()
        } else {
            firsts.into_iter().take(1).map(|(_, number)| (0, number)).collect()
        };
        let numbers = self.stored();
        let due = |first: u32| numbers.iter().copied().filter(move |number| *number >= first);
        scopes.iter().flat_map(|(scope, first)| due(*first).map(|number| (*scope, number))).collect()
    }

    /// The messages that are dead letters. They are read again when there are more of them.
    fn letters(&self) -> BTreeSet<u32> {
        let topic = mix_all::dlq_topic(GROUP);
        let (count, mut known) = (self.cluster.message_count(&topic), self.letters.lock().unwrap());
        if count != known.0 {
            *known = (count, self.records(&topic).iter().map(|letter| letter.number).collect());
        }
        known.1.clone()
    }

    /// The messages that brokers have and the group wants.
    fn stored(&self) -> BTreeSet<u32> {
        let excused = self.log.skipped_by_resets();
        let lost = self.lost();
        let wanted = |record: &Record| {
            let is_excused = excused.get(&record.queue).is_some_and(|to| record.offset < *to)
                || lost.excuses(&record.queue, record.offset, record.number);
            self.plan.matches(record.number) && !is_excused
        };
        let mut numbers: BTreeSet<u32> =
            self.records(TOPIC).iter().filter(|record| wanted(record)).map(|record| record.number).collect();
        if self.wants_other() && self.plan.starts_first() {
            let others = self.records(OTHER).into_iter();
            let wanted = others.filter(|one| !lost.excuses(&one.queue, one.offset, one.number));
            numbers.extend(wanted.map(|record| record.number));
        }
        if self.plan.skips_damaged() {
            self.damaged().values().for_each(|(number, _)| _ = numbers.remove(number));
        }
        numbers
    }

    pub(super) fn records(&self, topic: &str) -> Vec<Record> {
        let damaged = self.damaged();
        let record = |message: MessageExt| {
            let (queue, offset) = (message.message_queue(), message.queue_offset());
            let origin = damage::origin(&message);
            let number = match &origin {
                Some(place) => damaged.get(place).map(|(number, _)| *number),
                None => str::from_utf8(message.body()).ok().and_then(|text| text.parse().ok()),
            };
            let number =
                number.unwrap_or_else(|| panic!("{offset} of {} is unreadable: {origin:?}", short(&queue)));
            let times = u32::try_from(message.reconsume_times()).unwrap();
            let reason = message.property("DLQ_REASON").map(str::to_owned);
            Record { queue, offset, number, times, reason, origin }
        };
        let place = |message: &MessageExt| (message.message_queue(), message.queue_offset());
        let whole = self.cluster.messages(topic).into_iter();
        let whole = whole.filter(|message| !damaged.contains_key(&place(message))).map(record);
        let broken = damaged.iter().filter(|((queue, _), _)| queue.topic() == topic);
        let broken = broken.map(|((queue, offset), (number, _))| Record {
            queue: queue.clone(),
            offset: *offset,
            number: *number,
            times: 0,
            reason: None,
            origin: None,
        });
        whole.chain(broken).collect()
    }
}
