//! A broker: topics, messages, offsets and members, in memory, answering as Apache's broker 5.5.0 does.
//!
//! One file per family of requests; [`table`] says which code goes where.

mod acl;
mod append;
mod attributes;
mod clients;
mod connections;
mod consumers;
mod filter;
mod groups;
mod known_properties;
mod later;
mod names;
mod offsets;
mod producers;
mod pull;
mod query;
mod recall;
mod reply;
mod runtime;
mod send;
mod table;
mod topic_table;
mod topics;
mod transaction;
mod view;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rocketmq_common::{OffsetMsgId, UniqueIdGenerator};
use rocketmq_remoting::net::{Connection, ConnectionEnd, RequestHandler, Responder, TaskOwner};
use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, ResponseCode};

pub(crate) use acl::Acl;

use crate::capture::Capture;
use crate::clock::Clock;
use crate::faults::{Admitted, Faults};
use crate::name_server::{self, Routes};
use crate::store::CommitLog;
use consumers::ConsumerTable;
pub(crate) use groups::CommittedOffsets;
use groups::GroupTable;
use later::agenda::Agenda;
pub(crate) use later::deliver::keep_time;
pub(crate) use names::check_topic;
use producers::ProducerTable;
use pull::HeldPulls;
pub(crate) use pull::expire_held_pulls;
pub(crate) use topic_table::{TopicConfig, TopicTable};
use transaction::Halves;
pub(crate) use transaction::{TransactionOptions, check_transactions};

/// What a broker answers to a name that no topic can have.
pub(crate) const INVALID_TOPIC: ResponseCode = ResponseCode::INVALID_PARAMETER;

/// Where a broker belongs and how it behaves.
#[derive(Debug, Clone)]
pub(crate) struct BrokerOptions {
    pub(crate) cluster: Arc<str>,
    pub(crate) auto_create_topic: bool,
    /// Bytes of records that are kept at most.
    pub(crate) store_limit: usize,
    /// Acknowledge sends and store nothing.
    pub(crate) discard_messages: bool,
    pub(crate) transactions: TransactionOptions,
    /// Timer messages can be taken back.
    pub(crate) recall: bool,
    /// Who may ask; `None`: everybody.
    pub(crate) acl: Option<Acl>,
}

/// One broker, always a master.
#[derive(Debug)]
pub(crate) struct Broker {
    name: Arc<str>,
    options: BrokerOptions,
    name_servers: Vec<Arc<Routes>>,
    capture: Arc<Capture>,
    clock: Arc<Clock>,
    /// When the broker came to be.
    boot_ms: i64,
    /// For what takes longer than a request.
    tasks: TaskOwner,
    /// Set once the socket is bound.
    address: OnceLock<SocketAddr>,
    /// Makes ids for messages that come without one.
    ids: UniqueIdGenerator,
    /// What nearly every answer to a send carries.
    send_fields: ExtFields,
    state: Mutex<State>,
    /// Told when a pull is held that is due before all others.
    held_sooner: tokio::sync::Notify,
    /// Told when something is due before all else.
    due_sooner: tokio::sync::Notify,
}

/// All that changes, behind one short lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) topics: TopicTable,
    pub(crate) log: CommitLog,
    pub(crate) offsets: CommittedOffsets,
    groups: GroupTable,
    consumers: ConsumerTable,
    producers: ProducerTable,
    halves: Halves,
    agenda: Agenda,
    pub(crate) held: HeldPulls,
}

impl Broker {
    pub(crate) fn new(
        name: Arc<str>,
        options: BrokerOptions,
        name_servers: Vec<Arc<Routes>>,
        capture: Arc<Capture>,
        clock: Arc<Clock>,
        tasks: TaskOwner,
        ids: UniqueIdGenerator,
    ) -> Self {
        let state = State {
            topics: TopicTable::new(&options.cluster, &name, options.auto_create_topic),
            log: CommitLog::new(options.store_limit),
            offsets: CommittedOffsets::default(),
            groups: GroupTable::default(),
            consumers: ConsumerTable::default(),
            producers: ProducerTable::default(),
            halves: Halves::new(clock.now_ms(), options.transactions),
            agenda: Agenda::default(),
            held: HeldPulls::default(),
        };
        Self {
            name,
            options,
            name_servers,
            capture,
            boot_ms: clock.now_ms(),
            clock,
            tasks,
            address: OnceLock::new(),
            ids,
            send_fields: [("MSG_REGION", send::REGION), ("TRACE_ON", send::TRACE_ON)].into_iter().collect(),
            state: Mutex::new(state),
            held_sooner: tokio::sync::Notify::new(),
            due_sooner: tokio::sync::Notify::new(),
        }
    }

    /// The broker's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The time that this broker goes by.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Says where the broker listens, and announces it and its topics to all NameServers.
    pub(crate) fn announce(&self, address: SocketAddr) {
        let address = *self.address.get_or_init(|| address);
        for routes in &self.name_servers {
            // Apache's broker puts no brackets around an IPv6 address.
            let address = format!("{}:{}", address.ip(), address.port());
            let cluster = self.options.cluster.clone();
            routes.register_broker(&self.name, name_server::Broker { cluster, address });
        }
        for config in self.lock().topics.configs() {
            self.announce_topic(config);
        }
    }

    /// Takes the broker out of the routes of all NameServers.
    pub(crate) fn withdraw(&self) {
        for routes in &self.name_servers {
            routes.unregister_broker(&self.name);
        }
    }

    /// Tells all NameServers of a topic.
    fn announce_topic(&self, config: &TopicConfig) {
        for routes in &self.name_servers {
            routes.register_topic(&self.name, &config.name, config.queue_data());
        }
    }

    /// Creates or changes a topic and announces it.
    pub(crate) fn put_topic(&self, config: TopicConfig) {
        let mut state = self.lock();
        self.announce_topic(&config);
        state.topics.put(config);
    }

    /// Drops a topic with its messages and committed offsets. The records stay where they are.
    pub(crate) fn remove_topic(&self, topic: &str) {
        let mut state = self.lock();
        state.topics.remove(topic);
        state.offsets.remove_topic(topic);
    }

    /// Where the broker listens.
    pub(crate) fn address(&self) -> SocketAddr {
        // Nobody knows the port before it is announced, so that the fallback is never seen.
        self.address.get().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The id that says where a record is.
    fn offset_msg_id(&self, commit_log_offset: i64) -> OffsetMsgId {
        OffsetMsgId { store_host: self.address(), commit_log_offset }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request handler needs: the handler of the sockets keeps the broker alive.
#[derive(Debug, Clone)]
pub(crate) struct BrokerHandler {
    pub(crate) broker: Arc<Broker>,
    pub(crate) faults: Arc<Faults>,
}

impl RequestHandler for BrokerHandler {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let broker = &self.broker;
        broker.capture.note(&broker.name, &request, responder.connection());
        match self.faults.admit(&broker.name, request, responder) {
            None => {}
            Some(Admitted { request, reply, delay: None }) => table::dispatch(broker, request, reply),
            Some(Admitted { request, reply, delay: Some(delay) }) => {
                let late = broker.clone();
                broker.tasks.spawn(async move {
                    tokio::time::sleep(delay).await;
                    table::dispatch(&late, request, reply);
                });
            }
        }
    }

    fn disconnected(&self, connection: &Connection, _: &ConnectionEnd) {
        let mut state = self.broker.lock();
        state.consumers.disconnect(connection.id());
        state.producers.disconnect(connection.id());
        state.held.disconnect(connection.id());
    }
}
