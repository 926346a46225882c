//! Brokers that come back with older stores: messages are lost, their offsets are given away again, and offsets are committed that
//! their queues do not have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::model::{MessageQueue, mix_all};
use tokio::time::sleep;

use super::dice::Dice;
use super::plan::{GROUP, OTHER, Plan, Step, TOPIC};
use super::trouble::broker_name;
use super::world::World;

/// What brokers have lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost {
    /// Messages, and where they were.
    pub(super) places: BTreeSet<(MessageQueue, i64, u32)>,
    /// Offsets that are given away twice. A member, or a committed offset, may be behind them: the group need not get what is stored
    /// there.
    pub(super) twice: BTreeMap<MessageQueue, Range<i64>>,
    /// Messages that failed: their copies may be lost.
    pub(super) failed: BTreeSet<u32>,
}

impl Lost {
    /// Whether the group need not get this message.
    pub(super) fn excuses(&self, queue: &MessageQueue, offset: i64, number: u32) -> bool {
        self.failed.contains(&number) || self.twice.get(queue).is_some_and(|twice| twice.contains(&offset))
    }

    /// Where a queue ended at its longest, if it became shorter.
    pub(super) fn end(&self, queue: &MessageQueue) -> i64 {
        self.twice.get(queue).map_or(0, |twice| twice.end)
    }
}

impl Plan {
    /// A plan whose brokers come back with older stores.
    pub(super) fn older(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x4f4c_4445);
        let dice = &mut dice;
        let mut plan = if dice.percent(75) { Self::new(seed) } else { Self::pulling(seed) };
        plan.calm = false;
        let length = plan.steps.last().map_or(1, |(at, _)| at.as_millis() as u64);
        for _ in 0..dice.range(1..=3) {
            let broker = dice.range(0..=plan.brokers as u64 - 1) as usize;
            let since = dice.range(1..=length);
            plan.steps.push((Duration::from_millis(since), Step::Snapshot(broker)));
            let down = dice.ms(10..=20_000);
            let step = Step::Older { broker, down, offsets: dice.percent(40) };
            plan.steps.push((dice.ms(since..=since + 30_000), step));
        }
        plan.steps.sort_by_key(|(at, _)| *at);
        plan
    }
}

impl World {
    /// A broker is killed, and starts with the store that it had at its snapshot, and the offsets of then or those of now.
    pub(super) async fn lose_messages(self: Arc<Self>, broker: usize, down: Duration, offsets: bool) {
        let name = broker_name(broker);
        self.cluster.crash_broker(&name).await.unwrap();
        sleep(down).await;
        // Another step may have started it.
        self.cluster.crash_broker(&name).await.unwrap();
        let snapshot = self.snapshots.lock().unwrap()[broker].take();
        if let Some(snapshot) = snapshot {
            let topics = [TOPIC.to_owned(), OTHER.to_owned(), mix_all::retry_topic(GROUP)];
            let look = || {
                let records = topics.iter().flat_map(|topic| self.records(topic));
                let places: BTreeSet<_> =
                    records.map(|record| (record.queue, record.offset, record.number)).collect();
                let ends = topics.iter().flat_map(|topic| self.cluster.queue_offsets(topic));
                (places, ends.map(|ends| (ends.queue, ends.max)).collect::<BTreeMap<_, _>>())
            };
            let (before, longer) = look();
            self.cluster.restore_store(&name, &snapshot).unwrap();
            if offsets {
                self.cluster.restore_offsets(&name, &snapshot).unwrap();
            }
            let (after, shorter) = look();
            let mut lost = self.lost();
            for (queue, end) in longer {
                let from = shorter.get(&queue).copied().unwrap_or_default();
                if from < end {
                    let twice = lost.twice.entry(queue).or_insert(from..end);
                    *twice = twice.start.min(from)..twice.end.max(end);
                }
            }
            let gone: Vec<_> = before.difference(&after).cloned().collect();
            self.log.note(format_args!("{name} has lost {} messages", gone.len()));
            lost.places.extend(gone);
            lost.failed.extend((0..self.sent()).filter(|number| {
                self.plan.failures(*number) != (0, false) || self.log.failures(*number) > 0
            }));
        }
        self.cluster.start_broker(&name).await.unwrap();
    }
}

/// Seeds that found a defect: a position that was corrected to the end of its queue left out what was before it and unfinished; in
/// order, a message was counted the failures of a lost one that had its offset before.
const FOUND: [u64; 4] = [182_916_325_781_469, 226_484_441_305_330, 103_662_930_928_660, 256_694_392_304_762];

super::groups::tests_of!("older", Plan::older);
