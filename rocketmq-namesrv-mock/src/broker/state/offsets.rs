//! Progress of groups. Java: `ConsumerOffsetManager`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The offsets of the queues of one topic.
pub(crate) type Queues = BTreeMap<i32, i64>;

/// Offsets by topic, then by group, then by queue.
#[derive(Debug, Default, Clone)]
struct Offsets {
    topics: HashMap<String, HashMap<String, Queues>>,
}

/// The offsets of all groups.
#[derive(Debug, Default, Clone)]
pub(crate) struct CommittedOffsets {
    committed: Offsets,
    /// Offsets to which the next pull will be sent.
    resets: Offsets,
    /// Positions of the last pulls.
    pulled: Offsets,
}

impl CommittedOffsets {
    /// The committed offset, or the offset to which the group is being moved. Negative offsets can be committed, and
    /// read as missing.
    pub(crate) fn get(&self, topic: &str, group: &str, queue_id: i32) -> Option<i64> {
        let offset = self.resets.get(topic, group, queue_id);
        offset.or_else(|| self.committed.get(topic, group, queue_id)).filter(|offset| *offset >= 0)
    }

    /// Commits an offset, without a check.
    pub(crate) fn commit(&mut self, topic: &str, group: &str, queue_id: i32, offset: i64) {
        self.committed.put(topic, group, queue_id, offset);
    }

    /// Copies the committed offsets of a master. Its resets do not concern slaves.
    pub(crate) fn follow(&mut self, master: &Self) {
        self.committed.clone_from(&master.committed);
    }

    /// Forgets the resets that have not taken effect.
    pub(crate) fn forget_resets(&mut self) {
        self.resets = Offsets::default();
    }

    /// The committed offsets of a group by queue, without pending resets.
    pub(crate) fn of_topic(&self, topic: &str, group: &str) -> Queues {
        self.committed.queues(topic, group).cloned().unwrap_or_default()
    }

    /// Replaces a group's offsets of a topic with those of another group.
    pub(crate) fn clone_group(&mut self, topic: &str, from: &str, to: &str) {
        if let Some(queues) = self.committed.queues(topic, from).cloned() {
            self.committed.topics.entry(topic.to_owned()).or_default().insert(to.to_owned(), queues);
        }
    }

    /// Moves a group to an offset: the next pull is sent there, and until then commits do not count.
    pub(crate) fn reset(&mut self, topic: &str, group: &str, queue_id: i32, offset: i64) {
        self.resets.put(topic, group, queue_id, offset);
        self.committed.put(topic, group, queue_id, offset);
    }

    /// Whether a reset has not taken effect yet.
    pub(crate) fn is_reset(&self, topic: &str, group: &str, queue_id: i32) -> bool {
        self.resets.get(topic, group, queue_id).is_some()
    }

    /// Takes out the offset of a reset.
    pub(crate) fn take_reset(&mut self, topic: &str, group: &str, queue_id: i32) -> Option<i64> {
        self.resets.topics.get_mut(topic)?.get_mut(group)?.remove(&queue_id)
    }

    /// Records the position of a pull.
    pub(crate) fn note_pull(&mut self, topic: &str, group: &str, queue_id: i32, offset: i64) {
        self.pulled.put(topic, group, queue_id, offset);
    }

    /// The position of the last pull; without a pull, the committed offset.
    pub(crate) fn pulled(&self, topic: &str, group: &str, queue_id: i32) -> Option<i64> {
        self.pulled.get(topic, group, queue_id).or_else(|| self.get(topic, group, queue_id))
    }

    /// Forgets a group's committed offsets, not its resets and pulls.
    pub(crate) fn forget_committed(&mut self, group: &str) {
        self.committed.topics.values_mut().for_each(|groups| _ = groups.remove(group));
    }

    /// All committed offsets by topic and group.
    pub(crate) fn all_committed(&self) -> BTreeMap<(&str, &str), &Queues> {
        self.committed.all()
    }

    /// Positions of all last pulls, by topic and group.
    pub(crate) fn all_pulled(&self) -> BTreeMap<(&str, &str), &Queues> {
        self.pulled.all()
    }

    /// The topics in which each group has committed offsets.
    pub(crate) fn topics_by_group(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut topics = BTreeMap::<_, BTreeSet<_>>::new();
        for (topic, group) in self.committed.all().into_keys() {
            topics.entry(group).or_default().insert(topic);
        }
        topics
    }

    /// The groups with committed offsets in a topic.
    pub(crate) fn groups(&self, topic: &str) -> BTreeSet<&str> {
        self.committed.topics.get(topic).into_iter().flat_map(HashMap::keys).map(String::as_str).collect()
    }

    /// The topics in which a group has committed offsets.
    pub(crate) fn topics(&self, group: &str) -> BTreeSet<&str> {
        let all = self.committed.topics.iter();
        all.filter(|(_, groups)| groups.contains_key(group)).map(|(topic, _)| topic.as_str()).collect()
    }

    /// Forgets a topic.
    pub(crate) fn remove_topic(&mut self, topic: &str) {
        for offsets in [&mut self.committed, &mut self.resets, &mut self.pulled] {
            offsets.topics.remove(topic);
        }
    }

    /// Forgets a group.
    pub(crate) fn remove_group(&mut self, group: &str) {
        for offsets in [&mut self.committed, &mut self.resets, &mut self.pulled] {
            offsets.topics.values_mut().for_each(|groups| {
                groups.remove(group);
            });
        }
    }
}

impl Offsets {
    fn all(&self) -> BTreeMap<(&str, &str), &Queues> {
        let mut all = BTreeMap::new();
        for (topic, groups) in &self.topics {
            all.extend(groups.iter().map(|(group, queues)| ((topic.as_str(), group.as_str()), queues)));
        }
        all
    }

    fn queues(&self, topic: &str, group: &str) -> Option<&Queues> {
        self.topics.get(topic)?.get(group)
    }

    fn get(&self, topic: &str, group: &str, queue_id: i32) -> Option<i64> {
        self.queues(topic, group)?.get(&queue_id).copied()
    }

    fn put(&mut self, topic: &str, group: &str, queue_id: i32, offset: i64) {
        let known = self.topics.get_mut(topic).and_then(|groups| groups.get_mut(group));
        match known {
            Some(queues) => {
                queues.insert(queue_id, offset);
            }
            None => {
                let groups = self.topics.entry(topic.to_owned()).or_default();
                groups.entry(group.to_owned()).or_default().insert(queue_id, offset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_move_both_ways_and_negative_ones_read_as_absent() {
        let mut offsets = CommittedOffsets::default();
        offsets.commit("T", "g", 1, 9);
        offsets.commit("T", "g", 1, 3);
        assert_eq!(offsets.get("T", "g", 1), Some(3));
        assert_eq!([offsets.get("T", "g", 0), offsets.get("T", "h", 1), offsets.get("S", "g", 1)], [None; 3]);
        offsets.commit("T", "g", 1, -1);
        assert_eq!(offsets.get("T", "g", 1), None);
    }

    #[test]
    fn a_reset_counts_until_it_is_taken() {
        let mut offsets = CommittedOffsets::default();
        offsets.commit("T", "g", 0, 9);
        offsets.reset("T", "g", 0, 4);
        assert!(offsets.is_reset("T", "g", 0) && !offsets.is_reset("T", "g", 1));
        assert_eq!(offsets.get("T", "g", 0), Some(4));
        assert_eq!((offsets.take_reset("T", "g", 0), offsets.take_reset("T", "g", 0)), (Some(4), None));
        assert_eq!((offsets.get("T", "g", 0), offsets.is_reset("T", "g", 0)), (Some(4), false));
    }

    #[test]
    fn groups_and_topics_are_found_by_each_other_and_forgotten() {
        let mut offsets = CommittedOffsets::default();
        offsets.commit("T", "g", 0, 1);
        offsets.clone_group("T", "g", "h");
        offsets.note_pull("T", "g", 0, 7);
        assert_eq!((offsets.pulled("T", "g", 0), offsets.pulled("T", "h", 0)), (Some(7), Some(1)));
        assert_eq!(offsets.groups("T"), ["g", "h"].into());
        assert_eq!(offsets.topics("h"), ["T"].into());
        offsets.remove_group("g");
        assert_eq!((offsets.pulled("T", "g", 0), offsets.groups("T")), (None, ["h"].into()));
        offsets.remove_topic("T");
        assert!(offsets.topics("h").is_empty());
    }
}
