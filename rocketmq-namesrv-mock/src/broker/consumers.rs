//! Who is in which consumer group, and what the groups have subscribed to. Java: `ConsumerManager`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::filter::TagFilter;

/// The members and subscriptions of all groups that have members.
#[derive(Debug, Default)]
pub(crate) struct ConsumerTable {
    groups: HashMap<String, ConsumerGroup>,
    /// The fingerprint of the last heartbeat of each group.
    fingerprints: HashMap<String, i32>,
}

#[derive(Debug, Default)]
struct ConsumerGroup {
    members: Vec<Member>,
    /// By topic.
    subscriptions: HashMap<String, Subscription>,
}

#[derive(Debug, PartialEq, Eq)]
struct Member {
    connection: u64,
    client_id: String,
}

/// What a group wants of one topic.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) topic: String,
    pub(crate) version: i64,
    /// The language of the expression, if it is not that of tags.
    pub(crate) other_language: Option<String>,
    pub(crate) filter: Arc<TagFilter>,
}

/// What is known of a group's wish for a topic.
#[derive(Debug)]
pub(crate) enum Subscribed<'a> {
    NoGroup,
    NoTopic,
    Yes(&'a Subscription),
}

impl ConsumerTable {
    /// A heartbeat of a member, with the group's subscriptions unless it leaves them as they are.
    pub(crate) fn register(
        &mut self,
        group: &str,
        connection: u64,
        client_id: &str,
        subscriptions: Option<Vec<Subscription>>,
    ) {
        let group = self.groups.entry(group.to_owned()).or_default();
        match group.members.iter_mut().find(|member| member.connection == connection) {
            Some(member) => client_id.clone_into(&mut member.client_id),
            None => group.members.push(Member { connection, client_id: client_id.to_owned() }),
        }
        if let Some(subscriptions) = subscriptions {
            group.update(subscriptions);
        }
    }

    /// A member leaves.
    pub(crate) fn unregister(&mut self, group: &str, connection: u64) {
        if let Some(entry) = self.groups.get_mut(group) {
            entry.members.retain(|member| member.connection != connection);
            if entry.members.is_empty() {
                self.groups.remove(group);
            }
        }
    }

    /// A connection ended: its client leaves all groups.
    pub(crate) fn disconnect(&mut self, connection: u64) {
        self.groups.retain(|_, group| {
            group.members.retain(|member| member.connection != connection);
            !group.members.is_empty()
        });
    }

    /// Notes the fingerprint of a heartbeat. True if the group's last one was another.
    pub(crate) fn note_fingerprint(&mut self, group: &str, fingerprint: i32) -> bool {
        let before = self.fingerprints.insert(group.to_owned(), fingerprint);
        before.is_some_and(|before| before != fingerprint)
    }

    /// The client ids of a group; one that has two connections comes twice, as from Apache's broker.
    pub(crate) fn client_ids(&self, group: &str) -> Vec<&str> {
        let members = self.groups.get(group).map(|group| group.members.as_slice()).unwrap_or_default();
        members.iter().map(|member| member.client_id.as_str()).collect()
    }

    /// What a group wants of a topic.
    pub(crate) fn subscription(&self, group: &str, topic: &str) -> Subscribed<'_> {
        match self.groups.get(group) {
            None => Subscribed::NoGroup,
            Some(group) => group.subscriptions.get(topic).map_or(Subscribed::NoTopic, Subscribed::Yes),
        }
    }
}

impl ConsumerGroup {
    /// Takes what is new or newer, and drops the topics that are not there any more.
    fn update(&mut self, subscriptions: Vec<Subscription>) {
        let topics: BTreeSet<String> = subscriptions.iter().map(|new| new.topic.clone()).collect();
        self.subscriptions.retain(|topic, _| topics.contains(topic));
        for new in subscriptions {
            let is_news = self.subscriptions.get(&new.topic).is_none_or(|old| new.version > old.version);
            if is_news {
                self.subscriptions.insert(new.topic.clone(), new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(topic: &str, version: i64) -> Subscription {
        let topic = topic.to_owned();
        Subscription { topic, version, other_language: None, filter: Arc::new(TagFilter::All) }
    }

    fn version(table: &ConsumerTable, topic: &str) -> Option<i64> {
        match table.subscription("g", topic) {
            Subscribed::Yes(subscription) => Some(subscription.version),
            Subscribed::NoGroup | Subscribed::NoTopic => None,
        }
    }

    #[test]
    fn a_heartbeat_replaces_older_subscriptions_and_drops_missing_ones() {
        let mut table = ConsumerTable::default();
        table.register("g", 1, "c", Some(vec![subscription("T", 5), subscription("S", 5)]));
        table.register("g", 1, "c", Some(vec![subscription("T", 4)]));
        assert_eq!((version(&table, "T"), version(&table, "S")), (Some(5), None));
        table.register("g", 1, "c", Some(vec![subscription("T", 6)]));
        table.register("g", 1, "c", None);
        assert_eq!(version(&table, "T"), Some(6));
    }

    #[test]
    fn a_group_ends_with_its_last_member() {
        let mut table = ConsumerTable::default();
        table.register("g", 1, "a", Some(vec![subscription("T", 1)]));
        table.register("g", 2, "b", None);
        table.register("g", 2, "b", None);
        table.register("g", 3, "b", None);
        assert_eq!(table.client_ids("g"), ["a", "b", "b"]);
        table.disconnect(1);
        table.unregister("g", 2);
        assert_eq!(version(&table, "T"), Some(1));
        table.disconnect(3);
        assert!(matches!(table.subscription("g", "T"), Subscribed::NoGroup));
    }

    #[test]
    fn another_fingerprint_is_noticed() {
        let mut table = ConsumerTable::default();
        assert!(!table.note_fingerprint("g", 7));
        assert!(!table.note_fingerprint("g", 7));
        assert!(table.note_fingerprint("g", 8));
    }
}
