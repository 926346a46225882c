use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::SystemTime;

use rocketmq::model::{MessageQueue, mix_all};
use rocketmq_namesrv_mock::{BrokerEvent, MockCluster};

use super::record::{End, Record, Run};

/// What a history is checked against. By default: a concurrent group that reads its topics from their first message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// One handler of a queue at a time, strictly in order.
    pub(crate) is_orderly: bool,
    /// Offsets that the group need not see: those before its start, those that a reset passed over, those that cannot be read.
    pub(crate) skipped: Vec<(MessageQueue, Range<i64>)>,
    /// Messages are on their way: not each has been handled yet.
    pub(crate) is_under_way: bool,
    /// Commits may fall: a reset was accepted, or the broker has older offsets.
    pub(crate) may_fall: bool,
}

/// What a history that keeps the rules is like.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Different messages that were handled.
    pub(crate) handled: usize,
    /// Runs of a message of a queue that had run before and had not failed.
    pub(crate) duplicates: usize,
    pub(crate) commits: usize,
    /// Commits that are lower than those of the queue's owner before.
    pub(crate) falls_between_owners: usize,
}

/// Reads what the brokers and the listeners of a group recorded, and fails at what must never be. The cluster keeps its
/// whole history (`MockClusterBuilder::history`).
///
/// # Panics
/// With the first broken rule: a message is lost, was never sent, is out of order; a commit passes an unfinished message;
/// a commit of an owner falls.
pub(crate) fn check(
    record: &Record,
    cluster: &MockCluster,
    group: &str,
    topics: &[&str],
    rules: &Rules,
) -> Verdict {
    History::new(record, cluster, group, rules).check(topics)
}

struct History<'a> {
    cluster: &'a MockCluster,
    group: &'a str,
    rules: &'a Rules,
    runs: Vec<Run>,
    /// The ids that a queue got at an offset, in order.
    stored: BTreeMap<(MessageQueue, i64), Vec<String>>,
    /// The ids of dead letters.
    dead: BTreeSet<String>,
    /// Since when a message of a queue is finished: it is done, or a broker has it as retry or dead letter.
    finished: BTreeMap<(MessageQueue, i64), SystemTime>,
    /// Of each queue its offsets, each with the time when it and all before it were finished.
    finished_up_to: BTreeMap<MessageQueue, Vec<(i64, Option<SystemTime>)>>,
    /// Queue, client, offset, time.
    commits: Vec<(MessageQueue, String, i64, SystemTime)>,
}

impl<'a> History<'a> {
    fn new(record: &Record, cluster: &'a MockCluster, group: &'a str, rules: &'a Rules) -> Self {
        let mut history = Self {
            cluster,
            group,
            rules,
            runs: record.runs(),
            stored: BTreeMap::new(),
            dead: BTreeSet::new(),
            finished: BTreeMap::new(),
            finished_up_to: BTreeMap::new(),
            commits: Vec::new(),
        };
        history.read();
        history
    }

    fn read(&mut self) {
        let again = [mix_all::retry_topic(self.group), mix_all::dlq_topic(self.group)];
        let mut given_back: BTreeMap<String, Vec<(SystemTime, MessageQueue)>> = BTreeMap::new();
        let entries = self.cluster.history();
        assert_eq!(entries.first().map_or(0, |entry| entry.number), 0, "the cluster kept its whole history");
        let mut finished = Vec::new();
        for entry in entries {
            match entry.event {
                BrokerEvent::Stored { queue, offset, id, .. } => {
                    if again.iter().any(|topic| topic == queue.topic()) {
                        given_back.entry(id.clone()).or_default().push((entry.at, queue.clone()));
                    }
                    if queue.topic() == again[1] {
                        self.dead.insert(id.clone());
                    }
                    self.stored.entry((queue, offset)).or_default().push(id);
                }
                BrokerEvent::SentBack { group, queue, offset, .. } if *group == *self.group => {
                    finished.push(((queue, offset), entry.at));
                }
                BrokerEvent::Committed { group, client, queue, offset } if *group == *self.group => {
                    self.commits.push((queue, client.to_string(), offset, entry.at));
                }
                _ => {}
            }
        }
        for run in &self.runs {
            let place = (run.queue.clone(), run.offset);
            if let Some((ended, End::Done)) = run.ended {
                finished.push((place.clone(), ended.at));
            }
            let later = given_back.get(&run.id).into_iter().flatten();
            let later = later.filter(|(at, queue)| *at >= run.began.at && *queue != run.queue);
            finished.extend(later.map(|(at, _)| (place.clone(), *at)));
        }
        for (place, at) in finished {
            let since = self.finished.entry(place).or_insert(at);
            *since = at.min(*since);
        }
        for place in self.stored.keys() {
            let is_skipped = self.is_skipped(&place.0, place.1);
            let up_to = self.finished_up_to.entry(place.0.clone()).or_default();
            let before = up_to.last().map_or(Some(SystemTime::UNIX_EPOCH), |(_, at)| *at);
            let at = match self.finished.get(place) {
                _ if is_skipped => before,
                at => before.zip(at.copied()).map(|(before, at)| before.max(at)),
            };
            up_to.push((place.1, at));
        }
    }

    fn check(&self, topics: &[&str]) -> Verdict {
        if !self.rules.is_under_way {
            self.nothing_is_lost(topics);
        }
        self.nothing_is_made_up();
        if self.rules.is_orderly {
            self.order_is_strict();
        } else {
            self.first_runs_are_in_order();
        }
        let falls_between_owners = self.values_never_fall();
        self.commits_pass_nothing_unfinished();
        let ids = self.runs.iter().map(|run| &run.id).collect::<BTreeSet<_>>();
        Verdict {
            handled: ids.len(),
            duplicates: self.duplicates(),
            commits: self.commits.len(),
            falls_between_owners,
        }
    }

    fn is_skipped(&self, queue: &MessageQueue, offset: i64) -> bool {
        self.rules.skipped.iter().any(|(skipped, range)| skipped == queue && range.contains(&offset))
    }

    fn nothing_is_lost(&self, topics: &[&str]) {
        let done: BTreeSet<_> = self.runs.iter().filter(|run| run.is_done()).map(|run| &*run.id).collect();
        for topic in topics {
            for message in self.cluster.messages(topic) {
                let (queue, offset) = (message.message_queue(), message.queue_offset());
                let is_there = done.contains(message.msg_id()) || self.dead.contains(message.msg_id());
                assert!(
                    is_there || self.is_skipped(&queue, offset),
                    "lost: {} at {offset} in {queue}",
                    message.msg_id()
                );
            }
        }
    }

    fn nothing_is_made_up(&self) {
        for run in &self.runs {
            let ids = self.stored.get(&(run.queue.clone(), run.offset));
            assert!(ids.is_some_and(|ids| ids.contains(&run.id)), "was never stored there: {run:?}");
        }
    }

    fn first_runs_are_in_order(&self) {
        let mut highest: BTreeMap<&MessageQueue, i64> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for run in self.runs.iter().filter(|run| known.insert((&run.queue, run.offset))) {
            if let Some(before) = highest.insert(&run.queue, run.offset) {
                assert!(before < run.offset, "out of order, {before} was first: {run:?}");
            }
        }
    }

    fn order_is_strict(&self) {
        let mut last: BTreeMap<&MessageQueue, &Run> = BTreeMap::new();
        for run in &self.runs {
            if let Some(before) = last.insert(&run.queue, run) {
                let is_over = before.ended.is_some_and(|(ended, _)| ended.number < run.began.number);
                assert!(is_over, "two handlers of a queue overlap: {before:?} and {run:?}");
            }
            let open = self.lowest_unfinished(&run.queue, run.began.at, run.offset);
            assert_eq!(open, None, "a handler began before that offset was done: {run:?}");
        }
    }

    /// The lowest offset below a limit that was not finished at a time.
    fn lowest_unfinished(&self, queue: &MessageQueue, at: SystemTime, below: i64) -> Option<i64> {
        let up_to = self.finished_up_to.get(queue)?;
        let finished = up_to.partition_point(|(_, since)| since.is_some_and(|since| since <= at));
        up_to.get(finished).map(|(offset, _)| *offset).filter(|offset| *offset < below)
    }

    fn values_never_fall(&self) -> usize {
        let mut falls_between_owners = 0;
        let mut last: BTreeMap<&MessageQueue, (&str, i64)> = BTreeMap::new();
        for (queue, client, offset, at) in &self.commits {
            let Some((before, value)) = last.insert(queue, (client, *offset)) else { continue };
            if value > *offset && !self.rules.may_fall {
                assert_ne!(
                    before, client,
                    "the commits of an owner fell from {value} to {offset} in {queue} at {at:?}"
                );
                falls_between_owners += 1;
            }
        }
        falls_between_owners
    }

    fn commits_pass_nothing_unfinished(&self) {
        for (queue, client, offset, at) in &self.commits {
            let open = self.lowest_unfinished(queue, *at, *offset);
            assert_eq!(open, None, "not finished when {client} committed {offset} in {queue} at {at:?}");
        }
    }

    fn duplicates(&self) -> usize {
        let mut last: BTreeMap<(&MessageQueue, i64, &str), &Run> = BTreeMap::new();
        let mut duplicates = 0;
        for run in &self.runs {
            let before = last.insert((&run.queue, run.offset, &*run.id), run);
            let is_again = before.is_some_and(|before| !matches!(before.ended, Some((_, End::Failed))));
            duplicates += usize::from(is_again);
        }
        duplicates
    }
}

/// Checks that each queue of a topic has exactly one owner.
pub(crate) fn each_queue_has_one_owner(
    cluster: &MockCluster,
    topic: &str,
    members: &[Vec<MessageQueue>],
) -> bool {
    let mut owned: Vec<_> = members.iter().flatten().filter(|queue| queue.topic() == topic).collect();
    owned.sort_unstable();
    let mut all: Vec<_> = cluster.queue_offsets(topic).into_iter().map(|offsets| offsets.queue).collect();
    all.sort_unstable();
    owned.into_iter().eq(&all)
}
