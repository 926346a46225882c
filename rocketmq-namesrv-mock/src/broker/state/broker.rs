//! A broker: a master, or a slave of one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rocketmq_common::mix_all::DEFAULT_TRACE_REGION_ID;
use rocketmq_common::{MessageQueue, OffsetMsgId, PermName, UniqueIdGenerator};
use rocketmq_remoting::net::TaskOwner;
use rocketmq_remoting::protocol::{ExtFields, ResponseCode};
use tokio::sync::Notify;

use super::settings::{Settings, TRACE_SWITCH};
use super::{Acl, Obeyed, Role, State, TopicSettings};
use crate::changes::Changes;
use crate::clock::Clock;
use crate::faults::{Admission, Faults};
use crate::history::Recorder;
use crate::name_server::Routes;

/// The code for an invalid topic name.
pub(crate) const INVALID_TOPIC: ResponseCode = ResponseCode::INVALID_PARAMETER;

/// The code for an invalid group name.
pub(crate) const INVALID_GROUP: ResponseCode = ResponseCode::INVALID_PARAMETER;

/// The cluster and the behaviour of a broker.
#[derive(Debug, Clone)]
pub(crate) struct BrokerOptions {
    pub(crate) cluster: Arc<str>,
    /// The largest number of bytes of records.
    pub(crate) store_limit: usize,
    /// Bytes of records above which the oldest are dropped.
    pub(crate) memory_limit: Option<usize>,
    /// Settings that can change at run time.
    pub(crate) obeyed: Obeyed,
    /// The addresses of its NameServers.
    pub(crate) name_server_addr: String,
    /// The access check; `None` lets all clients in.
    pub(crate) acl: Option<Acl>,
}

/// The place of a broker in its cluster.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The name that a master and its slaves share.
    pub(crate) name: Arc<str>,
    /// 0 is the master.
    pub(crate) id: i64,
    /// The name of this server in calls of the mock.
    pub(crate) server: Arc<str>,
    /// The master of a slave.
    pub(crate) master: Option<Arc<Broker>>,
}

/// One broker: a master, or a slave of one.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) name: Arc<str>,
    pub(crate) id: i64,
    pub(crate) server: Arc<str>,
    pub(crate) role: Role,
    pub(crate) options: BrokerOptions,
    pub(crate) settings: RwLock<Settings>,
    pub(crate) name_servers: Vec<Arc<Routes>>,
    /// Notified of changes without a request.
    pub(crate) changes: Arc<Changes>,
    /// Fault rules for its requests to clients.
    pub(crate) faults: Arc<Faults>,
    pub(crate) recorder: Recorder,
    pub(crate) clock: Arc<Clock>,
    /// When the broker was made.
    pub(crate) boot_ms: i64,
    /// Owns tasks that outlive a request.
    pub(crate) tasks: TaskOwner,
    /// Known once the socket is bound; changes if the broker moves.
    pub(crate) address: RwLock<SocketAddr>,
    /// The permissions of its topics. Java: `brokerPermission`.
    pub(crate) perm: AtomicI32,
    /// Makes ids for messages that come without one.
    pub(crate) ids: UniqueIdGenerator,
    /// Fields of nearly every answer to a send, without tracing and with it.
    pub(super) send_fields: [ExtFields; 2],
    pub(crate) state: Mutex<State>,
    /// The broker id that pull answers suggest.
    pub(super) suggested: AtomicI64,
    /// Notified when a held pull is due before all others.
    pub(crate) held_sooner: Notify,
    /// Notified when a duty is due before all others.
    pub(crate) due_sooner: Notify,
}

impl Broker {
    pub(crate) fn new(
        identity: Identity,
        options: BrokerOptions,
        name_servers: Vec<Arc<Routes>>,
        admission: &Admission,
        clock: Arc<Clock>,
        tasks: TaskOwner,
        ids: UniqueIdGenerator,
    ) -> Self {
        let Identity { name, id, server, master } = identity;
        let recorder = Recorder::new(&admission.history, &server);
        let state = State::new(&name, &options, &clock, &recorder);
        Self {
            name,
            id,
            server,
            role: Role::new(master),
            settings: RwLock::new(Settings::new(options.obeyed, clock.now_ms())),
            options,
            name_servers,
            changes: admission.changes.clone(),
            faults: admission.faults.clone(),
            recorder,
            boot_ms: clock.now_ms(),
            clock,
            tasks,
            // The port is set when the broker announces itself.
            address: RwLock::new((Ipv4Addr::LOCALHOST, 0).into()),
            perm: AtomicI32::new(PermName::READ_WRITE.0),
            ids,
            send_fields: TRACE_SWITCH.map(|switch| {
                [("MSG_REGION", DEFAULT_TRACE_REGION_ID), ("TRACE_ON", switch)].into_iter().collect()
            }),
            state: Mutex::new(state),
            suggested: AtomicI64::new(0),
            held_sooner: Notify::new(),
            due_sooner: Notify::new(),
        }
    }

    /// The name that master and slaves share.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The name of this server in calls of the mock.
    pub(crate) fn server(&self) -> &Arc<str> {
        &self.server
    }

    /// A queue of this broker.
    pub(crate) fn queue(&self, topic: &str, queue_id: i32) -> MessageQueue {
        MessageQueue::new(topic, self.name.clone(), queue_id)
    }

    /// The time of this broker.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Sets the listening address, and announces the broker and its topics to all NameServers.
    pub(crate) fn announce(&self, address: SocketAddr) {
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = address;
        self.set_up(true);
        self.note_place(address);
        for routes in &self.name_servers {
            // Apache's broker announces IPv6 addresses without brackets.
            let address = format!("{}:{}", address.ip(), address.port());
            routes.register_broker(&self.name, &self.options.cluster, self.id, address);
        }
        // The master announces the topics of its slaves.
        if self.is_slave() {
            return;
        }
        for config in self.lock().topics.configs() {
            self.announce_topic(config);
        }
    }

    /// Records the settings that describe the broker's place.
    pub(crate) fn note_place(&self, address: SocketAddr) {
        let role = if self.is_slave() { "SLAVE" } else { "ASYNC_MASTER" };
        self.note_setting("brokerRole", role);
        self.note_setting("brokerId", self.id);
        self.note_setting("brokerName", &self.name);
        self.note_setting("brokerClusterName", &self.options.cluster);
        self.note_setting("namesrvAddr", &self.options.name_server_addr);
        for name in ["brokerIP1", "brokerIP2", "bindAddress"] {
            self.note_setting(name, address.ip());
        }
        self.note_setting("listenPort", address.port());
        // Nothing listens there: slaves of the mock need no connection.
        self.note_setting("haListenPort", u32::from(address.port()) + 1);
    }

    pub(crate) fn is_slave(&self) -> bool {
        self.role.is_slave()
    }

    /// Records whether the broker runs.
    pub(crate) fn set_up(&self, is_up: bool) {
        self.role.set_up(is_up);
    }

    /// Takes the broker out of the routes of all NameServers.
    pub(crate) fn withdraw(&self) {
        for routes in &self.name_servers {
            routes.unregister_broker(&self.name, self.id);
        }
    }

    /// Announces a topic to all NameServers.
    pub(crate) fn announce_topic(&self, config: &TopicSettings) {
        let (mut queues, perm) = (config.queue_data(), self.perm.load(Ordering::Relaxed));
        // Like Apache's: only a restricted broker changes the permissions of its topics.
        if perm != PermName::READ_WRITE.0 {
            queues.perm = PermName(queues.perm.0 & perm);
        }
        for routes in &self.name_servers {
            routes.register_topic(&self.name, &config.name, queues);
        }
    }

    /// Sets the permissions of all topics, and announces them. Java: `brokerPermission`. Clients read them in routes;
    /// a send that still comes is stored.
    pub(crate) fn set_perm(&self, perm: PermName) {
        self.note_setting("brokerPermission", perm.0);
        let state = self.lock();
        self.perm.store(perm.0, Ordering::Relaxed);
        for config in state.topics.configs() {
            self.announce_topic(config);
        }
    }

    /// The permissions of all topics.
    pub(crate) fn permits(&self) -> PermName {
        PermName(self.perm.load(Ordering::Relaxed))
    }

    /// Creates or changes a topic and announces it.
    pub(crate) fn put_topic(&self, state: &mut State, config: TopicSettings) {
        self.announce_topic(&config);
        state.topics.put(config);
    }

    /// Creates a missing topic. Of an existing topic, only `order` may change. Java:
    /// `createTopicInSendMessageBackMethod`.
    pub(crate) fn ensure_topic(&self, state: &mut State, config: TopicSettings) {
        let config = match state.topics.get(&config.name) {
            Some(topic) if topic.config.order == config.order => return,
            Some(topic) => TopicSettings { order: config.order, ..topic.config.clone() },
            None => config,
        };
        self.put_topic(state, config);
    }

    /// Removes a topic with its queues and committed offsets. Its records stay.
    pub(crate) fn remove_topic(&self, topic: &str) {
        let mut state = self.lock();
        state.topics.remove(topic);
        state.offsets.remove_topic(topic);
        state.figures.remove_topic(topic);
    }

    /// The members of a consumer group.
    pub(crate) fn consumer_ids(&self, group: &str) -> Vec<String> {
        self.lock().consumers.client_ids(group).into_iter().map(str::to_owned).collect()
    }

    /// The listening address.
    pub(crate) fn address(&self) -> SocketAddr {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The offset message id of a record.
    pub(crate) fn offset_msg_id(&self, commit_log_offset: i64) -> OffsetMsgId {
        OffsetMsgId { store_host: self.address(), commit_log_offset }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
