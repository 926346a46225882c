//! Consumer groups and their settings. Java: `SubscriptionGroupManager`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rocketmq_common::PermName;
use rocketmq_remoting::protocol::body::{DataVersion, SubscriptionGroupConfig};

use super::check_group;
use crate::clock::Clock;

/// Groups that every broker has from the start.
const STANDING: [&str; 8] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CID_RMQ_SYS_TRANS",
];

/// The groups that a broker knows.
#[derive(Debug, Clone)]
pub(crate) struct GroupTable {
    groups: BTreeMap<String, SubscriptionGroupConfig>,
    auto_create: bool,
    /// Bits of forbidden operations, by group and topic.
    forbidden: BTreeMap<String, BTreeMap<String, i32>>,
    version: DataVersion,
    clock: Arc<Clock>,
}

impl GroupTable {
    /// The groups at the start of a broker.
    pub(crate) fn new(auto_create: bool, clock: Arc<Clock>) -> Self {
        let groups = STANDING.into_iter().map(|name| (name.to_owned(), default_config(name))).collect();
        let version = DataVersion { counter: 0, state_version: 0, timestamp: clock.now_ms() };
        Self { groups, auto_create, forbidden: BTreeMap::new(), version, clock }
    }

    /// Sets whether a group is created when it is first used.
    pub(crate) fn set_auto_create(&mut self, auto_create: bool) {
        self.auto_create = auto_create;
    }

    /// Whether the group exists.
    pub(crate) fn contains(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// The settings of a group.
    pub(crate) fn get(&self, group: &str) -> Option<&SubscriptionGroupConfig> {
        self.groups.get(group)
    }

    /// Creates a group if need be. Returns false if it does not exist and may not be created.
    pub(crate) fn find_or_create(&mut self, group: &str) -> bool {
        if self.contains(group) {
            return true;
        }
        let creates = self.auto_create && check_group(group).is_ok();
        if creates {
            self.put(group, default_config(group));
        }
        creates
    }

    /// The settings of a group, which is created if need be and allowed.
    pub(crate) fn find(&mut self, group: &str) -> Option<&SubscriptionGroupConfig> {
        self.find_or_create(group);
        self.get(group)
    }

    /// Creates a group or changes its settings.
    pub(crate) fn put(&mut self, group: &str, config: SubscriptionGroupConfig) {
        self.groups.insert(group.to_owned(), config);
        self.note_change();
    }

    /// Removes a group and its prohibitions.
    pub(crate) fn remove(&mut self, group: &str) {
        self.forbidden.remove(group);
        if self.groups.remove(group).is_some() {
            self.note_change();
        }
    }

    /// Whether a group may read a topic.
    pub(crate) fn may_read(&self, group: &str, topic: &str) -> bool {
        let bits = self.forbidden.get(group).and_then(|topics| topics.get(topic));
        bits.copied().unwrap_or(0) & read_bit() == 0
    }

    /// Allows or forbids a group to read a topic. Allowing one topic allows all, like in Java.
    pub(crate) fn set_may_read(&mut self, group: &str, topic: &str, may_read: bool) {
        if may_read {
            self.forbidden.remove(group);
        } else {
            self.forbidden.entry(group.to_owned()).or_default().insert(topic.to_owned(), read_bit());
            self.note_change();
        }
    }

    /// All groups.
    pub(crate) fn all(&self) -> &BTreeMap<String, SubscriptionGroupConfig> {
        &self.groups
    }

    /// All prohibitions, by group and topic.
    pub(crate) fn forbidden(&self) -> &BTreeMap<String, BTreeMap<String, i32>> {
        &self.forbidden
    }

    /// Counts the changes of groups.
    pub(crate) fn version(&self) -> &DataVersion {
        &self.version
    }

    fn note_change(&mut self) {
        self.version.counter += 1;
        self.version.timestamp = self.clock.now_ms();
    }
}

/// The default settings of a group.
pub(crate) fn default_config(group: &str) -> SubscriptionGroupConfig {
    SubscriptionGroupConfig {
        group_name: Some(group.to_owned()),
        group_retry_policy: Some(default_retry_policy()),
        ..SubscriptionGroupConfig::default()
    }
}

/// The retry policy of a group without one.
pub(crate) fn default_retry_policy() -> serde_json::Value {
    serde_json::json!({ "type": "CUSTOMIZED" })
}

/// Java: `PermName.INDEX_PERM_READ`.
fn read_bit() -> i32 {
    PermName::READ.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockKind;

    #[test]
    fn a_group_is_created_if_its_name_is_one_and_the_broker_may() {
        let mut groups = GroupTable::new(true, Clock::new(ClockKind::System));
        assert!(!groups.contains("g"));
        assert!(groups.find_or_create("g") && groups.contains("g"));
        assert!(!groups.find_or_create("a.b") && !groups.find_or_create(&"g".repeat(121)));
        let mut groups = GroupTable::new(false, Clock::new(ClockKind::System));
        assert!(!groups.find_or_create("g") && groups.find_or_create("TOOLS_CONSUMER"));
    }

    #[test]
    fn allowing_one_topic_allows_all() {
        let mut groups = GroupTable::new(true, Clock::new(ClockKind::System));
        groups.set_may_read("g", "T", false);
        groups.set_may_read("g", "S", false);
        assert!(!groups.may_read("g", "T") && !groups.may_read("g", "S") && groups.may_read("h", "T"));
        groups.set_may_read("g", "T", true);
        assert!(groups.may_read("g", "T") && groups.may_read("g", "S"));
    }
}
