//! Clients that name their zone, and brokers that name theirs.

use rocketmq::error::MQClientError;
use rocketmq::model::{Message, SendResult};
use rocketmq::producer::Producer;

use crate::cases::support::fresh_topic;
use crate::support::{ApacheCluster, Boot};

async fn send_from(cluster: &ApacheCluster, zone: &str) -> Result<SendResult, MQClientError> {
    let builder = Producer::builder("zone_producer").name_server_addr(cluster.name_server_addr());
    let producer = builder
        .option(|option| {
            option.set_zone(zone).set_send_msg_timeout(20_000);
        })
        .start()
        .await
        .expect("the producer starts");
    producer.send(Message::new(fresh_topic("zone"), "near by")).await
}

#[tokio::test]
async fn the_name_server_leaves_out_brokers_of_other_zones() {
    let java_properties = ["-Drocketmq.zone=zone-1".to_owned()];
    let boot = Boot { java_properties: &java_properties, ..Boot::default() };
    let cluster = ApacheCluster::boot(&boot).unwrap_or_else(|reason| panic!("{reason}"));

    send_from(&cluster, "zone-1").await.expect("the broker is in the zone");
    let error = send_from(&cluster, "zone-2").await.expect_err("no broker is in that zone");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error:?}");
}
