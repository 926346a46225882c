//! A broker: a master, or a slave of one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rocketmq_common::mix_all::DEFAULT_TRACE_REGION_ID;
use rocketmq_common::{MessageQueue, OffsetMsgId, PermName, UniqueIdGenerator};
use rocketmq_remoting::net::TaskOwner;
use rocketmq_remoting::protocol::{ExtFields, ResponseCode};
use tokio::sync::Notify;

use super::settings::Settings;
use super::{Acl, Obeyed, Role, State, TopicSettings};
use crate::changes::Changes;
use crate::clock::Clock;
use crate::faults::{Admission, Faults};
use crate::history::Recorder;
use crate::name_server::Routes;
use crate::wire::TRACE_ON;

/// The code for a name that no topic can have.
pub(crate) const INVALID_TOPIC: ResponseCode = ResponseCode::INVALID_PARAMETER;

/// The code for a name that no group can have.
pub(crate) const INVALID_GROUP: ResponseCode = ResponseCode::INVALID_PARAMETER;

/// Where a broker belongs and how it behaves.
#[derive(Debug, Clone)]
pub(crate) struct BrokerOptions {
    pub(crate) cluster: Arc<str>,
    /// Bytes of records that are kept at most.
    pub(crate) store_limit: usize,
    /// Bytes of records above which the oldest ones are dropped.
    pub(crate) memory_limit: Option<usize>,
    /// What can be changed while it runs.
    pub(crate) obeyed: Obeyed,
    /// Where its NameServers are.
    pub(crate) name_server_addr: String,
    /// Which clients may ask; `None` lets all of them.
    pub(crate) acl: Option<Acl>,
}

/// Which broker of a cluster it is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The name that a master and its slaves share.
    pub(crate) name: Arc<str>,
    /// 0 is the master.
    pub(crate) id: i64,
    /// What the mock calls this server.
    pub(crate) server: Arc<str>,
    /// Of a slave.
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
    /// Told of changes that no request makes.
    pub(crate) changes: Arc<Changes>,
    /// Faults that its requests to clients meet.
    pub(crate) faults: Arc<Faults>,
    pub(crate) recorder: Recorder,
    pub(crate) clock: Arc<Clock>,
    /// When the broker came to be.
    pub(crate) boot_ms: i64,
    /// Owns tasks that outlive a request.
    pub(crate) tasks: TaskOwner,
    /// Known once the socket is bound; another one if the broker comes back elsewhere.
    pub(crate) address: RwLock<SocketAddr>,
    /// What may be done with its topics. Java: `brokerPermission`.
    pub(crate) perm: AtomicI32,
    /// Makes ids for messages that come without one.
    pub(crate) ids: UniqueIdGenerator,
    /// What nearly every answer to a send carries.
    pub(crate) send_fields: ExtFields,
    pub(crate) state: Mutex<State>,
    /// The broker id that pull answers suggest.
    pub(super) suggested: AtomicI64,
    /// Told when a pull is held that is due before all others.
    pub(crate) held_sooner: Notify,
    /// Told when something is due before all else.
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
            // The port is known once it is announced.
            address: RwLock::new((Ipv4Addr::LOCALHOST, 0).into()),
            perm: AtomicI32::new(PermName::READ_WRITE.0),
            ids,
            send_fields: [("MSG_REGION", DEFAULT_TRACE_REGION_ID), ("TRACE_ON", TRACE_ON)]
                .into_iter()
                .collect(),
            state: Mutex::new(state),
            suggested: AtomicI64::new(0),
            held_sooner: Notify::new(),
            due_sooner: Notify::new(),
        }
    }

    /// The broker's name, which it shares with its slaves or its master.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What the mock calls this server.
    pub(crate) fn server(&self) -> &Arc<str> {
        &self.server
    }

    /// A queue of this broker.
    pub(crate) fn queue(&self, topic: &str, queue_id: i32) -> MessageQueue {
        MessageQueue::new(topic, self.name.clone(), queue_id)
    }

    /// The time that this broker goes by.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Says where the broker listens, and announces it and its topics to all NameServers.
    pub(crate) fn announce(&self, address: SocketAddr) {
        *self.address.write().unwrap_or_else(PoisonError::into_inner) = address;
        self.set_up(true);
        self.note_place(address);
        for routes in &self.name_servers {
            // Apache's broker puts no brackets around an IPv6 address.
            let address = format!("{}:{}", address.ip(), address.port());
            routes.register_broker(&self.name, &self.options.cluster, self.id, address);
        }
        // What a slave has, its master has announced.
        if self.is_slave() {
            return;
        }
        for config in self.lock().topics.configs() {
            self.announce_topic(config);
        }
    }

    /// Notes the settings that say which broker it is.
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
        // No server listens there: slaves of the mock need no connection.
        self.note_setting("haListenPort", u32::from(address.port()) + 1);
    }

    pub(crate) fn is_slave(&self) -> bool {
        self.role.is_slave()
    }

    /// Notes whether it runs.
    pub(crate) fn set_up(&self, is_up: bool) {
        self.role.set_up(is_up);
    }

    /// Takes the broker out of the routes of all NameServers.
    pub(crate) fn withdraw(&self) {
        for routes in &self.name_servers {
            routes.unregister_broker(&self.name, self.id);
        }
    }

    /// Tells all NameServers of a topic.
    pub(crate) fn announce_topic(&self, config: &TopicSettings) {
        let (mut queues, perm) = (config.queue_data(), self.perm.load(Ordering::Relaxed));
        // A broker without limits says nothing about other permissions.
        if perm != PermName::READ_WRITE.0 {
            queues.perm = PermName(queues.perm.0 & perm);
        }
        for routes in &self.name_servers {
            routes.register_topic(&self.name, &config.name, queues);
        }
    }

    /// Says what may be done with all topics here, and announces it. Java: `brokerPermission`, which is what clients
    /// read in routes; a send that comes all the same is stored.
    pub(crate) fn set_perm(&self, perm: PermName) {
        self.note_setting("brokerPermission", perm.0);
        let state = self.lock();
        self.perm.store(perm.0, Ordering::Relaxed);
        for config in state.topics.configs() {
            self.announce_topic(config);
        }
    }

    /// What may be done with all topics here.
    pub(crate) fn permits(&self) -> PermName {
        PermName(self.perm.load(Ordering::Relaxed))
    }

    /// Creates or changes a topic and announces it.
    pub(crate) fn put_topic(&self, state: &mut State, config: TopicSettings) {
        self.announce_topic(&config);
        state.topics.put(config);
    }

    /// Creates a topic that is missing; of an existing topic, only whether it is ordered may change. Java: `createTopicInSendMessageBackMethod`.
    pub(crate) fn ensure_topic(&self, state: &mut State, config: TopicSettings) {
        let config = match state.topics.get(&config.name) {
            Some(topic) if topic.config.order == config.order => return,
            Some(topic) => TopicSettings { order: config.order, ..topic.config.clone() },
            None => config,
        };
        self.put_topic(state, config);
    }

    /// Drops a topic with its messages and committed offsets. The records stay where they are.
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

    /// Where the broker listens.
    pub(crate) fn address(&self) -> SocketAddr {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id that says where a record is.
    pub(crate) fn offset_msg_id(&self, commit_log_offset: i64) -> OffsetMsgId {
        OffsetMsgId { store_host: self.address(), commit_log_offset }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
