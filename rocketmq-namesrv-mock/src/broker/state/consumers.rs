//! Members and subscriptions of consumer groups. Java: `ConsumerManager`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::body::{ConsumeFromWhere, ConsumeType, MessageModel, SubscriptionData};

use super::ClientChannelInfo;
use crate::broker::filters::TagFilter;
use crate::history::{BrokerEvent, Recorder};

/// The members and subscriptions of all groups that have members.
#[derive(Debug, Default)]
pub(crate) struct ConsumerTable {
    recorder: Recorder,
    groups: HashMap<String, ConsumerGroup>,
    /// The fingerprint of the last heartbeat of each group.
    fingerprints: HashMap<String, i32>,
}

/// A group with members, described by its last heartbeat.
#[derive(Debug, Default)]
pub(crate) struct ConsumerGroup {
    pub(crate) members: Vec<ClientChannelInfo>,
    /// Subscriptions by topic.
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    pub(crate) mode: ConsumeMode,
}

/// How a group consumes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConsumeMode {
    pub(crate) consume_type: ConsumeType,
    pub(crate) message_model: MessageModel,
    pub(crate) consume_from_where: ConsumeFromWhere,
}

/// A group's subscription to one topic.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) topic: String,
    pub(crate) version: i64,
    /// The language of the expression, if it is not that of tags.
    pub(crate) other_language: Option<String>,
    pub(crate) filter: Arc<TagFilter>,
    /// The subscription in the client's form.
    pub(crate) data: SubscriptionData,
}

/// The known subscription of a group to a topic.
#[derive(Debug)]
pub(crate) enum Subscribed<'a> {
    NoGroup,
    NoTopic,
    Yes(&'a Subscription),
}

/// A group whose members must be told of a change.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) group: String,
    pub(crate) members: Vec<Connection>,
}

impl ConsumerTable {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self { recorder, ..Self::default() }
    }

    /// Registers a heartbeat of a member. Without subscriptions the group keeps its own. Returns the members to tell
    /// if there is a new member or another topic; the caller decides whether they want to know.
    pub(crate) fn register(
        &mut self,
        name: &str,
        member: ClientChannelInfo,
        mode: ConsumeMode,
        subscriptions: Option<Vec<Subscription>>,
    ) -> Option<Changed> {
        let group = self.groups.entry(name.to_owned()).or_default();
        group.mode = mode;
        let client_id = member.client_id.clone();
        let is_new = group.join(member);
        if is_new {
            self.recorder.note(|| BrokerEvent::Joined { group: name.into(), client: client_id.into() });
        }
        let has_other_topics = subscriptions.is_some_and(|subscriptions| group.update(subscriptions));
        (is_new || has_other_topics).then(|| group.changed(name)).flatten()
    }

    /// Removes a member. Returns the remaining members to tell, even if the client was not a member.
    pub(crate) fn unregister(&mut self, name: &str, connection: u64) -> Option<Changed> {
        let group = self.groups.get_mut(name)?;
        group.leave(name, connection, &self.recorder);
        let changed = group.changed(name);
        if group.members.is_empty() {
            self.groups.remove(name);
        }
        changed
    }

    /// Removes the client of an ended connection from all groups. Returns the remaining members to tell.
    pub(crate) fn disconnect(&mut self, connection: u64) -> Vec<Changed> {
        let mut changed = Vec::new();
        self.groups.retain(|name, group| {
            if group.leave(name, connection, &self.recorder) {
                changed.extend(group.changed(name));
            }
            !group.members.is_empty()
        });
        changed
    }

    /// Removes members without telling the others. Returns their connections.
    pub(crate) fn drop_members(&mut self, which: impl Fn(&ClientChannelInfo) -> bool) -> Vec<Connection> {
        let all = self.groups.values().flat_map(|group| &group.members).filter(|member| which(member));
        let dropped: Vec<_> = all.map(|member| member.connection.clone()).collect();
        for connection in &dropped {
            self.disconnect(connection.id());
        }
        dropped
    }

    /// The name of the client behind a connection in the history: its client id if it is a member of the group.
    pub(crate) fn client(&self, group: &str, connection: &Connection) -> Arc<str> {
        let mut members = self.groups.get(group).into_iter().flat_map(|group| &group.members);
        let found = members.find(|member| member.connection.id() == connection.id());
        found.map_or_else(|| connection.peer().clone(), |member| member.client_id.as_str().into())
    }

    /// Stores the fingerprint of a heartbeat. Returns true if it differs from the group's last one.
    pub(crate) fn note_fingerprint(&mut self, group: &str, fingerprint: i32) -> bool {
        let before = self.fingerprints.insert(group.to_owned(), fingerprint);
        before.is_some_and(|before| before != fingerprint)
    }

    /// A group that has members.
    pub(crate) fn group(&self, group: &str) -> Option<&ConsumerGroup> {
        self.groups.get(group)
    }

    /// The client ids of a group. A client with two connections is listed twice, like by Apache's broker.
    pub(crate) fn client_ids(&self, group: &str) -> Vec<&str> {
        let members = self.groups.get(group).map(|group| group.members.as_slice()).unwrap_or_default();
        members.iter().map(|member| member.client_id.as_str()).collect()
    }

    /// A connection of a member.
    pub(crate) fn find(&self, group: &str, client_id: &str) -> Option<&ClientChannelInfo> {
        self.groups.get(group)?.members.iter().find(|member| member.client_id == client_id)
    }

    /// The groups with members that have subscribed to a topic.
    pub(crate) fn groups_of(&self, topic: &str) -> BTreeSet<&str> {
        let all = self.groups.iter();
        all.filter(|(_, group)| group.subscriptions.contains_key(topic))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The subscription of a group to a topic.
    pub(crate) fn subscription(&self, group: &str, topic: &str) -> Subscribed<'_> {
        match self.groups.get(group) {
            None => Subscribed::NoGroup,
            Some(group) => group.subscriptions.get(topic).map_or(Subscribed::NoTopic, Subscribed::Yes),
        }
    }
}

impl ConsumerGroup {
    /// Adds a member. Returns true if its connection is new here.
    fn join(&mut self, member: ClientChannelInfo) -> bool {
        match self.members.iter_mut().find(|known| known.connection.id() == member.connection.id()) {
            Some(known) => {
                *known = member;
                false
            }
            None => {
                self.members.push(member);
                true
            }
        }
    }

    /// Removes a member. Returns true if it was one.
    fn leave(&mut self, name: &str, connection: u64, recorder: &Recorder) -> bool {
        let Some(index) = self.members.iter().position(|member| member.connection.id() == connection) else {
            return false;
        };
        let client = self.members.remove(index).client_id;
        recorder.note(|| BrokerEvent::Left { group: name.into(), client: client.into() });
        true
    }

    /// Takes new and newer subscriptions, and drops topics that are missing. Returns true if the set of topics changed.
    fn update(&mut self, subscriptions: Vec<Subscription>) -> bool {
        let topics: BTreeSet<String> = subscriptions.iter().map(|new| new.topic.clone()).collect();
        let is_other = !self.subscriptions.keys().eq(&topics);
        self.subscriptions.retain(|topic, _| topics.contains(topic));
        for new in subscriptions {
            let is_news = self.subscriptions.get(&new.topic).is_none_or(|old| new.version > old.version);
            if is_news {
                self.subscriptions.insert(new.topic.clone(), new);
            }
        }
        is_other
    }

    /// The members to tell of a change. Broadcast groups are not told: each member gets all messages anyway.
    fn changed(&self, name: &str) -> Option<Changed> {
        if self.mode.message_model == MessageModel::Broadcasting {
            return None;
        }
        let members = self.members.iter().map(|member| member.connection.clone()).collect();
        Some(Changed { group: name.to_owned(), members })
    }
}

impl From<SubscriptionData> for Subscription {
    fn from(data: SubscriptionData) -> Self {
        let filter = match data.sub_string.as_str() {
            "*" => TagFilter::All,
            _ => TagFilter::Codes(data.code_set.clone()),
        };
        let language = data.expression_type.as_str();
        Self {
            topic: data.topic.clone(),
            version: data.sub_version,
            other_language: Some(language).filter(|kind| !matches!(*kind, "" | "TAG")).map(str::to_owned),
            filter: Arc::new(filter),
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(topic: &str, version: i64) -> Subscription {
        let data =
            SubscriptionData { topic: topic.to_owned(), sub_version: version, ..SubscriptionData::default() };
        Subscription { filter: Arc::new(TagFilter::All), ..Subscription::from(data) }
    }

    #[test]
    fn a_heartbeat_replaces_older_subscriptions_and_drops_missing_ones() {
        let mut group = ConsumerGroup::default();
        let version =
            |group: &ConsumerGroup, topic| group.subscriptions.get(topic).map(|found| found.version);
        assert!(group.update(vec![subscription("T", 5), subscription("S", 5)]));
        assert!(group.update(vec![subscription("T", 4)]), "a topic is missing");
        assert_eq!((version(&group, "T"), version(&group, "S")), (Some(5), None));
        assert!(!group.update(vec![subscription("T", 6)]), "another version is no other topic");
        assert_eq!(version(&group, "T"), Some(6));
        assert!(group.update(vec![subscription("T", 6), subscription("S", 1)]), "a topic is new");
    }

    #[test]
    fn another_fingerprint_is_noticed() {
        let mut table = ConsumerTable::default();
        assert!(!table.note_fingerprint("g", 7));
        assert!(!table.note_fingerprint("g", 7));
        assert!(table.note_fingerprint("g", 8));
    }
}
