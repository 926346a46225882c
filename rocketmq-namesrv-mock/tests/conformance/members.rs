//! What members of a group do to each other: news, filters, topics, locks.

use rocketmq_remoting::protocol::RemotingCommand;
use rocketmq_remoting::protocol::body::{
    ConsumerConnection, GetConsumerListByGroupResponseBody, SubscriptionData,
};
use serde_json::{Value, json};

use super::groups::{beat, consumer, heartbeat, subscription};
use super::peer::{GroupPeer, Peer, body, fresh_group, is_success, pull_fields, records, told};
use crate::stage;

#[tokio::test]
async fn a_newcomer_is_told_before_its_heartbeat_is_answered() {
    let name_server = &*stage::name_server().await;
    let (first, second) = (Peer::new(name_server).await, Peer::new(name_server).await);
    let (group, other) = (fresh_group("news"), fresh_group("news"));
    let news = |group: &str| Some(format!("40 {{consumerGroup={group}}}"));
    first.ask(34, &[], beat("c", &group, &["T"])).await;
    assert_eq!(first.heard().await, news(&group));
    let route = Peer::of(name_server).call(105, &[("topic", &format!("%RETRY%{group}"))], "").await;
    assert!(is_success(&route), "the retry topic is known by then: {route:?}");
    let groups = [consumer(&group, &[]), consumer(&other, &[])];
    second.ask(34, &[], heartbeat("d", &groups).to_string()).await;
    let mut heard = [second.heard().await, second.heard().await];
    heard.sort();
    let mut expected = [news(&group), news(&other)];
    expected.sort();
    assert_eq!(heard, expected);
    assert_eq!(second.heard().await, None);
    assert_eq!(first.told().await, news(&group).expect("news"));
}

/// Pulls from queue 0 what the group has subscribed to, in this version.
async fn pull(site: &GroupPeer, peer: &Peer, more: &[(&str, &str)]) -> RemotingCommand {
    peer.call(11, &pull_fields(&site.group, &site.topic).with(more).list(), "").await
}

fn tags(answer: &RemotingCommand) -> Vec<String> {
    records(answer).iter().map(|message| message.tags().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_group_has_a_single_filter_for_a_topic() {
    let name_server = &*stage::name_server().await;
    let site = GroupPeer::new(name_server, "filter", &["A", "B", "A"]).await;
    let other = Peer::new(name_server).await;
    let wants = |client: &str, expression: &str, version: i64| {
        let mut wanted = subscription(&site.topic, expression, version);
        wanted["tagsSet"] = json!([expression]);
        wanted["codeSet"] = json!([i32::from(expression.as_bytes()[0])]);
        heartbeat(client, &[consumer(&site.group, &[wanted])]).to_string()
    };
    other.ask(34, &[], wants("b", "B", 20)).await;
    site.peer.ask(34, &[], wants("a", "A", 10)).await;
    let of_a = pull(&site, &site.peer, &[("subVersion", "10")]).await;
    assert_eq!(tags(&of_a), ["B"], "the latest subscription counts for all members");
    let own = [("sysFlag", "4"), ("subscription", "A"), ("expressionType", "TAG")];
    assert_eq!(tags(&pull(&site, &site.peer, &own).await), ["A", "A"]);
    // It lasts until the whole group left.
    for (peer, client) in [(&other, "b"), (&site.peer, "a")] {
        peer.call(35, &[("clientID", client), ("consumerGroup", &site.group)], "").await;
        if client == "b" {
            assert_eq!(tags(&pull(&site, &site.peer, &[("subVersion", "10")]).await), ["B"]);
        }
    }
    site.peer.ask(34, &[], wants("a", "A", 10)).await;
    assert_eq!(tags(&pull(&site, &site.peer, &[("subVersion", "10")]).await), ["A", "A"]);
}

#[tokio::test]
async fn members_with_other_topics_take_each_other_s_away() {
    let name_server = &*stage::name_server().await;
    let site = GroupPeer::new(name_server, "topics", &["A"]).await;
    let other = Peer::new(name_server).await;
    let own = beat("a", &site.group, &[&site.topic]);
    site.peer.ask(34, &[], own.clone()).await;
    site.peer.told().await;
    assert_eq!(pull(&site, &site.peer, &[]).await.code, 0);
    other.ask(34, &[], beat("b", &site.group, &["Elsewhere"])).await;
    site.peer.told().await;
    assert_eq!(pull(&site, &site.peer, &[]).await.code, 24, "the topic is gone");
    site.peer.ask(34, &[], own).await;
    assert_eq!(pull(&site, &site.peer, &[]).await.code, 0, "until the next heartbeat");
    assert!(other.told().await.starts_with("40 "));
    assert!(other.told().await.starts_with("40 "), "each of them is a change of the group");
}

/// What the broker says of a group (203): its client ids, and the expression and version of each subscription.
async fn looked_at(peer: &Peer, group: &str) -> (Vec<String>, Vec<String>) {
    let found: ConsumerConnection = body(&peer.call(203, &[("consumerGroup", group)], "").await);
    let mut ids: Vec<_> = found.connection_set.into_iter().map(|one| one.client_id).collect();
    ids.sort();
    let shown = |data: &SubscriptionData| format!("{} {}", data.sub_string, data.sub_version);
    (ids, found.subscription_table.values().map(shown).collect())
}

#[tokio::test]
async fn a_group_shows_one_subscription_for_a_topic_and_only_topics_of_the_last_heartbeat() {
    let name_server = &*stage::name_server().await;
    let (a, b) = (Peer::new(name_server).await, Peer::new(name_server).await);
    let group = fresh_group("shown");
    let wants = |client: &str, topic: &str, expression: &str, version: i64| {
        heartbeat(client, &[consumer(&group, &[subscription(topic, expression, version)])]).to_string()
    };
    b.ask(34, &[], wants("b", "T", "B", 20)).await;
    a.ask(34, &[], wants("a", "T", "A", 10)).await;
    let both = vec!["a".to_owned(), "b".to_owned()];
    // Nothing tells b that a wants something else.
    assert_eq!(looked_at(&b, &group).await, (both.clone(), vec!["B 20".to_owned()]));
    a.ask(34, &[], wants("a", "S", "A", 10)).await;
    assert_eq!(looked_at(&b, &group).await, (both.clone(), vec!["A 10".to_owned()]));
    b.ask(34, &[], wants("b", "T", "B", 20)).await;
    assert_eq!(looked_at(&a, &group).await, (both, vec!["B 20".to_owned()]));
}

#[tokio::test]
async fn a_client_id_with_two_connections_is_listed_twice_until_one_ends() {
    let name_server = &*stage::name_server().await;
    let (one, other) = (Peer::new(name_server).await, Peer::new(name_server).await);
    let group = fresh_group("twins");
    let ids = async |peer: &Peer| {
        let list: GetConsumerListByGroupResponseBody =
            body(&peer.call(38, &[("consumerGroup", &group)], "").await);
        list.consumer_id_list
    };
    for peer in [&one, &other] {
        peer.ask(34, &[], beat("twin", &group, &["T"])).await;
    }
    assert_eq!(ids(&one).await, ["twin", "twin"]);
    assert_eq!(looked_at(&one, &group).await.0, ["twin", "twin"]);
    assert!(one.told().await.starts_with("40 "));
    assert!(one.told().await.starts_with("40 "), "the first is told of the second");
    other.leave().await;
    assert!(one.told().await.starts_with("40 "));
    assert_eq!(ids(&one).await, ["twin"]);
}

fn lock_request(site: &GroupPeer, client: &str) -> String {
    let queue = json!({ "topic": site.topic, "brokerName": "broker-a", "queueId": 0 });
    json!({ "consumerGroup": site.group, "clientId": client, "mqSet": [queue], "onlyThisBroker": true })
        .to_string()
}

/// Whether the broker grants a lock of queue 0.
async fn locks(peer: &Peer, site: &GroupPeer, client: &str) -> bool {
    let answer = peer.call(41, &[], lock_request(site, client)).await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", told(&answer)));
    body["lockOKMQSet"].as_array().is_some_and(|queues| !queues.is_empty())
}

#[tokio::test]
async fn a_lock_outlives_the_membership_and_the_connection_of_its_owner() {
    let name_server = &*stage::name_server().await;
    let site = GroupPeer::new(name_server, "locks", &["A"]).await;
    let owner = Peer::new(name_server).await;
    owner.ask(34, &[], beat("a", &site.group, &[&site.topic])).await;
    assert!(locks(&owner, &site, "a").await);
    owner.call(35, &[("clientID", "a"), ("consumerGroup", &site.group)], "").await;
    assert!(!locks(&site.peer, &site, "b").await);
    owner.leave().await;
    assert!(!locks(&site.peer, &site, "b").await);
    assert!(locks(&site.peer, &site, "a").await, "a client is known by its id alone");
}

#[tokio::test]
async fn a_restart_forgets_locks_and_pending_resets() {
    let broker = stage::a_broker_that_restarts().await;
    let site = GroupPeer::new(&broker.name_server(), "restart", &["A", "A", "A"]).await;
    site.peer.ask(34, &[], beat("a", &site.group, &[&site.topic])).await;
    let commit =
        [("consumerGroup", &*site.group), ("topic", &site.topic), ("queueId", "0"), ("commitOffset", "3")];
    assert_eq!(site.peer.call(15, &commit, "").await.code, 0);
    let reset = [("group", &*site.group), ("topic", &site.topic), ("queueId", "0"), ("offset", "1")];
    let reset = [&reset[..], &[("isForce", "true"), ("timestamp", "0")]].concat();
    assert_eq!(site.peer.call(222, &reset, "").await.code, 0);
    assert_eq!(site.peer.ask(14, &commit, "").await, "0 {offset=1}");
    assert!(locks(&site.peer, &site, "a").await);
    broker.restart().await;

    let peer = Peer::new(&broker.name_server()).await;
    assert!(locks(&peer, &site, "b").await, "nobody holds the lock any more");
    let asked = [("queueOffset", "2"), ("sysFlag", "4"), ("subscription", "*"), ("expressionType", "TAG")];
    assert_eq!(pull(&site, &peer, &asked).await.code, 0, "the pull is not sent elsewhere");
    // The commit of a consumer that knows nothing of the reset is taken.
    assert_eq!(peer.call(15, &commit, "").await.code, 0);
    assert_eq!(peer.ask(14, &commit, "").await, "0 {offset=3}");
}
