//! Settings that change while the servers run. `conformance/settings.rs` has how servers report and refuse them, on
//! Apache's servers too.

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::body::{TopicRouteData, decode_body};
use rocketmq_remoting::protocol::{LanguageCode, RemotingCommand, RequestCode};

use crate::clients::heartbeat;
use crate::support::*;

async fn cluster() -> (MockCluster, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

async fn set(peer: &mut Peer, text: &str) {
    let answer = peer.call(request(RequestCode::UPDATE_BROKER_CONFIG, &[]).with_body(text.to_owned())).await;
    assert_eq!(verdict(&answer), (0, ""));
}

fn commit(queue_id: &str, offset: &str) -> RemotingCommand {
    let fields = [("consumerGroup", "g"), ("topic", "T"), ("queueId", queue_id), ("commitOffset", offset)];
    request(RequestCode::UPDATE_CONSUMER_OFFSET, &fields)
}

#[tokio::test]
async fn a_broker_obeys_what_it_is_told() {
    let (cluster, mut peer) = cluster().await;
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    set(&mut peer, "autoCreateTopicEnable=false\nautoCreateSubscriptionGroup=false\ninSyncReplicas=2").await;
    assert_eq!(peer.call(send_to("U")).await.code, 17, "no topic comes to be");
    assert_eq!(peer.call(send_to("T")).await.code, 12, "one copy is missing");
    assert_eq!(peer.call(pull_from("T", 0)).await.code, 26, "no group comes to be");
    set(&mut peer, "autoCreateSubscriptionGroup=true\ninSyncReplicas=1").await;
    assert_eq!([peer.call(send_to("T")).await.code, peer.call(pull_from("T", 0)).await.code], [0, 0]);

    let by_properties = [("subscription", "a = 1"), ("expressionType", "SQL92")];
    let pull = with(pull_from("T", 0), &by_properties);
    assert_eq!(peer.call(pull.clone()).await.code, 1, "no filters by properties");
    set(&mut peer, "enablePropertyFilter=true").await;
    assert_eq!(peer.call(pull).await.code, 20);

    set(&mut peer, "brokerPermission=2").await;
    let answer = peer.call(pull_from("T", 0)).await;
    assert_eq!(verdict(&answer), (16, "the broker[127.0.0.1] pulling message is forbidden"));
    assert_eq!(field(&answer, "forbiddenType"), "1");
    let route = request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "T")]);
    let answer = Peer::connect(cluster.name_server_addr()).await.call(route).await;
    assert_eq!(decode_body::<TopicRouteData>(&answer.body).unwrap().queue_datas[0].perm, 2);
    let back = [("offset", "0"), ("group", "group"), ("delayLevel", "0"), ("originTopic", "T")];
    let back = request(RequestCode::CONSUMER_SEND_MSG_BACK, &back);
    assert_eq!(peer.call(back.clone()).await.code, 0);
    set(&mut peer, "brokerPermission=4").await;
    assert_eq!(verdict(&peer.call(back).await), (16, "the broker[127.0.0.1] sending message is forbidden"));
}

#[tokio::test]
async fn members_move_by_themselves_if_the_broker_does_not() {
    let (cluster, mut asking) = cluster().await;
    let mut member = Peer::broker(&cluster).await;
    for _ in 0..3 {
        asking.call(send_to("T")).await;
    }
    set(&mut asking, "useServerSideResetOffset=false").await;
    let wanted = [("group", "g"), ("topic", "T"), ("timestamp", "0"), ("isForce", "true")];
    let reset = request(RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, &wanted);
    member.call(heartbeat("g", "c", &[("T", "*", 1)])).await;
    assert_eq!(member.pushed().await.request_code(), RequestCode::NOTIFY_CONSUMER_IDS_CHANGED);
    let unknown = "THe consumer group <g> not exist";
    assert_eq!(verdict(&asking.call(reset.clone()).await), (1, unknown), "it has committed nothing");
    for queue_id in ["0", "1", "2", "3"] {
        asking.call(commit(queue_id, if queue_id == "0" { "2" } else { "0" })).await;
    }
    let answer = asking.call(reset.clone()).await;
    assert_eq!(verdict(&answer), (0, "not set any response code"));
    let told = member.pushed().await;
    assert_eq!((told.request_code(), told.is_oneway()), (RequestCode::RESET_CONSUMER_CLIENT_OFFSET, true));
    let expected =
        [("group", "g"), ("isForce", "false"), ("queueId", "-1"), ("timestamp", "0"), ("topic", "T")];
    assert_eq!(fields(&told), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(told.body, answer.body);
    assert!(
        told.body
            .starts_with(b"{\"offsetTable\":{{\"brokerName\":\"broker-a\",\"queueId\":0,\"topic\":\"T\"}:0,")
    );

    // Clients in C++ read another form; without force nobody goes ahead.
    let mut asks_for_c = with(reset.clone(), &[("timestamp", "-1"), ("isForce", "false")]);
    asks_for_c.language = LanguageCode::CPP;
    asking.call(asks_for_c).await;
    let first =
        b"{\"offsetTable\":[{\"brokerName\":\"broker-a\",\"offset\":2,\"queueId\":0,\"topic\":\"T\"},";
    let told = member.pushed().await;
    assert!(told.body.starts_with(first), "{told:?}");

    member.call(request(RequestCode::UNREGISTER_CLIENT, &[("clientID", "c"), ("consumerGroup", "g")])).await;
    let offline = "Consumer not online, so can not reset offset, Group: g Topic: T Timestamp: 0";
    assert_eq!(verdict(&asking.call(reset.clone()).await), (206, offline));
    let nowhere = "[reset-offset] reset offset failed, no topic in this broker. topic=none";
    assert_eq!(verdict(&asking.call(with(reset, &[("topic", "none")])).await), (17, nowhere));
}

#[tokio::test]
async fn a_name_server_obeys_what_it_is_told() {
    let (cluster, mut broker) = cluster().await;
    broker.call(send_to("T")).await;
    let mut peer = Peer::connect(cluster.name_server_addr()).await;
    let setting = [("namespace", "ORDER_TOPIC_CONFIG"), ("key", "T"), ("value", "broker-a:1")];
    peer.call(request(RequestCode::PUT_KV_CONFIG, &setting)).await;
    let route = request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "T")]);
    let ordered = async |peer: &mut Peer| {
        let answer = peer.call(route.clone()).await;
        decode_body::<TopicRouteData>(&answer.body).unwrap().order_topic_conf
    };
    assert_eq!(ordered(&mut peer).await, None);
    let change = "orderMessageEnable=true\nenableTopicList=false\nenableAllTopicList=false";
    let change = request(RequestCode::UPDATE_NAMESRV_CONFIG, &[]).with_body(change);
    assert_eq!(peer.call(change).await.code, 0);
    assert_eq!(ordered(&mut peer).await.as_deref(), Some("broker-a:1"));
    for code in [
        RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
        RequestCode::GET_TOPICS_BY_CLUSTER,
        RequestCode::GET_UNIT_TOPIC_LIST,
    ] {
        assert_eq!(verdict(&peer.call(request(code, &[])).await), (1, "disable"), "{code:?}");
    }
}
