//! Masters and slaves that come and go.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rocketmq::admin::{Brokers, MQAdmin, TopicConfig};
use tokio::sync::Mutex;

use crate::cases::brokers::{self, Operator};
use crate::cases::support::fresh_topic;
use crate::for_each_case_of_brokers;
use crate::mqadmin::mqadmin;
use crate::support::{ApacheCluster, Boot};

impl Operator for ApacheCluster {
    fn name_server_addr(&self) -> String {
        self.name_server_addr().to_owned()
    }

    fn brokers(&self) -> Vec<&str> {
        self.broker_names()
    }

    fn addr_of(&self, broker: &str) -> String {
        self.addr_of(broker).to_owned()
    }

    async fn stop(&self, broker: &str) {
        self.stop_broker(broker);
    }

    async fn start(&self, broker: &str) {
        self.start_broker(broker);
    }
}

/// Two masters, and a slave of the first.
fn cluster() -> &'static ApacheCluster {
    static CLUSTER: OnceLock<ApacheCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let boot = Boot {
            masters: 2,
            slaves: 1,
            name_server_conf: "orderMessageEnable=true\n",
            broker_conf: "slaveReadEnable=true\nregisterNameServerPeriod=10000\n",
            ..Boot::default()
        };
        ApacheCluster::boot(&boot).unwrap_or_else(|reason| panic!("{reason}"))
    })
}

/// The cases stop brokers, under each other's feet if they ran at once; and many servers at once start slowly.
static TURN: Mutex<()> = Mutex::const_new(());

macro_rules! on_apache_with_slaves {
    ($($case:ident),+) => {
        $(#[tokio::test]
        async fn $case() {
            let _turn = TURN.lock().await;
            brokers::$case(cluster()).await;
        })+
    };
}

for_each_case_of_brokers!(on_apache_with_slaves);

#[tokio::test]
async fn a_master_that_waits_for_its_slave_says_when_it_has_none() {
    let _turn = TURN.lock().await;
    let broker_conf = "brokerRole=SYNC_MASTER\ninSyncReplicas=2\nslaveTimeout=500\n";
    let boot = Boot { slaves: 1, broker_conf, ..Boot::default() };
    let cluster = ApacheCluster::boot(&boot).unwrap_or_else(|reason| panic!("{reason}"));
    brokers::a_master_that_waits_for_its_slave_says_when_it_has_none(&cluster).await;
}

#[tokio::test]
async fn mqadmin_writes_the_same_for_an_ordered_topic() {
    let _turn = TURN.lock().await;
    let name_server = cluster().name_server_addr();
    let (by_mqadmin, by_us) = (fresh_topic("by_mqadmin"), fresh_topic("by_us"));
    let queues = ["-r", "2", "-w", "2", "-o", "true"];
    let start = ["updateTopic", "-n", name_server, "-c", "DefaultCluster", "-t", by_mqadmin.as_str()];
    mqadmin(&[&start[..], &queues[..]].concat());
    let admin = MQAdmin::connect(name_server).await.unwrap();
    let config = TopicConfig::new(by_us.as_str(), 2).with_order(true);
    admin.create_topic(&config, &Brokers::cluster("DefaultCluster")).await.unwrap();

    let mut written = Vec::new();
    for topic in [by_mqadmin, by_us] {
        let route = admin.route(&topic).await.unwrap();
        let order = route.order_topic_conf.unwrap();
        // Java writes the brokers in the order of a hash set.
        let order: BTreeSet<String> = order.split(';').map(str::to_owned).collect();
        let queues: Vec<_> =
            route.queue_datas.iter().map(|data| (data.write_queue_nums, data.perm)).collect();
        written.push((order, queues));
    }
    assert_eq!(written[0], written[1]);
}
