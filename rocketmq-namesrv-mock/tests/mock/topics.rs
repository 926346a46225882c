//! Topics from outside.

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::body::{TopicConfigAndQueueMapping, TopicStatsTable, decode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

fn create(topic: &str) -> RemotingCommand {
    let fields = [
        ("topic", topic),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "3"),
        ("writeQueueNums", "2"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    request(RequestCode::UPDATE_AND_CREATE_TOPIC, &fields)
}

fn of(code: RequestCode, topic: &str) -> RemotingCommand {
    request(code, &[("topic", topic)])
}

#[tokio::test]
async fn a_topic_is_created_announced_and_shown() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let answer = peer.call(with(create("T"), &[("attributes", "+message.type=FIFO")])).await;
    assert_eq!(verdict(&answer), (0, "not set any response code"));
    // Queue 2 can only be read, but Apache's broker takes sends to it.
    assert_eq!(peer.call(with(send_to("T"), &[("e", "2")])).await.code, 0);
    let shown = peer.call(of(RequestCode::GET_TOPIC_CONFIG, "T")).await;
    let shown: TopicConfigAndQueueMapping = decode_body(&shown.body).unwrap();
    let config = shown.topic_config;
    assert_eq!((config.read_queue_nums, config.write_queue_nums, config.perm), (3, 2, 6));
    assert_eq!(config.attributes.get("message.type").map(String::as_str), Some("FIFO"));
    let stats = peer.call(of(RequestCode::GET_TOPIC_STATS_INFO, "T")).await;
    let stats: TopicStatsTable = decode_body(&stats.body).unwrap();
    assert_eq!(stats.offset_table.values().map(|offset| offset.max_offset).collect::<Vec<_>>(), [0, 0, 1]);
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    assert_eq!(name_server.call(of(RequestCode::GET_ROUTEINFO_BY_TOPIC, "T")).await.code, 0);
}

#[tokio::test]
async fn topics_that_cannot_be_created_are_named() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for topic in ["SELF_TEST_TOPIC", "TBW102", "rmq_sys_x", "DefaultCluster", "broker-a"] {
        let remark = format!("The topic[{topic}] is conflict with system topic.");
        assert_eq!(verdict(&peer.call(create(topic)).await), (29, remark.as_str()));
        assert_eq!(
            verdict(&peer.call(of(RequestCode::DELETE_TOPIC_IN_BROKER, topic)).await),
            (29, remark.as_str())
        );
    }
    assert_eq!(peer.call(create("a.b")).await.code, 29);
    assert_eq!(peer.call(with(create("T"), &[("perm", "9")])).await.code, 0);
    assert_eq!(peer.call(without(create("T"), "topicFilterType")).await.code, 1);
    let with_attributes = |text| with(create("New"), &[("attributes", text)]);
    assert_eq!(verdict(&peer.call(with_attributes("+foo=1")).await), (1, "unsupported key: foo"));
    let compacted = peer.call(with_attributes("+cleanup.policy=COMPACTION")).await;
    assert!(compacted.remark().ends_with("is not supported by this mock yet"));
    assert_eq!(peer.call(without(create("New"), "order")).await.code, 0);
}

#[tokio::test]
async fn a_deleted_topic_is_gone_but_name_servers_have_to_be_told() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let place = field(&peer.call(send_to("T")).await, "msgId");
    for topic in ["T", "unknown"] {
        assert_eq!(peer.call(of(RequestCode::DELETE_TOPIC_IN_BROKER, topic)).await.code, 0);
    }
    assert!(cluster.messages("T").is_empty());
    let missing = peer.call(of(RequestCode::GET_TOPIC_CONFIG, "T")).await;
    assert_eq!(verdict(&missing), (17, "No topic in this broker. topic: T"));
    let missing = peer.call(of(RequestCode::GET_TOPIC_STATS_INFO, "T")).await;
    assert_eq!(verdict(&missing), (17, "topic[T] not exist"));
    // The commit log keeps the record.
    let offset = i64::from_str_radix(&place[16..], 16).unwrap().to_string();
    assert_eq!(peer.call(request(RequestCode::VIEW_MESSAGE_BY_ID, &[("offset", &offset)])).await.code, 0);
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    let route = of(RequestCode::GET_ROUTEINFO_BY_TOPIC, "T");
    assert_eq!(name_server.call(route.clone()).await.code, 0);
    assert_eq!(name_server.call(of(RequestCode::DELETE_TOPIC_IN_NAMESRV, "T")).await.code, 0);
    assert_eq!(name_server.call(route).await.code, 17);
    assert_eq!(field(&peer.call(send_to("T")).await, "queueOffset"), "0");
}
