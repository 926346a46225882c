//! Stored records that are damaged: each costs itself only, and becomes a dead letter or is skipped, as the group wants.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq::consumer::Undecodable;
use rocketmq::model::{MessageExt, MessageQueue};
use rocketmq_namesrv_mock::RecordDamage;

use super::checker::Record;
use super::dice::Dice;
use super::log::short;
use super::plan::{Filter, GROUP, Kind, Mode, Plan, Step, TOPIC};
use super::world::World;

/// By place, the messages whose records are damaged, and since when.
pub(super) type Damaged = BTreeMap<(MessageQueue, i64), (u32, Duration)>;

impl Plan {
    /// A plan in which records are damaged before they are read.
    pub(super) fn damaged(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x4441_4d41);
        let dice = &mut dice;
        let mut plan = match dice.range(0..=9) {
            0..=5 => Self::new(seed),
            6 | 7 => Self::pulling(seed),
            _ => Self::popping(seed),
        };
        plan.undecodable = match plan.mode {
            Mode::Broadcast => Undecodable::Skip,
            _ => dice.pick(&[Undecodable::DeadLetter, Undecodable::DeadLetter, Undecodable::Skip]),
        };
        plan.early += dice.range(0..=30) as u32;
        let length = plan.steps.last().map_or(1, |(at, _)| at.as_millis() as u64);
        // Members that get few messages at a time leave others to damage.
        plan.threshold = plan.threshold.min(20);
        for _ in 0..dice.range(2..=20) {
            plan.steps.push((dice.ms(1..=length), Step::Damage(dice.next())));
        }
        plan.steps.sort_by_key(|(at, _)| *at);
        plan
    }

    /// What can happen to a record. Only with a readable header its offset is known for sure behind a filter; a broker that copies a
    /// popped message to have it come again needs the header, too, and would give a damaged body the checksum that matches.
    fn damages(&self) -> &'static [RecordDamage] {
        match self.filter {
            Filter::All if self.kind != Kind::Pop => {
                &[RecordDamage::Crc, RecordDamage::Magic, RecordDamage::Size]
            }
            _ => &[RecordDamage::Crc],
        }
    }

    pub(super) fn skips_damaged(&self) -> bool {
        self.undecodable == Undecodable::Skip
    }
}

impl World {
    /// Damages some of the messages that are stored before members come.
    pub(super) fn damage_early(&self) {
        let mut dice = Dice::new(self.plan.seed ^ 0x4541_524c);
        let count = self.plan.steps.iter().filter(|(_, step)| matches!(step, Step::Damage(_))).count();
        (0..count / 2).for_each(|_| self.damage(dice.next()));
    }

    /// Damages a record that the group has not committed.
    pub(super) fn damage(&self, draw: u64) {
        let mut dice = Dice::new(draw);
        let queues = self.cluster.queue_offsets(TOPIC);
        let bounds = &queues[dice.range(0..=queues.len() as u64 - 1) as usize];
        let committed = self.cluster.committed_offset(GROUP, &bounds.queue).unwrap_or(bounds.min);
        if committed >= bounds.max {
            return;
        }
        let open = (bounds.max - committed).unsigned_abs() - 1;
        let place = (bounds.queue.clone(), committed + dice.range(0..=open).cast_signed());
        let how = dice.pick(self.plan.damages());
        let known = self
            .records(TOPIC)
            .into_iter()
            .find(|record| (&record.queue, record.offset) == (&place.0, place.1));
        let Some(Record { number, .. }) = known.filter(|_| !self.damaged().contains_key(&place)) else {
            return;
        };
        if self.cluster.damage_record(&place.0, place.1, how).unwrap() {
            self.log.note(format_args!("{number} is damaged, {how:?}: {} of {}", place.1, short(&place.0)));
            self.damaged().insert(place, (number, self.log.now()));
        }
    }
}

/// Where the record was stored that is the body of this dead letter.
pub(super) fn origin(letter: &MessageExt) -> Option<(MessageQueue, i64)> {
    let property = |name: &str| letter.property(name);
    let queue_id = property("DLQ_ORIGIN_QUEUE_ID")?.parse().ok()?;
    let queue = MessageQueue::new(property("DLQ_ORIGIN_TOPIC")?, property("DLQ_ORIGIN_BROKER")?, queue_id);
    Some((queue, property("DLQ_ORIGIN_QUEUE_OFFSET")?.parse().ok()?))
}

/// Seeds that found a defect: the dead letter of a popped record named no queue.
const FOUND: [u64; 1] = [21];

super::groups::tests_of!("damage", Plan::damaged);
