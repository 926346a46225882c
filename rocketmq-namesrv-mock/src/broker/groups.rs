//! Consumer groups: their settings and how far they have read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::names::check_group;

/// How often a message is delivered again before it goes to the dead letters.
pub(crate) const RETRY_MAX_TIMES: i32 = 16;

/// The groups that a broker knows, all with Apache's default settings. Java: `SubscriptionGroupManager`.
#[derive(Debug, Default, Clone)]
pub(crate) struct GroupTable {
    groups: BTreeSet<String>,
}

impl GroupTable {
    /// Whether there is such a group.
    pub(crate) fn contains(&self, group: &str) -> bool {
        self.groups.contains(group)
    }

    /// Makes sure that there is such a group. False if the name cannot be that of a group.
    pub(crate) fn find_or_create(&mut self, group: &str) -> bool {
        if self.contains(group) {
            return true;
        }
        let valid = check_group(group).is_ok();
        if valid {
            self.groups.insert(group.to_owned());
        }
        valid
    }
}

/// How far each group has read. Java: `ConsumerOffsetManager`.
#[derive(Debug, Default, Clone)]
pub(crate) struct CommittedOffsets {
    /// By topic, then by group, then by queue.
    topics: HashMap<String, HashMap<String, BTreeMap<i32, i64>>>,
}

impl CommittedOffsets {
    /// The committed offset. Negative ones can be committed, and then read as if there were none.
    pub(crate) fn get(&self, topic: &str, group: &str, queue_id: i32) -> Option<i64> {
        let offset = *self.topics.get(topic)?.get(group)?.get(&queue_id)?;
        (offset >= 0).then_some(offset)
    }

    /// Commits an offset, whichever it is.
    pub(crate) fn commit(&mut self, topic: &str, group: &str, queue_id: i32, offset: i64) {
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

    /// Forgets a topic.
    pub(crate) fn remove_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_created_if_its_name_is_one() {
        let mut groups = GroupTable::default();
        assert!(!groups.contains("g"));
        assert!(groups.find_or_create("g") && groups.contains("g"));
        assert!(!groups.find_or_create("a.b") && !groups.find_or_create(&"g".repeat(121)));
    }

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
}
