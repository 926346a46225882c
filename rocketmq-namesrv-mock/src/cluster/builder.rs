//! Settings of a cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::UniqueIdGenerator;
use rocketmq_remoting::net::memory::InMemoryNetwork;
use rocketmq_remoting::net::{Acceptor, ConnectionOptions, RequestHandler, TaskOwner, random};
use rocketmq_remoting::protocol::{LanguageCode, SerializeType};

use super::MockCluster;
use super::slot::{Service, Slot};
use crate::MockError;
use crate::broker::{
    Acl, Broker, BrokerHandler, BrokerOptions, Identity, Obeyed, TransactionOptions, expire_held_requests,
    follow_master, keep_time, watch_for_silence,
};
use crate::capture::Capture;
use crate::clock::{Clock, ClockKind, stopwatch};
use crate::error::next_port;
use crate::faults::{Admission, Fault};
use crate::history::History;
use crate::lines::{LineAcceptor, Lines};
use crate::name_server::{NameServer, Routes, Setup};

/// Settings of a [`MockCluster`]; see [`MockCluster::builder`]. All have defaults.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct MockClusterBuilder {
    brokers: usize,
    slaves: usize,
    slave_read: bool,
    in_sync_replicas: usize,
    name_servers: usize,
    order_message: bool,
    cluster_name: String,
    auto_create_topic: bool,
    auto_create_group: bool,
    store_limit: usize,
    memory_limit: Option<usize>,
    captured_requests: usize,
    history: usize,
    /// The ports of the first NameServer and the first broker.
    ports: (u16, u16),
    wait_limit: Duration,
    faults: Vec<Fault>,
    ipv6: bool,
    network: Option<InMemoryNetwork>,
    serialize_type: SerializeType,
    clock: ClockKind,
    transactions: TransactionOptions,
    recall_message: bool,
    enable_property_filter: bool,
    acl: Option<Acl>,
    #[cfg(feature = "tls")]
    tls: Option<rocketmq_remoting::net::tls::TlsServerConfig>,
}

impl Default for MockClusterBuilder {
    fn default() -> Self {
        Self {
            brokers: 1,
            slaves: 0,
            slave_read: false,
            in_sync_replicas: 1,
            name_servers: 1,
            order_message: false,
            cluster_name: "DefaultCluster".to_owned(),
            auto_create_topic: true,
            auto_create_group: true,
            store_limit: 512 * 1024 * 1024,
            memory_limit: None,
            captured_requests: 10_000,
            history: 0,
            ports: (0, 0),
            wait_limit: Duration::from_secs(10),
            faults: Vec::new(),
            ipv6: false,
            network: None,
            serialize_type: SerializeType::Json,
            clock: ClockKind::System,
            transactions: TransactionOptions {
                timeout: Duration::from_secs(6),
                check_interval: Duration::from_secs(30),
                check_max: 15,
            },
            recall_message: false,
            enable_property_filter: false,
            acl: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl MockClusterBuilder {
    /// The number of masters: `broker-a`, `broker-b` and so on. Default: 1.
    pub fn brokers(self, brokers: usize) -> Self {
        Self { brokers, ..self }
    }

    /// The number of slaves of each master. Calls name the slaves of `broker-a` `broker-a-s1`, `broker-a-s2` and so
    /// on; in routes they have their master's name and the ids 1, 2 and so on. Default: 0.
    ///
    /// A slave has each message of its master at once, and keeps it when the master stops. It refuses sends (code 2).
    pub fn slaves(self, slaves: usize) -> Self {
        Self { slaves, ..self }
    }

    /// Whether slaves let clients pull; otherwise they refuse with code 2. Java: `slaveReadEnable`. Default: false.
    pub fn slave_read(self, slave_read: bool) -> Self {
        Self { slave_read, ..self }
    }

    /// The number of copies of a message, including the master's, for which a send is answered with 0. With too few
    /// running slaves, the message is stored and answered with code 12 (`FLUSH_SLAVE_TIMEOUT`), at once: the mock does
    /// not wait for `slaveTimeout`. Java: `inSyncReplicas` with `brokerRole=SYNC_MASTER`. Default: 1.
    pub fn in_sync_replicas(self, copies: usize) -> Self {
        Self { in_sync_replicas: copies, ..self }
    }

    /// The number of NameServers. Each keeps the routes by itself. Default: 1.
    pub fn name_servers(self, name_servers: usize) -> Self {
        Self { name_servers, ..self }
    }

    /// Whether routes name the queues that `mqadmin updateTopic -o true` stored for ordered topics. Java:
    /// `orderMessageEnable` of the NameServer. Default: false.
    pub fn order_message(self, order_message: bool) -> Self {
        Self { order_message, ..self }
    }

    /// The cluster of the brokers. Default: `DefaultCluster`.
    pub fn cluster_name(self, name: impl Into<String>) -> Self {
        Self { cluster_name: name.into(), ..self }
    }

    /// Whether a send creates its topic. Java: `autoCreateTopicEnable`. Default: true.
    pub fn auto_create_topic(self, auto_create_topic: bool) -> Self {
        Self { auto_create_topic, ..self }
    }

    /// Whether the first request of a consumer group creates it. Java: `autoCreateSubscriptionGroup`. Default: true.
    pub fn auto_create_group(self, auto_create_group: bool) -> Self {
        Self { auto_create_group, ..self }
    }

    /// Bytes of messages that a broker keeps. Beyond them it drops the oldest messages, as if their files had been
    /// deleted: the minimum offset rises, and pulls below it are answered with code 21. The newest message always
    /// stays. Default: no message is dropped, and [`store_limit`](Self::store_limit) applies.
    pub fn memory_limit(self, bytes: usize) -> Self {
        Self { memory_limit: Some(bytes), ..self }
    }

    /// Bytes of messages that a broker stores. A send beyond them is refused with code 14. Default: 512 MiB.
    pub fn store_limit(self, bytes: usize) -> Self {
        Self { store_limit: bytes, ..self }
    }

    /// The number of requests that [`MockCluster::requests`] keeps; 0 for none. The fields of all of them take 16 MiB
    /// at most. Default: 10,000.
    pub fn captured_requests(self, captured_requests: usize) -> Self {
        Self { captured_requests, ..self }
    }

    /// The ports of the first NameServer and of the first broker; further servers take the ports after it. 0 means any
    /// free port. Default: 0 for both.
    pub fn ports(self, name_server: u16, broker: u16) -> Self {
        Self { ports: (name_server, broker), ..self }
    }

    /// How long [`MockCluster::wait_for_messages`] and [`MockCluster::wait_for_requests`] wait. Default: 10 s.
    pub fn wait_limit(self, wait_limit: Duration) -> Self {
        Self { wait_limit, ..self }
    }

    /// Adds a fault rule that applies from the start; see [`MockCluster::inject`].
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Whether the servers listen on `::1` instead of `127.0.0.1`. Default: false.
    pub fn ipv6(self, ipv6: bool) -> Self {
        Self { ipv6, ..self }
    }

    /// Lets all servers listen on a network in memory instead of the loopback. They go by tokio's time, unless another
    /// clock is chosen after this call. Clients reach them with the same network as their transport. On a runtime with
    /// one thread and a paused clock, clients and cluster live through hours in milliseconds. TLS is not possible
    /// there.
    pub fn network(mut self, network: InMemoryNetwork) -> Self {
        if self.clock == ClockKind::System {
            self.clock = ClockKind::Tokio;
        }
        Self { network: Some(network), ..self }
    }

    /// The header encoding of answers. Apache's servers always write JSON, which is the default.
    pub fn serialize_type(self, serialize_type: SerializeType) -> Self {
        Self { serialize_type, ..self }
    }

    /// The number of latest events that [`MockCluster::history`] keeps. Default: 0, which records nothing and costs
    /// nothing.
    pub fn history(self, events: usize) -> Self {
        Self { history: events, ..self }
    }

    /// Whether the time of all servers stands still until [`MockCluster::advance`] moves it. The time counts for stored
    /// messages, delay levels and timers, transactions, held pulls and pops, invisible times, locks, and delays of
    /// faults. Default: false, the system's time.
    pub fn virtual_clock(self, virtual_clock: bool) -> Self {
        let clock = if virtual_clock { ClockKind::Standing } else { ClockKind::System };
        Self { clock, ..self }
    }

    /// Whether the time of all servers is tokio's, counted from the system's time at the start. A test that pauses
    /// tokio's time then moves clients and servers together. Default: false, the system's time.
    pub fn tokio_clock(self, tokio_clock: bool) -> Self {
        let clock = if tokio_clock { ClockKind::Tokio } else { ClockKind::System };
        Self { clock, ..self }
    }

    /// The age of a half message at which its producer is asked about it. Java: `transactionTimeOut`.
    /// Default: 6 s.
    pub fn transaction_timeout(mut self, timeout: Duration) -> Self {
        self.transactions.timeout = timeout;
        self
    }

    /// The interval at which a broker looks for half messages to ask about, and its first wait. Java:
    /// `transactionCheckInterval`. Default: 30 s.
    pub fn transaction_check_interval(mut self, interval: Duration) -> Self {
        self.transactions.check_interval = interval;
        self
    }

    /// How many times a broker asks about a half message before it moves it to `TRANS_CHECK_MAX_TIME_TOPIC`.
    /// Java: `transactionCheckMax`. Default: 15.
    pub fn transaction_check_max(mut self, times: u32) -> Self {
        self.transactions.check_max = times;
        self
    }

    /// Whether timer messages can be recalled. Java: `recallMessageEnable`. Default: false, like in Java: a recall is
    /// then refused with code 16.
    pub fn recall_message(self, recall_message: bool) -> Self {
        Self { recall_message, ..self }
    }

    /// Whether consumers can filter by SQL92 expressions over properties. Java: `enablePropertyFilter`. Default: false,
    /// like in Java: such subscriptions are then refused with code 1.
    pub fn enable_property_filter(self, enable_property_filter: bool) -> Self {
        Self { enable_property_filter, ..self }
    }

    /// Brokers refuse requests that are not signed with this key pair, with code 16. Like Apache's, NameServers
    /// answer every client. Default: no ACL.
    pub fn acl(self, access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { acl: Some(Acl::new(access_key.into(), secret_key.into())), ..self }
    }

    /// All servers speak TLS. Default: plain text.
    #[cfg(feature = "tls")]
    pub fn tls(self, config: rocketmq_remoting::net::tls::TlsServerConfig) -> Self {
        Self { tls: Some(config), ..self }
    }

    /// Starts the cluster on free ports of the loopback. It writes no file. Dropping the future stops the servers
    /// started so far.
    ///
    /// # Errors
    /// No port is free or the chosen port is taken; the number of brokers or NameServers is 0; or the call is outside
    /// a tokio runtime.
    pub async fn start(self) -> Result<MockCluster, MockError> {
        if self.name_servers == 0 {
            return Err(MockError::None { what: "NameServer" });
        }
        if self.brokers == 0 {
            return Err(MockError::None { what: "broker" });
        }
        let took = stopwatch();
        let tasks = TaskOwner::new().map_err(MockError::NoRuntime)?;
        let clock = Clock::new(self.clock);
        let mut cluster = MockCluster {
            name_servers: Vec::new(),
            brokers: Vec::new(),
            routes: (0..self.name_servers).map(|_| Arc::<Routes>::default()).collect(),
            admission: Arc::new(self.admission(&tasks, &clock)),
            clock,
            wait_limit: self.wait_limit,
            started_in: Duration::ZERO,
            tasks,
        };
        self.start_name_servers(&mut cluster).await?;
        self.start_brokers(&mut cluster).await?;
        cluster.started_in = took();
        Ok(cluster)
    }

    fn admission(&self, tasks: &TaskOwner, clock: &Arc<Clock>) -> Admission {
        let admission = Admission {
            faults: Arc::default(),
            lines: Arc::new(Lines::new(clock.clone())),
            capture: Arc::new(Capture::new(self.captured_requests, clock.clone())),
            history: Arc::new(History::new(self.history, clock.clone())),
            changes: Arc::default(),
            clock: clock.clone(),
            servers: Arc::default(),
            serialize_type: self.serialize_type,
            tasks: tasks.clone(),
        };
        self.faults.iter().for_each(|fault| admission.faults.inject(fault.clone()));
        admission
    }

    async fn start_name_servers(&self, cluster: &mut MockCluster) -> Result<(), MockError> {
        for (index, routes) in cluster.routes.clone().into_iter().enumerate() {
            let name: Arc<str> = format!("namesrv-{index}").into();
            let admission = cluster.admission.clone();
            let (settings, setup) =
                (Arc::default(), Arc::new(Setup::new(self.order_message, cluster.clock.clone())));
            let server = NameServer { name: name.clone(), routes, settings, setup: setup.clone(), admission };
            let slot = self.listen(name, None, Arc::new(server), (self.ports.0, index), cluster).await?;
            setup.note_place(slot.address());
            cluster.name_servers.push(slot);
        }
        Ok(())
    }

    async fn start_brokers(&self, cluster: &mut MockCluster) -> Result<(), MockError> {
        for number in 0..self.brokers * (1 + self.slaves) {
            self.start_broker(number, cluster).await?;
        }
        Ok(())
    }

    /// Starts the broker with this number. Masters come first, then the first slave of each master, and so on.
    async fn start_broker(&self, number: usize, cluster: &mut MockCluster) -> Result<(), MockError> {
        let (id, index) = (number / self.brokers, number % self.brokers);
        let name = broker_name(index);
        let identity = match cluster.brokers.get(index).filter(|_| id > 0) {
            None => Identity { server: name.as_str().into(), name: name.into(), id: 0, master: None },
            Some((master, _)) => Identity {
                name: master.name().clone(),
                id: i64::try_from(id).unwrap_or(i64::MAX),
                server: format!("{name}-s{id}").into(),
                master: Some(master.clone()),
            },
        };
        let broker = self.broker(identity, cluster);
        let handler = BrokerHandler { broker: broker.clone(), admission: cluster.admission.clone() };
        let name = broker.server().clone();
        let (served, handler) = (Some(broker.clone()), Arc::new(handler));
        let slot = self.listen(name, served, handler, (self.ports.1, number), cluster).await?;
        cluster.tasks.spawn(expire_held_requests(broker.clone()));
        if !cluster.clock.stands() {
            cluster.tasks.spawn(watch_for_silence(broker.clone()));
        }
        if id > 0 {
            cluster.tasks.spawn(follow_master(broker.clone()));
        } else if !cluster.clock.stands() {
            cluster.tasks.spawn(keep_time(broker.clone()));
        }
        cluster.brokers.push((broker, slot));
        Ok(())
    }

    fn broker(&self, identity: Identity, cluster: &MockCluster) -> Arc<Broker> {
        let options = BrokerOptions {
            cluster: self.cluster_name.as_str().into(),
            store_limit: self.store_limit,
            memory_limit: self.memory_limit,
            obeyed: Obeyed {
                auto_create_topic: self.auto_create_topic,
                auto_create_group: self.auto_create_group,
                transactions: self.transactions,
                property_filter: self.enable_property_filter,
                slave_read: self.slave_read,
                in_sync_replicas: self.in_sync_replicas,
                recall: self.recall_message,
                ..Obeyed::default()
            },
            name_server_addr: cluster.name_server_addr(),
            acl: self.acl.clone(),
        };
        // Any 32 bits: they make this broker's ids differ from those of other brokers.
        let ids = UniqueIdGenerator::new(self.address(), std::process::id(), random() as u32);
        let (routes, admission) = (cluster.routes.clone(), &cluster.admission);
        let (clock, tasks) = (cluster.clock.clone(), cluster.tasks.clone());
        Arc::new(Broker::new(identity, options, routes, admission, clock, tasks, ids))
    }

    async fn listen(
        &self,
        name: Arc<str>,
        broker: Option<Arc<Broker>>,
        handler: Arc<dyn RequestHandler>,
        (first_port, index): (u16, usize),
        cluster: &MockCluster,
    ) -> Result<Arc<Slot>, MockError> {
        let mut options = ConnectionOptions::default();
        options.language = LanguageCode::JAVA;
        options.serialize_type = self.serialize_type;
        let (changes, clock) = (cluster.admission.changes.clone(), cluster.clock.clone());
        let acceptor: Arc<dyn Acceptor> =
            Arc::new(LineAcceptor::new(cluster.admission.lines.clone(), self.upper()?));
        let address = (self.address(), next_port(first_port, index)?).into();
        let network = self.network.clone();
        let service = Service { name, broker, acceptor, network, address, handler, options, changes, clock };
        let slot = Slot::start(service).await?;
        cluster.admission.servers.add(&slot);
        Ok(slot)
    }

    /// The protocol above TCP, if any.
    fn upper(&self) -> Result<Option<Arc<dyn Acceptor>>, MockError> {
        #[cfg(feature = "tls")]
        if let Some(config) = &self.tls {
            return Ok(Some(Arc::new(rocketmq_remoting::net::tls::TlsAcceptor::new(config)?)));
        }
        Ok(None)
    }

    fn address(&self) -> IpAddr {
        if self.ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() }
    }
}

/// `broker-a` to `broker-z`, then `broker-aa` and so on.
fn broker_name(index: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = index + 1;
    while rest > 0 {
        letters.push(b'a' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().fold(String::from("broker-"), |name, letter| name + &char::from(*letter).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_named_after_the_alphabet() {
        let names = [0, 25, 26, 27, 701, 702].map(broker_name);
        assert_eq!(names, ["broker-a", "broker-z", "broker-aa", "broker-ab", "broker-zz", "broker-aaa"]);
    }
}
