//! The groups of this client: their part of heartbeats, and their handlers for requests of brokers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rocketmq_remoting::net::Responder;
use rocketmq_remoting::protocol::body::{ConsumerData, HeartbeatData, ProducerData};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::error::MQClientError;
use crate::mq_client_api::Group;

/// Handles the requests of brokers with one code.
pub(crate) trait BrokerRequestHandler: fmt::Debug + Send + Sync {
    /// Handles one request. It runs on the task of a connection: it must answer at once, or pass the request to a
    /// bounded queue.
    fn handle(&self, request: RemotingCommand, responder: Responder);
}

/// The handlers of a group, by request code.
pub(crate) type Handlers = Vec<(RequestCode, Arc<dyn BrokerRequestHandler>)>;

/// The registry of the groups of one client. Java: `producerTable` and `consumerTable` of `MQClientInstance`.
///
/// Each heartbeat is made anew from it. Its version grows with each change that a heartbeat must tell: a registration
/// or a changed subscription. Leaving does not change the version, because a request of its own (35) tells it.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    members: RwLock<BTreeMap<Group, Member>>,
    version: AtomicU64,
}

struct Member {
    /// The version of its registration: distinguishes it from an earlier registration under this name.
    since: u64,
    /// Its part of heartbeats, for a consumer group.
    consumer: Option<ConsumerData>,
    handlers: Handlers,
}

/// A registration. Dropping it removes the group from the registry; brokers are not told.
#[derive(Debug)]
pub(crate) struct Membership {
    groups: Arc<Groups>,
    group: Group,
    since: u64,
}

impl Groups {
    /// Registers a producer group. Its handlers serve requests from now on.
    pub(crate) fn register_producer(
        self: &Arc<Self>,
        group: Arc<str>,
        handlers: Handlers,
    ) -> Result<Membership, MQClientError> {
        self.register(Group::Producer(group), None, handlers)
    }

    /// Registers a consumer group with its subscriptions. Its handlers serve requests from now on.
    pub(crate) fn register_consumer(
        self: &Arc<Self>,
        data: ConsumerData,
        handlers: Handlers,
    ) -> Result<Membership, MQClientError> {
        self.register(Group::Consumer(data.group_name.as_str().into()), Some(data), handlers)
    }

    /// The version of the registry.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether there is a consumer group: then slaves need heartbeats too.
    pub(crate) fn have_consumer(&self) -> bool {
        self.read().keys().any(|group| matches!(group, Group::Consumer(_)))
    }

    /// A heartbeat with its version; `None` while there is no group.
    pub(crate) fn heartbeat(&self, client_id: &str) -> Option<(u64, HeartbeatData)> {
        let members = self.read();
        if members.is_empty() {
            return None;
        }
        let mut data = HeartbeatData { client_id: client_id.to_owned(), ..HeartbeatData::default() };
        for (group, member) in &*members {
            match group {
                Group::Producer(name) => {
                    data.producer_data_set.push(ProducerData { group_name: name.to_string() });
                }
                Group::Consumer(_) => data.consumer_data_set.extend(member.consumer.clone()),
            }
        }
        // The version is read under the lock, so it belongs to the data.
        Some((self.version(), data))
    }

    /// The handler of the named group for requests with this code.
    pub(super) fn handler(&self, code: RequestCode, name: &str) -> Option<Arc<dyn BrokerRequestHandler>> {
        let members = self.read();
        let of_group = members.iter().filter(|(group, _)| **group.name() == *name);
        let mut handlers = of_group.flat_map(|(_, member)| &member.handlers);
        handlers.find(|(handled, _)| *handled == code).map(|(_, handler)| handler.clone())
    }

    fn register(
        self: &Arc<Self>,
        group: Group,
        consumer: Option<ConsumerData>,
        handlers: Handlers,
    ) -> Result<Membership, MQClientError> {
        let mut members = self.write();
        if members.contains_key(&group) {
            return Err(MQClientError::InvalidOption {
                option: "group_name",
                reason: format!(
                    "the client has a member of {group} already: share it, or use another client"
                ),
            });
        }
        let since = self.next_version();
        members.insert(group.clone(), Member { since, consumer, handlers });
        Ok(Membership { groups: self.clone(), group, since })
    }

    /// A new version. The caller holds the lock for writing.
    fn next_version(&self) -> u64 {
        self.version.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Group, Member>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Group, Member>> {
        self.members.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// Removes the group from the registry. Later calls do nothing.
    pub(crate) fn end(&self) {
        let mut members = self.groups.write();
        if members.get(&self.group).is_some_and(|member| member.since == self.since) {
            members.remove(&self.group);
        }
    }

    /// Replaces a consumer group's part of heartbeats.
    pub(crate) fn subscribe(&self, data: ConsumerData) {
        let mut members = self.groups.write();
        let member = members.get_mut(&self.group).filter(|member| member.since == self.since);
        if let Some(Member { consumer: Some(consumer), .. }) = member {
            *consumer = data;
            self.groups.next_version();
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<RequestCode> = self.handlers.iter().map(|(code, _)| *code).collect();
        f.debug_struct("Member").field("consumer", &self.consumer).field("answers", &codes).finish()
    }
}

#[cfg(test)]
mod tests {
    use rocketmq_remoting::protocol::body::SubscriptionData;

    use super::*;

    #[derive(Debug)]
    struct Silent;

    impl BrokerRequestHandler for Silent {
        fn handle(&self, _: RemotingCommand, _: Responder) {}
    }

    fn consumer(group: &str, topic: &str) -> ConsumerData {
        let subscription = SubscriptionData { topic: topic.to_owned(), ..SubscriptionData::default() };
        ConsumerData {
            group_name: group.to_owned(),
            subscription_data_set: vec![subscription],
            ..ConsumerData::default()
        }
    }

    /// The producer groups of a heartbeat, and the topics of its consumer groups.
    fn told(groups: &Groups) -> String {
        let Some((_, data)) = groups.heartbeat("id") else { return "nothing".to_owned() };
        assert_eq!((data.client_id.as_str(), data.heartbeat_fingerprint, data.without_sub), ("id", 0, false));
        let producers = data.producer_data_set.iter().map(|producer| producer.group_name.clone());
        let consumers = data
            .consumer_data_set
            .iter()
            .map(|consumer| format!("{}:{}", consumer.group_name, consumer.subscription_data_set[0].topic));
        producers.chain(consumers).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_heartbeat_tells_of_the_groups_that_are_there_when_it_is_made() {
        let groups = Arc::new(Groups::default());
        assert_eq!(told(&groups), "nothing");
        let orders = groups.register_producer("orders".into(), Vec::new()).unwrap();
        let billing = groups.register_consumer(consumer("billing", "T1"), Vec::new()).unwrap();
        assert_eq!((told(&groups).as_str(), groups.have_consumer()), ("orders billing:T1", true));
        billing.subscribe(consumer("billing", "T2"));
        assert_eq!(told(&groups), "orders billing:T2");
        drop(billing);
        assert_eq!((told(&groups).as_str(), groups.have_consumer()), ("orders", false));
        orders.end();
        assert_eq!(told(&groups), "nothing");
    }

    #[test]
    fn what_brokers_must_be_told_has_a_new_version_and_leaving_has_none() {
        let groups = Arc::new(Groups::default());
        let orders = groups.register_producer("orders".into(), Vec::new()).unwrap();
        let first = groups.heartbeat("id").unwrap().0;
        let billing = groups.register_consumer(consumer("billing", "T1"), Vec::new()).unwrap();
        let second = groups.heartbeat("id").unwrap().0;
        billing.subscribe(consumer("billing", "T2"));
        let third = groups.heartbeat("id").unwrap().0;
        assert!(first < second && second < third, "{first} {second} {third}");
        drop(orders);
        assert_eq!(groups.version(), third);
    }

    #[test]
    fn a_group_has_one_member_of_each_kind_and_an_old_membership_ends_no_new_one() {
        let groups = Arc::new(Groups::default());
        let first = groups.register_producer("g".into(), Vec::new()).unwrap();
        let error = groups.register_producer("g".into(), Vec::new()).unwrap_err();
        assert!(error.to_string().contains("member of producer group g already"), "{error}");
        let _consumer = groups.register_consumer(consumer("g", "T"), Vec::new()).unwrap();
        first.end();
        let _second = groups.register_producer("g".into(), Vec::new()).unwrap();
        drop(first);
        assert_eq!(told(&groups), "g g:T");
    }

    #[test]
    fn requests_of_brokers_go_to_the_group_that_they_name() {
        let groups = Arc::new(Groups::default());
        let check = RequestCode::CHECK_TRANSACTION_STATE;
        let handlers: Handlers = vec![(check, Arc::new(Silent))];
        let orders = groups.register_producer("orders".into(), handlers).unwrap();
        assert!(groups.handler(check, "orders").is_some());
        assert!(groups.handler(check, "another").is_none());
        assert!(groups.handler(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, "orders").is_none());
        drop(orders);
        assert!(groups.handler(check, "orders").is_none());
    }
}
