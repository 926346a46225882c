//! The clusters which the shared cases run on: here, Apache's servers. Cases share a cluster where they can, because a
//! boot takes about five seconds; they keep out of each other's way by using topics and groups of their own.

use std::borrow::Borrow;
use std::ops::Deref;
use std::sync::OnceLock;

use tokio::sync::{Mutex, MutexGuard};

use crate::cases::acl::{ACCESS_KEY, SECRET_KEY};
use crate::cases::brokers::Operator;
use crate::support::acl::acl_conf;
use crate::support::{ApacheCluster, Boot, Ready};

/// Brokers ask about transactions after 6 s, every 30 s, by default.
const QUICK_QUESTIONS: &str = "transactionTimeOut=3000\ntransactionCheckInterval=1000\n";

/// The cluster that most tests share. The first caller waits until it is up.
pub(crate) fn shared() -> &'static ApacheCluster {
    static SHARED: OnceLock<Result<ApacheCluster, String>> = OnceLock::new();
    match SHARED.get_or_init(|| ApacheCluster::start(QUICK_QUESTIONS)) {
        Ok(cluster) => cluster,
        Err(reason) => panic!("{reason}"),
    }
}

/// The cluster with ACL 2.0, which serves [`ACCESS_KEY`] alone.
pub(crate) fn with_acl() -> &'static ApacheCluster {
    static WITH_ACL: OnceLock<ApacheCluster> = OnceLock::new();
    WITH_ACL.get_or_init(|| {
        let conf = acl_conf(ACCESS_KEY, SECRET_KEY);
        boot(&Boot { broker_conf: &conf, ready: Ready::Refuses, ..Boot::default() })
    })
}

fn boot(boot: &Boot<'_>) -> ApacheCluster {
    ApacheCluster::boot(boot).unwrap_or_else(|reason| panic!("{reason}"))
}

/// Returns the address of the cluster that most tests share.
pub(crate) async fn name_server() -> String {
    shared().name_server_addr().to_owned()
}

/// Returns the address of the cluster with ACL.
pub(crate) async fn name_server_with_acl() -> String {
    with_acl().name_server_addr().to_owned()
}

/// Boots a broker that takes timer messages back.
pub(crate) async fn name_server_that_recalls() -> impl Deref<Target = str> {
    NameServer(boot(&Boot { broker_conf: "recallMessageEnable=true\n", ..Boot::default() }))
}

/// Boots a broker whose settings the case may change.
pub(crate) async fn name_server_of_its_own() -> impl Deref<Target = str> {
    NameServer(boot(&Boot::default()))
}

/// A broker that the case may restart.
pub(crate) struct Restarts(ApacheCluster);

/// Boots a broker that the case may restart.
pub(crate) async fn a_broker_that_restarts() -> Restarts {
    Restarts(boot(&Boot::default()))
}

impl Restarts {
    pub(crate) fn name_server(&self) -> String {
        self.0.name_server_addr().to_owned()
    }

    pub(crate) async fn restart(&self) {
        self.0.stop_broker("broker-a");
        self.0.start_broker("broker-a");
    }
}

/// A master with its slave.
pub(crate) struct Pair(ApacheCluster);

/// Boots a master and a slave that clients may not read.
pub(crate) async fn a_master_and_its_slave() -> Pair {
    Pair(boot(&Boot { slaves: 1, ..Boot::default() }))
}

impl Pair {
    pub(crate) fn master(&self) -> String {
        self.0.addr_of("broker-a").to_owned()
    }

    pub(crate) fn slave(&self) -> String {
        self.0.addr_of("broker-a-s1").to_owned()
    }
}

/// The address of a NameServer. Its cluster runs until this value is dropped.
struct NameServer(ApacheCluster);

impl Deref for NameServer {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.name_server_addr()
    }
}

/// Two masters and a slave of the first, for one caller at a time.
pub(crate) async fn masters_and_slaves() -> Held<&'static ApacheCluster> {
    static CLUSTER: OnceLock<ApacheCluster> = OnceLock::new();
    let turn = TURN.lock().await;
    let cluster = CLUSTER.get_or_init(|| {
        boot(&Boot {
            masters: 2,
            slaves: 1,
            name_server_conf: "orderMessageEnable=true\n",
            broker_conf: "slaveReadEnable=true\nregisterNameServerPeriod=10000\n",
            ..Boot::default()
        })
    });
    Held { cluster, _turn: turn }
}

/// Boots one master that acknowledges a message when its slave has the message too.
pub(crate) async fn a_master_that_waits_for_its_slave() -> Held<ApacheCluster> {
    let turn = TURN.lock().await;
    let broker_conf = "brokerRole=SYNC_MASTER\ninSyncReplicas=2\nslaveTimeout=500\n";
    Held { cluster: boot(&Boot { slaves: 1, broker_conf, ..Boot::default() }), _turn: turn }
}

/// Cases that stop brokers take turns: they share those brokers, and many servers at once start slowly.
static TURN: Mutex<()> = Mutex::const_new(());

/// A cluster whose brokers the caller may stop until it drops this value.
pub(crate) struct Held<C> {
    cluster: C,
    _turn: MutexGuard<'static, ()>,
}

impl<C: Borrow<ApacheCluster>> Operator for Held<C> {
    fn name_server_addr(&self) -> String {
        self.cluster.borrow().name_server_addr().to_owned()
    }

    fn brokers(&self) -> Vec<&str> {
        self.cluster.borrow().broker_names()
    }

    fn addr_of(&self, broker: &str) -> String {
        self.cluster.borrow().addr_of(broker).to_owned()
    }

    async fn stop(&self, broker: &str) {
        self.cluster.borrow().stop_broker(broker);
    }

    async fn start(&self, broker: &str) {
        self.cluster.borrow().start_broker(broker);
    }
}
