use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::mix_all;
use rocketmq_remoting::protocol::body::{ConsumerConnection, SubscriptionData};
use rustc_hash::FxHasher;
use tokio::time::Instant;

use crate::consumer::member::Subscribed;

/// How many members are asked at a time: all members of a group of 17 after one rebalance, of 33 after two.
const AT_A_TIME: usize = 16;
/// How often a member is asked that does not answer.
const ATTEMPTS: u8 = 3;
/// A difference that is gone for this long is told again when it comes back. The topics that a broker knows of a group change
/// with each heartbeat while members differ.
const GONE_AFTER: Duration = Duration::from_secs(120);
/// How many tables of a broker are remembered.
const TABLES: usize = 64;

/// The knowledge of a member about the other members of its group, and the differences that it has told its user.
///
/// A broker keeps one subscription for each topic of a group: that with the highest version. It answers that table (203), and
/// not who wants what. So the member with the highest version sees nothing strange there: each member is asked itself (307).
/// It is asked again when a broker has a table that was not seen since the members changed.
#[derive(Debug, Default)]
pub(crate) struct Agreement {
    /// The subscriptions of each other member, or how often it did not answer.
    members: BTreeMap<String, Result<Vec<SubscriptionData>, u8>>,
    tables: BTreeSet<u64>,
    /// When each difference was last seen.
    told: BTreeMap<Difference, Instant>,
    is_twice: bool,
    /// The user knows that brokers refuse the question.
    pub(super) is_refusal_told: bool,
}

/// Two members want different messages of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    pub(crate) topic: Arc<str>,
    /// The expression of this member, if it subscribes to the topic.
    pub(crate) ours: Option<Arc<str>>,
    /// The expression of the other, likewise.
    pub(crate) theirs: Option<Arc<str>>,
}

impl Agreement {
    /// Takes what brokers answered. Returns the members to ask.
    pub(crate) fn listed(&mut self, me: &str, answers: &[&ConsumerConnection]) -> Vec<String> {
        let connections = answers.iter().flat_map(|answer| &answer.connection_set);
        let others: BTreeSet<_> =
            connections.map(|one| one.client_id.as_str()).filter(|id| *id != me).collect();
        if !self.members.keys().map(String::as_str).eq(others.iter().copied()) {
            self.tables.clear();
            self.members.retain(|id, _| others.contains(id.as_str()));
        }
        for answer in answers {
            if self.tables.len() >= TABLES {
                self.tables.clear();
            }
            if self.tables.insert(hash_of(&answer.subscription_table)) {
                self.members.clear();
            }
        }
        for id in others {
            self.members.entry(id.to_owned()).or_insert(Err(0));
        }
        let unknown = self.members.iter().filter(|(_, said)| matches!(said, Err(times) if *times < ATTEMPTS));
        unknown.map(|(id, _)| id.clone()).take(AT_A_TIME).collect()
    }

    /// Takes what a member says that it subscribes to; `None`: it did not answer.
    pub(crate) fn said(&mut self, id: &str, subscriptions: Option<Vec<SubscriptionData>>) {
        if let Some(said) = self.members.get_mut(id) {
            let times = said.as_ref().err().map_or(0, |times| times + 1);
            *said = subscriptions.ok_or(times);
        }
    }

    /// The differences to tell, each with the client id of a member that differs, if it is known.
    pub(crate) fn differences(
        &mut self,
        now: Instant,
        ours: &[Arc<Subscribed>],
        answers: &[&ConsumerConnection],
    ) -> Vec<(Difference, Option<String>)> {
        let mut found = BTreeMap::new();
        for (id, said) in &self.members {
            let Ok(theirs) = said else { continue };
            for (difference, _) in compare(ours, theirs) {
                found.entry(difference).or_insert_with(|| Some(id.clone()));
            }
        }
        let all_agree = found.is_empty() && self.members.values().all(Result::is_ok);
        let mut silent = self.members.iter().filter(|(_, said)| said.is_err()).map(|(id, _)| id);
        let only_silent = silent.next().filter(|_| silent.next().is_none());
        for answer in answers {
            for (difference, is_newer) in compare(ours, answer.subscription_table.values()) {
                let one_expression = difference.ours.is_some() && difference.theirs.is_some();
                // An older expression: the broker has not heard of ours. Other topics are there until the next heartbeat.
                if if one_expression { is_newer } else { !all_agree } {
                    found.entry(difference).or_insert_with(|| only_silent.cloned());
                }
            }
        }
        self.told.retain(|_, seen| now.saturating_duration_since(*seen) < GONE_AFTER);
        found.retain(|difference, _| self.told.insert(difference.clone(), now).is_none());
        found.into_iter().collect()
    }

    /// Whether to tell that another client has this id. `None`: that is not known.
    pub(crate) fn is_twice(&mut self, is_twice: Option<bool>) -> bool {
        let before = self.is_twice;
        self.is_twice = is_twice.unwrap_or(before);
        self.is_twice && !before
    }
}

/// The differences, each with whether the other subscription is newer.
fn compare<'a>(
    ours: &[Arc<Subscribed>],
    theirs: impl IntoIterator<Item = &'a SubscriptionData>,
) -> Vec<(Difference, bool)> {
    // Retry topics are of one member's mode, and want all messages.
    let theirs = theirs.into_iter().filter(|other| !mix_all::is_retry_topic(&other.topic));
    let mut theirs: BTreeMap<&str, &SubscriptionData> = theirs.map(|one| (one.topic.as_str(), one)).collect();
    let mut differences = Vec::new();
    for subscribed in ours.iter().filter(|subscribed| !subscribed.is_retry) {
        let (topic, subscription) = (subscribed.topic.clone(), &subscribed.subscription);
        let other = theirs.remove(&*topic);
        if other.is_some_and(|other| subscription.is_same(other)) {
            continue;
        }
        let is_newer = other.is_some_and(|other| other.sub_version >= subscription.data().sub_version);
        let (ours, theirs) = (Some(text(subscription.data())), other.map(text));
        differences.push((Difference { topic, ours, theirs }, is_newer));
    }
    for (topic, other) in theirs {
        differences.push((Difference { topic: topic.into(), ours: None, theirs: Some(text(other)) }, true));
    }
    differences
}

/// An expression as a `MessageSelector` prints it.
fn text(data: &SubscriptionData) -> Arc<str> {
    match data.expression_type.as_str() {
        "" | "TAG" => data.sub_string.as_str().into(),
        kind => format!("{kind} {}", data.sub_string).into(),
    }
}

fn hash_of(table: &BTreeMap<String, SubscriptionData>) -> u64 {
    let mut hasher = FxHasher::default();
    for data in table.values() {
        (&data.topic, &data.expression_type, &data.sub_string, data.sub_version).hash(&mut hasher);
    }
    hasher.finish()
}
