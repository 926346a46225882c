//! Slaves: what they have, and what they do not do.

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::RequestCode;

use crate::support::*;

async fn start() -> (MockCluster, Peer, Peer) {
    let cluster =
        MockCluster::builder().slaves(1).slave_read(true).recall_message(true).start().await.unwrap();
    cluster.create_topic("T", 1).unwrap();
    assert_eq!(cluster.broker_names(), ["broker-a", "broker-a-s1"]);
    let master = Peer::connect(cluster.broker_addr("broker-a").unwrap()).await;
    let slave = Peer::connect(cluster.broker_addr("broker-a-s1").unwrap()).await;
    (cluster, master, slave)
}

#[tokio::test]
async fn a_pull_that_a_slave_holds_is_woken_by_what_its_master_stores() {
    let (_cluster, mut master, mut slave) = start().await;
    let waiting = with(
        pull_from("T", 0),
        &[("sysFlag", "6"), ("suspendTimeoutMillis", "60000"), ("subscription", "B")],
    );
    let opaque = slave.send(waiting).await;
    assert_eq!(slave.call(pull_from("T", 99)).await.code, 20, "the first one is held by now");
    master.call(with(send_to("T"), &[("i", &wire("TAGS=A"))])).await;
    master.call(with(send_to("T"), &[("i", &wire("TAGS=B"))])).await;
    let answer = slave.receive().await;
    assert_eq!((answer.opaque, records(&answer)[0].tags()), (opaque, Some("B")));
}

#[tokio::test]
async fn a_slave_has_topics_groups_offsets_and_records_of_its_master_also_without_it() {
    let (cluster, mut master, mut slave) = start().await;
    let sent = master.call(send_to("New")).await;
    assert_eq!(master.call(pull_from("New", 0)).await.code, 0, "the broker knows the group now");
    let offset = [("consumerGroup", "group"), ("topic", "New"), ("queueId", "0"), ("commitOffset", "1")];
    assert_eq!(master.call(request(RequestCode::UPDATE_CONSUMER_OFFSET, &offset)).await.code, 0);
    cluster.crash_broker("broker-a").await.unwrap();
    let pulled = slave.call(pull_from("New", 0)).await;
    assert_eq!(records(&pulled)[0].offset_msg_id(), field(&sent, "msgId"));
    let committed = slave.call(request(RequestCode::QUERY_CONSUMER_OFFSET, &offset)).await;
    assert_eq!(field(&committed, "offset"), "1");
    cluster.delete_topic("New");
    assert_eq!(slave.call(pull_from("New", 0)).await.code, 17);
}

#[tokio::test]
async fn a_slave_refuses_what_would_change_something() {
    const BUSY: &str = "[REJECTREQUEST]system busy, start flow control for a while";
    let (cluster, _, mut slave) = start().await;
    assert_eq!(verdict(&slave.call(send_to("T")).await), (2, BUSY));
    let end = slave.call(request(RequestCode::END_TRANSACTION, &[])).await;
    assert_eq!((end.code, end.remark.as_deref()), (11, None));
    let recall = slave.call(request(RequestCode::RECALL_MESSAGE, &[])).await;
    assert_eq!(verdict(&recall), (11, "recall failed, broker service not available"));
    assert_eq!(cluster.message_count("T"), 0);
}

#[tokio::test]
async fn too_few_slaves_make_a_send_that_waits_for_them_weak() {
    let cluster = MockCluster::builder().slaves(1).in_sync_replicas(2).start().await.unwrap();
    let mut master = Peer::connect(cluster.broker_addr("broker-a").unwrap()).await;
    let mut slave = Peer::connect(cluster.broker_addr("broker-a-s1").unwrap()).await;
    assert_eq!(master.call(send_to("T")).await.code, 0);
    assert_eq!(slave.call(pull_from("T", 0)).await.code, 2, "slaves are not read by default");
    cluster.crash_broker("broker-a-s1").await.unwrap();
    assert_eq!(master.call(send_to("T")).await.code, 12);
    assert_eq!(master.call(with(send_to("T"), &[("i", &wire("WAIT=false"))])).await.code, 0);
    cluster.start_broker("broker-a-s1").await.unwrap();
    assert_eq!(master.call(send_to("T")).await.code, 0);
    assert_eq!(cluster.message_count("T"), 4);
}
