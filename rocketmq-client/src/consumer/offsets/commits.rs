use std::sync::Arc;

use rocketmq_common::MessageQueue;
use rustc_hash::FxHashMap;

use crate::consumer::window::Generation;

/// For how many intervals of commits the offset of a broker is remembered. Brokers save offsets each 5 s, so that a broker that
/// was killed may know an older one.
const PAST: usize = 8;
/// How many commit intervals after its beginning an ownership sends its offset once more. An earlier owner that was cut off may commit
/// over the offset until it learns that the queue has moved; with intervals of 5 s, a minute is enough for that.
const SETTLED: u8 = 12;

/// Which offsets have to be committed, queue by queue.
///
/// Within a generation offsets never fall. A commit that failed, or whose answer was lost, stays dirty. One commit of a
/// queue is in flight at a time, because brokers may carry out two in any order, and take a lower offset after a higher.
#[derive(Debug, Default)]
pub(crate) struct CommitTable {
    /// In boxes: a table keeps room for twice as many.
    queues: FxHashMap<MessageQueue, Box<QueueCommits>>,
}

/// An offset to send (15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) queue: MessageQueue,
    pub(crate) generation: Generation,
    pub(crate) offset: i64,
}

/// The commit at the release of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LastCommit {
    /// The broker has the offset.
    Clean,
    /// An earlier commit is in flight: ask again when it was answered or failed.
    AfterAnswer,
    /// Send this; no other commit of the generation follows.
    Send(Commit),
}

/// The verdict on the committed offset that a broker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReadBack {
    /// This member committed the offset.
    Ours,
    /// The broker has lost recent commits: the offset is dirty again.
    Older,
    /// Another client set the offset: by a reset, for example, of which the broker may have forgotten to tell.
    Foreign,
}

#[derive(Debug)]
struct QueueCommits {
    generation: Generation,
    offset: i64,
    /// The offset that the broker has; `None` if it has no offset, or the offset is unknown.
    acknowledged: Option<i64>,
    /// Survives a change of the generation: until it is answered, no other commit of the queue may be sent.
    in_flight: Option<(Generation, i64)>,
    /// The offset that a pull without an answer carries.
    riding: Option<i64>,
    /// The offsets that the broker had at the ends of the last intervals, the oldest first. The offset at which the ownership began stands
    /// for earlier intervals.
    past: [i64; PAST],
    /// The lowest and the highest earlier offset that the broker may still have: until it acknowledges the position that was set anew
    /// in their place.
    replaced: Option<(i64, i64)>,
    /// The intervals until the offset is sent once more; `None` when it was.
    settling: Option<u8>,
    released: bool,
}

impl CommitTable {
    /// Begins the ownership of a queue at an offset. `committed` is the offset that the broker is known to have; a position
    /// that was chosen or corrected differs from it, and so is dirty.
    pub(crate) fn own(
        &mut self,
        queue: MessageQueue,
        generation: Generation,
        offset: i64,
        committed: Option<i64>,
    ) {
        let before = self.queues.get(&queue);
        let in_flight = before.and_then(|before| before.in_flight);
        let replaced = before.filter(|_| committed.is_none()).map(|before| before.range());
        let entry = QueueCommits {
            generation,
            offset,
            acknowledged: committed,
            in_flight,
            riding: None,
            past: [committed.unwrap_or(offset).min(offset); PAST],
            replaced,
            settling: Some(SETTLED),
            released: false,
        };
        self.queues.insert(queue, Box::new(entry));
    }

    /// Hands the offset of a queue, if it has one, on to its next ownership unchanged. The user may have moved the position, so that the
    /// offset is not sent once more.
    pub(crate) fn go_on(&mut self, queue: &MessageQueue, generation: Generation) {
        if let Some(entry) = self.queues.get_mut(queue) {
            (entry.generation, entry.riding, entry.settling) = (generation, None, None);
        }
    }

    /// Notes the lowest unfinished offset. A lower offset than before, another generation and a released queue change
    /// nothing.
    pub(crate) fn advance(&mut self, queue: &MessageQueue, generation: Generation, offset: i64) {
        if let Some(entry) = self.live(queue, generation) {
            entry.offset = entry.offset.max(offset);
        }
    }

    /// Takes the offsets to send at the end of an interval: all dirty offsets of these queues without a commit in flight, by broker.
    /// Each is in flight until [`acknowledged`](Self::acknowledged) or [`failed`](Self::failed).
    pub(crate) fn take_due(
        &mut self,
        of: impl Fn(&MessageQueue) -> bool,
    ) -> FxHashMap<Arc<str>, Vec<Commit>> {
        let mut due: FxHashMap<Arc<str>, Vec<Commit>> = FxHashMap::default();
        for (queue, entry) in &mut self.queues {
            entry.remember();
            entry.settling = entry.settling.map(|left| left.saturating_sub(1));
            if !entry.released && entry.is_due() && of(queue) {
                due.entry(queue.shared_broker_name().clone()).or_default().push(entry.send(queue));
            }
        }
        due
    }

    /// Takes the offset of one queue, if it is due.
    pub(crate) fn take_due_of(&mut self, queue: &MessageQueue, generation: Generation) -> Option<Commit> {
        let entry = self.live(queue, generation)?;
        entry.is_due().then(|| entry.send(queue))
    }

    /// The offset that a pull from the master may carry (its commit bit). The queue stays dirty until
    /// [`rode`](Self::rode).
    pub(crate) fn ride(&mut self, queue: &MessageQueue, generation: Generation) -> Option<i64> {
        let entry = self.live(queue, generation).filter(|entry| entry.is_due())?;
        entry.riding = Some(entry.offset);
        entry.riding
    }

    /// Notes that a pull with the commit bit was answered with 0, 19 or 20. Not after a 21: a reset undoes the offset. A higher
    /// offset that was committed while the pull was under way is dirty again: the broker may have carried the pull out later.
    pub(crate) fn rode(&mut self, queue: &MessageQueue, generation: Generation, offset: i64) {
        if let Some(entry) = self.live(queue, generation) {
            entry.riding = None;
            if entry.in_flight.is_none() {
                entry.acknowledge(offset);
            }
        }
    }

    /// The broker has no offset of the queue, though it had, or may have another: the offset is dirty again.
    pub(crate) fn lost(&mut self, queue: &MessageQueue, generation: Generation) {
        if let Some(entry) = self.live(queue, generation) {
            entry.acknowledged = None;
        }
    }

    /// The broker has the offset.
    pub(crate) fn acknowledged(&mut self, commit: &Commit) {
        if let Some(entry) = self.answered(commit) {
            entry.acknowledge(commit.offset);
        }
    }

    /// The broker refused, or did not answer: the offset stays dirty.
    pub(crate) fn failed(&mut self, commit: &Commit) {
        self.answered(commit);
    }

    /// The user commits this offset, which may be lower than before. Returns the commit to send; `None` while another commit of the queue
    /// is in flight, or when the ownership is over. Until the broker has acknowledged the offset, it is dirty: a commit whose answer is
    /// lost is repeated, and no earlier offset is sent over it.
    pub(crate) fn choose(
        &mut self,
        queue: &MessageQueue,
        generation: Generation,
        offset: i64,
    ) -> Option<Commit> {
        // The user may have moved the queue before its committed offset was known.
        if !self.queues.contains_key(queue) {
            self.own(queue.clone(), generation, offset, None);
        }
        let entry = self.live(queue, generation).filter(|entry| entry.in_flight.is_none())?;
        entry.remember();
        (entry.offset, entry.acknowledged) = (offset, None);
        Some(entry.send(queue))
    }

    /// Ends the ownership: later results do not move the offset. Ask again after [`LastCommit::AfterAnswer`].
    pub(crate) fn release(&mut self, queue: &MessageQueue, generation: Generation) -> LastCommit {
        let Some(entry) = self.queues.get_mut(queue).filter(|entry| entry.generation == generation) else {
            return LastCommit::Clean;
        };
        entry.released = true;
        let ridden = entry.riding.take_if(|_| entry.in_flight.is_none());
        if ridden.is_some_and(|ridden| ridden < entry.offset) {
            // The broker may carry the pull out after the last commit.
            entry.acknowledged = ridden;
        }
        if entry.in_flight.is_some() {
            LastCommit::AfterAnswer
        } else if entry.is_due() {
            LastCommit::Send(entry.send(queue))
        } else {
            LastCommit::Clean
        }
    }

    /// Forgets a released queue. Returns the offset that the broker does not have, if there is one.
    pub(crate) fn forget(&mut self, queue: &MessageQueue, generation: Generation) -> Option<i64> {
        if self.queues.get(queue)?.generation != generation {
            return None;
        }
        let entry = self.queues.remove(queue)?;
        (entry.acknowledged != Some(entry.offset)).then_some(entry.offset)
    }

    /// The offset that the broker is known to have, for health.
    pub(crate) fn committed(&self, queue: &MessageQueue) -> Option<i64> {
        self.queues.get(queue)?.acknowledged
    }

    /// Compares with what the broker answered to a question (14) after a reconnect.
    pub(crate) fn read_back(
        &mut self,
        queue: &MessageQueue,
        generation: Generation,
        read: i64,
    ) -> Option<ReadBack> {
        let entry = self.live(queue, generation)?;
        let in_flight = entry.in_flight.map(|(_, offset)| offset);
        if [Some(entry.offset), entry.acknowledged, in_flight].contains(&Some(read)) {
            return Some(ReadBack::Ours);
        }
        let (lowest, highest) = entry.range();
        if !(lowest..=highest).contains(&read) {
            return Some(ReadBack::Foreign);
        }
        entry.acknowledged = Some(read).filter(|read| *read < entry.offset);
        Some(ReadBack::Older)
    }

    fn live(&mut self, queue: &MessageQueue, generation: Generation) -> Option<&mut QueueCommits> {
        self.queues
            .get_mut(queue)
            .map(|entry| &mut **entry)
            .filter(|entry| entry.generation == generation && !entry.released)
    }

    /// Ends the flight of a commit. Returns the entry if the commit belongs to its generation.
    fn answered(&mut self, commit: &Commit) -> Option<&mut QueueCommits> {
        let entry = self.queues.get_mut(&commit.queue)?;
        if entry.in_flight == Some((commit.generation, commit.offset)) {
            entry.in_flight = None;
        }
        (entry.generation == commit.generation).then_some(entry)
    }
}

impl QueueCommits {
    /// The lowest and the highest offset that the broker may have from here. Commits that failed and commits that rode on pulls are not
    /// remembered one by one: each offset between two offsets of this member may have been committed by it.
    fn range(&self) -> (i64, i64) {
        let (lowest, highest) = self.replaced.unwrap_or((self.offset, self.offset));
        let flying = self.in_flight.map(|(_, offset)| offset);
        let sent = [self.acknowledged, flying, self.riding].into_iter().flatten();
        let all = sent.chain(self.past);
        all.fold((lowest.min(self.offset), highest.max(self.offset)), |(low, high), offset| {
            (low.min(offset), high.max(offset))
        })
    }

    fn is_due(&self) -> bool {
        let is_known = self.acknowledged == Some(self.offset) && self.settling != Some(0);
        self.in_flight.is_none() && !is_known
    }

    fn acknowledge(&mut self, offset: i64) {
        self.acknowledged = Some(offset);
        self.replaced = None;
        self.settling.take_if(|left| *left == 0);
    }

    /// While the offset of the broker is not known, the last that is known stands.
    fn remember(&mut self) {
        if let Some(acknowledged) = self.acknowledged {
            self.past.rotate_left(1);
            self.past[PAST - 1] = acknowledged;
        }
    }

    fn send(&mut self, queue: &MessageQueue) -> Commit {
        self.in_flight = Some((self.generation, self.offset));
        Commit { queue: queue.clone(), generation: self.generation, offset: self.offset }
    }
}
