//! Routes.

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::body::{ClusterInfo, KVTable, TopicList, TopicRouteData, decode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

fn ask(topic: &str) -> RemotingCommand {
    request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)])
}

async fn route(peer: &mut Peer, topic: &str) -> Vec<(String, i32, i32)> {
    let answer = peer.call(ask(topic)).await;
    let route: TopicRouteData = decode_body(&answer.body).unwrap();
    route
        .queue_datas
        .into_iter()
        .map(|queues| (queues.broker_name, queues.perm, queues.write_queue_nums))
        .collect()
}

#[tokio::test]
async fn every_broker_has_its_standing_routes() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    let standing = [
        ("TBW102", 7, 8),
        ("DefaultCluster", 7, 16),
        ("broker-a", 7, 1),
        ("DefaultCluster_REPLY_TOPIC", 6, 1),
        ("SELF_TEST_TOPIC", 6, 1),
        ("SCHEDULE_TOPIC_XXXX", 6, 18),
    ];
    for (topic, perm, queues) in standing {
        assert_eq!(route(&mut peer, topic).await, [("broker-a".to_owned(), perm, queues)], "{topic}");
    }
}

#[tokio::test]
async fn a_route_that_is_not_there_is_said_in_java_s_words() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    for (request, topic) in [(ask("T"), "T"), (request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[]), "null")] {
        let answer = peer.call(request).await;
        let remark = format!(
            "No topic route info in name server for the topic: {topic}\n\
             See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
        );
        assert_eq!((verdict(&answer), answer.ext_fields.is_present()), ((17, remark.as_str()), false));
    }
    let mut bare = RemotingCommand::request(RequestCode::GET_ROUTEINFO_BY_TOPIC);
    bare.version = 0;
    assert_eq!(peer.call(bare).await.code, 17);
}

#[tokio::test]
async fn a_topic_that_a_send_created_is_routed_at_once_by_all_name_servers() {
    let cluster = MockCluster::builder().name_servers(2).brokers(2).start().await.unwrap();
    Peer::broker(&cluster).await.call(send_to("T")).await;
    let addresses = cluster.name_server_addr();
    assert_eq!(addresses.split(';').count(), 2);
    for address in addresses.split(';') {
        let mut peer = Peer::connect(address).await;
        assert_eq!(route(&mut peer, "T").await, [("broker-a".to_owned(), 6, 4)]);
        assert_eq!(route(&mut peer, "TBW102").await.len(), 2);
    }
}

#[tokio::test]
async fn old_clients_get_bare_keys_unless_they_ask_for_strict_json() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    let mut old = ask("TBW102");
    old.version = 400;
    let keys = |answer: RemotingCommand| String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(keys(peer.call(old.clone()).await).contains(r#""brokerAddrs":{0:"#));
    let strict = with(old, &[("acceptStandardJsonOnly", "true")]);
    assert!(keys(peer.call(strict).await).contains(r#""brokerAddrs":{"0":"#));
}

#[tokio::test]
async fn the_cluster_is_listed_with_bare_keys_for_all_versions() {
    let cluster = MockCluster::builder().brokers(2).start().await.unwrap();
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    let answer = peer.call(request(RequestCode::GET_BROKER_CLUSTER_INFO, &[])).await;
    assert!(std::str::from_utf8(&answer.body).unwrap().contains(r#""brokerAddrs":{0:"#));
    let info: ClusterInfo = decode_body(&answer.body).unwrap();
    assert_eq!(info.cluster_addr_table["DefaultCluster"], ["broker-a", "broker-b"]);
    let address = cluster.broker_addr("broker-b").unwrap().to_string();
    assert_eq!(info.broker_addr_table["broker-b"].broker_addrs[&0], address);
}

#[tokio::test]
async fn addresses_of_ipv6_have_no_brackets() {
    let cluster = MockCluster::builder().ipv6(true).start().await.unwrap();
    assert!(cluster.name_server_addr().starts_with("[::1]:"));
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    let route: TopicRouteData = decode_body(&peer.call(ask("TBW102")).await.body).unwrap();
    let port = cluster.broker_addr("broker-a").unwrap().port();
    assert_eq!(route.broker_datas[0].broker_addrs[&0], format!("::1:{port}"));
}

async fn perms(peer: &mut Peer) -> [i32; 2] {
    let mut perms = [0; 2];
    for (perm, topic) in perms.iter_mut().zip(["T", "TBW102"]) {
        let route: TopicRouteData = decode_body(&peer.call(ask(topic)).await.body).unwrap();
        *perm = route.queue_datas[0].perm;
    }
    perms
}

#[tokio::test]
async fn write_permissions_are_wiped_and_come_back_without_inheritance() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    assert_eq!(perms(&mut peer).await, [6, 7]);
    let broker = [("brokerName", "broker-a")];
    let wiped = peer.call(request(RequestCode::WIPE_WRITE_PERM_OF_BROKER, &broker)).await;
    assert!(field(&wiped, "wipeTopicCount").parse::<usize>().unwrap() > 10);
    assert_eq!(perms(&mut peer).await, [4, 5]);
    // The broker itself stores as ever.
    assert_eq!(Peer::broker(&cluster).await.call(send_to("T")).await.code, 0);
    let added = peer.call(request(RequestCode::ADD_WRITE_PERM_OF_BROKER, &broker)).await;
    assert_eq!(field(&added, "addTopicCount"), field(&wiped, "wipeTopicCount"));
    assert_eq!(perms(&mut peer).await, [6, 6]);
    cluster.create_topic("T", 4).unwrap();
    let unknown = request(RequestCode::WIPE_WRITE_PERM_OF_BROKER, &[("brokerName", "x")]);
    assert_eq!(field(&peer.call(unknown).await, "wipeTopicCount"), "0");
}

async fn listed(peer: &mut Peer, request: RemotingCommand) -> TopicList {
    decode_body(&peer.call(request).await.body).unwrap()
}

#[tokio::test]
async fn topics_are_registered_and_listed() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    let queues =
        r#"{"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":3,"writeQueueNums":2}]}"#;
    let register = request(RequestCode::REGISTER_TOPIC_IN_NAMESRV, &[("topic", "Registered")]);
    assert_eq!(peer.call(register.with_body(queues)).await.code, 0);
    let route: TopicRouteData = decode_body(&peer.call(ask("Registered")).await.body).unwrap();
    assert_eq!((route.queue_datas[0].read_queue_nums, route.queue_datas[0].write_queue_nums), (3, 2));
    let of = |cluster| request(RequestCode::GET_TOPICS_BY_CLUSTER, &[("cluster", cluster)]);
    assert!(listed(&mut peer, of("DefaultCluster")).await.topic_list.contains(&"Registered".to_owned()));
    assert!(listed(&mut peer, of("other")).await.topic_list.is_empty());
    let system = listed(&mut peer, request(RequestCode::GET_SYSTEM_TOPIC_LIST_FROM_NS, &[])).await;
    assert_eq!(system.topic_list, ["DefaultCluster", "broker-a"]);
    assert_eq!(system.broker_addr, cluster.broker_addr("broker-a").map(|address| address.to_string()));
}

#[tokio::test]
async fn settings_are_kept_by_namespace_and_key() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    let place = [("namespace", "N"), ("key", "K")];
    let get = || request(RequestCode::GET_KV_CONFIG, &place);
    let missing = peer.call(get()).await;
    assert_eq!(verdict(&missing), (22, "No config item, Namespace: N Key: K"));
    assert!(missing.ext_fields.is_present() && missing.ext_fields.is_empty());
    let list = || request(RequestCode::GET_KVLIST_BY_NAMESPACE, &place[..1]);
    assert_eq!(verdict(&peer.call(list()).await), (22, "No config item, Namespace: N"));
    let put = with(request(RequestCode::PUT_KV_CONFIG, &place), &[("value", "V")]);
    assert_eq!(peer.call(put).await.code, 0);
    assert_eq!(field(&peer.call(get()).await, "value"), "V");
    let table: KVTable = decode_body(&peer.call(list()).await.body).unwrap();
    assert_eq!(table.table["K"], "V");
    for _ in 0..2 {
        assert_eq!(peer.call(request(RequestCode::DELETE_KV_CONFIG, &place)).await.code, 0);
    }
    assert_eq!(peer.call(get()).await.code, 22);
    let unnamed = peer.call(request(RequestCode::PUT_KV_CONFIG, &place[..1])).await;
    assert_eq!(verdict(&unnamed), (1, "namespace or key is null"));
}
