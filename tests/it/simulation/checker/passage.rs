//! What handlers did with each stored message.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::BrokerEvent;

use super::Kept;
use crate::simulation::log::{End, What};
use crate::simulation::plan::{OTHER, TOPIC};

/// One handler with one message.
#[derive(Debug, Clone)]
pub(crate) struct Passage {
    pub(super) member: usize,
    /// Counts how often the member had taken the queue before.
    pub(super) ownership: usize,
    pub(super) begin: Duration,
    /// `None`: it never ended.
    pub(super) end: Option<(Duration, End)>,
}

/// A stored message.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) number: u32,
    pub(crate) passages: Vec<Passage>,
    /// When nothing was left to do for it at this place: a handler had success, or a broker took a copy. `None`: never.
    pub(crate) finished: Option<Duration>,
    /// The group need not get it: a filter, a reset, or the start of the group leaves it out.
    pub(crate) excused: bool,
}

/// The stored messages by queue and offset.
pub(crate) struct Passages<'a> {
    pub(crate) queues: BTreeMap<&'a MessageQueue, BTreeMap<i64, Stored>>,
}

impl<'a> Passages<'a> {
    pub(super) fn new(kept: &'a Kept<'a>) -> Self {
        let mut this = Self { queues: BTreeMap::new() };
        let resets = resets(kept);
        for record in &kept.records {
            let reset = resets.get(&record.queue).is_some_and(|to| record.offset < *to);
            let left_out = match record.queue.topic() {
                TOPIC => record.number < kept.first || !kept.plan.matches(record.number),
                OTHER => !kept.plan.starts_first(),
                _ => false,
            };
            let stored = Stored {
                number: record.number,
                passages: Vec::new(),
                finished: None,
                excused: reset || left_out || kept.lost.excuses(&record.queue, record.offset, record.number),
            };
            this.queues.entry(&record.queue).or_default().insert(record.offset, stored);
        }
        this.follow_handlers(kept);
        this.follow_copies(kept);
        this.follow_damage(kept);
        this
    }

    pub(super) fn number(&self, queue: &MessageQueue, offset: i64) -> Option<u32> {
        Some(self.queues.get(queue)?.get(&offset)?.number)
    }

    fn get_mut(&mut self, queue: &MessageQueue, offset: i64) -> Option<&mut Stored> {
        self.queues.get_mut(queue)?.get_mut(&offset)
    }

    fn follow_handlers(&mut self, kept: &'a Kept<'a>) {
        let mut ownerships: BTreeMap<(usize, &MessageQueue), usize> = BTreeMap::new();
        let mut calls: BTreeMap<usize, (&MessageQueue, i64, usize)> = BTreeMap::new();
        for entry in kept.entries {
            match &entry.what {
                What::Taken { member, queues } => {
                    queues.iter().for_each(|queue| *ownerships.entry((*member, queue)).or_default() += 1);
                }
                What::Begin { call, member, queue, offset, number, .. } => {
                    let ownership = ownerships.get(&(*member, queue)).copied().unwrap_or_default();
                    let stored = self.get_mut(queue, *offset).filter(|stored| stored.number == *number);
                    let Some(stored) = stored else { continue };
                    calls.insert(*call, (queue, *offset, stored.passages.len()));
                    stored.passages.push(Passage { member: *member, ownership, begin: entry.at, end: None });
                }
                What::End { call, end } => {
                    let Some((queue, offset, place)) = calls.get(call) else { continue };
                    let Some(stored) = self.get_mut(queue, *offset) else { continue };
                    stored.passages[*place].end = Some((entry.at, *end));
                    if *end == End::Done {
                        stored.finish(entry.at);
                    }
                }
                _ => {}
            }
        }
    }

    /// A damaged record is finished when a broker has its dead letter, or at once if the group skips such records.
    fn follow_damage(&mut self, kept: &'a Kept<'a>) {
        if kept.plan.skips_damaged() {
            for ((queue, offset), (_, since)) in &kept.damaged {
                self.get_mut(queue, *offset).into_iter().for_each(|stored| stored.finish(*since));
            }
            return;
        }
        let origins: BTreeMap<_, _> = kept
            .letters
            .iter()
            .filter_map(|letter| Some(((&letter.queue, letter.offset), letter.origin.as_ref()?)))
            .collect();
        for entry in kept.history {
            if let BrokerEvent::Stored { queue, offset, .. } = &entry.event
                && let Some((queue, offset)) = origins.get(&(queue, *offset))
                && let Some(stored) = self.get_mut(queue, *offset)
            {
                stored.finish(kept.at(entry));
            }
        }
    }

    /// A broker that took a message back, or a copy of it, has finished it. When a broker took a copy that was sent to it is
    /// not known: not before its handler failed.
    fn follow_copies(&mut self, kept: &'a Kept<'a>) {
        for entry in kept.history {
            if let BrokerEvent::SentBack { queue, offset, .. } = &entry.event
                && let Some(stored) = self.get_mut(queue, *offset)
            {
                stored.finish(kept.at(entry));
            }
        }
        let mut copies: BTreeMap<u32, u32> = BTreeMap::new();
        for copy in kept.records.iter().chain(&kept.letters).filter(|copy| copy.times > 0) {
            let times = copies.entry(copy.number).or_default();
            *times = copy.times.max(*times);
        }
        for record in &kept.records {
            if copies.get(&record.number).is_none_or(|times| *times <= record.times) {
                continue;
            }
            let Some(stored) = self.get_mut(&record.queue, record.offset) else { continue };
            let failed = stored.passages.iter().filter_map(|passage| match passage.end {
                Some((at, End::Failed | End::Dead | End::Dropped)) => Some(at),
                _ => None,
            });
            if let Some(at) = failed.min() {
                stored.finish(at);
            }
        }
    }
}

impl Stored {
    fn finish(&mut self, at: Duration) {
        self.finished = Some(self.finished.map_or(at, |before| before.min(at)));
    }
}

/// The highest offset to which an operator moved each queue.
pub(super) fn resets<'a>(kept: &Kept<'a>) -> BTreeMap<&'a MessageQueue, i64> {
    let mut highest = BTreeMap::new();
    for entry in kept.entries {
        if let What::Reset { queue, to } = &entry.what {
            let place = highest.entry(queue).or_insert(*to);
            *place = (*place).max(*to);
        }
    }
    highest
}
