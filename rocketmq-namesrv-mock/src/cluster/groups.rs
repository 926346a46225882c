//! Consumer groups: tests read and set their state.

use std::collections::BTreeMap;
use std::sync::Arc;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::LanguageCode;
use rocketmq_remoting::protocol::body::{
    ConsumeFromWhere, ConsumeType, MessageModel, SubscriptionData, SubscriptionGroupConfig,
};

use super::MockCluster;
use crate::MockError;
use crate::broker::{self, Broker};

/// One connection of a consumer to a broker, described by its last heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupConnection {
    /// The client id in the heartbeat. Two connections may have one id.
    pub client_id: String,
    /// The client's end of the connection, `ip:port`.
    pub peer: Arc<str>,
    /// The broker of the connection.
    pub broker: Arc<str>,
    /// The language that the client announces.
    pub language: LanguageCode,
    /// The version that the client announces (`MQVersion`).
    pub version: i32,
}

/// How a group consumes, according to the last heartbeat of any of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMode {
    /// How the group gets its messages: pull, push or pop.
    pub consume_type: ConsumeType,
    /// Whether each message goes to one member or to all.
    pub message_model: MessageModel,
    /// Where the group starts in a queue that it has never read.
    pub consume_from_where: ConsumeFromWhere,
}

impl MockCluster {
    /// The connections of a group's members. They are ordered by broker, then by time of connection; a consumer has one
    /// connection to each broker that it sends heartbeats to. Empty if the group has no members.
    pub fn group_connections(&self, group: &str) -> Vec<GroupConnection> {
        self.brokers().flat_map(|broker| connections(broker, group)).collect()
    }

    /// The subscriptions of a group, by topic, on the first broker with members. Empty if the group has no members.
    pub fn group_subscriptions(&self, group: &str) -> BTreeMap<String, SubscriptionData> {
        let of_broker = |broker: &Arc<Broker>| {
            let state = broker.lock();
            let found = state.consumers.group(group)?.subscriptions.iter();
            Some(found.map(|(topic, subscription)| (topic.clone(), subscription.data.clone())).collect())
        };
        self.brokers().find_map(of_broker).unwrap_or_default()
    }

    /// How a group consumes; `None` if it has no members.
    pub fn group_mode(&self, group: &str) -> Option<GroupMode> {
        self.brokers().find_map(|broker| {
            let mode = broker.lock().consumers.group(group)?.mode.clone();
            Some(GroupMode {
                consume_type: mode.consume_type,
                message_model: mode.message_model,
                consume_from_where: mode.consume_from_where,
            })
        })
    }

    /// The progress of a group in a topic: the offset of the next message, by queue. Queues without a committed offset
    /// are missing.
    pub fn group_offsets(&self, group: &str, topic: &str) -> BTreeMap<MessageQueue, i64> {
        let of_broker = |broker: &Arc<Broker>| {
            let queue = |queue_id| MessageQueue::new(topic, broker.name().clone(), queue_id);
            let offsets = broker.lock().offsets.of_topic(topic, group);
            offsets.into_iter().map(|(queue_id, offset)| (queue(queue_id), offset)).collect::<Vec<_>>()
        };
        self.brokers().flat_map(of_broker).collect()
    }

    /// The queues that an orderly group has locked, each with the client that holds the lock. Locks that were not
    /// refreshed for 60 s of the brokers' clock are left out.
    pub fn group_locks(&self, group: &str) -> BTreeMap<MessageQueue, String> {
        let of_broker = |broker: &Arc<Broker>| {
            let state = broker.lock();
            let owners = state.locks.owners(group, broker.now_ms());
            owners.map(|(queue, client_id)| (queue.clone(), client_id.to_owned())).collect::<Vec<_>>()
        };
        self.brokers().flat_map(of_broker).collect()
    }

    /// The settings of a group on the first broker that knows it; `None` if there is no such group. Java:
    /// `SubscriptionGroupConfig`.
    pub fn group_config(&self, group: &str) -> Option<SubscriptionGroupConfig> {
        self.brokers().find_map(|broker| broker.lock().groups.get(group).cloned())
    }

    /// Creates a group on all brokers, or changes its settings.
    ///
    /// # Errors
    /// The settings have no name, or an invalid one.
    pub fn create_group(&self, config: &SubscriptionGroupConfig) -> Result<(), MockError> {
        let name = config.group_name.as_deref().unwrap_or_default();
        let refused = |remark| MockError::Refused { code: broker::INVALID_GROUP, remark };
        broker::check_group(name).map_err(refused)?;
        for broker in self.brokers() {
            broker.lock().groups.put(name, config.clone());
        }
        Ok(())
    }

    /// Deletes a group with its offsets on all brokers, like request 207. Its members stay connected; unless brokers create
    /// groups ([`auto_create_group`](super::MockClusterBuilder::auto_create_group)), their requests are refused from now on.
    pub fn delete_group(&self, group: &str) {
        for broker in self.brokers() {
            let mut state = broker.lock();
            state.groups.remove(group);
            state.figures.remove_group(group);
            state.offsets.remove_group(group);
        }
    }
}

fn connections(broker: &Broker, group: &str) -> Vec<GroupConnection> {
    let state = broker.lock();
    let members = state.consumers.group(group).map(|group| group.members.as_slice()).unwrap_or_default();
    let seen = members.iter().map(|member| GroupConnection {
        client_id: member.client_id.clone(),
        peer: member.connection.peer().clone(),
        broker: broker.name().clone(),
        language: member.language,
        version: member.version,
    });
    seen.collect()
}
