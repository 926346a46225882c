//! Apache's own tool and this client write down the same queues for an ordered topic.

use std::collections::BTreeSet;

use rocketmq::admin::{Brokers, MQAdmin, TopicConfig};

use crate::cases::brokers::Operator;
use crate::cases::support::fresh_topic;
use crate::mqadmin::mqadmin;
use crate::stage;

#[tokio::test]
async fn mqadmin_writes_the_same_for_an_ordered_topic() {
    let cluster = stage::masters_and_slaves().await;
    let name_server = &*cluster.name_server_addr();
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
