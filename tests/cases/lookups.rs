//! Look-ups of an admin: messages by key and id, brokers and members of groups.

use rocketmq::admin::Brokers;
use rocketmq::error::MQClientError;
use rocketmq::model::Message;

use super::support::{Site, eventually, fresh_topic};
use crate::stage;

#[tokio::test]
async fn messages_are_found_by_their_keys() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("keys", 2).await;
    let mut stored = Vec::new();
    for keys in ["order-1 user-7", "order-2 user-7", "order-3"] {
        let message = Message::new(topic.as_str(), keys).with_keys(keys);
        stored.push(site.round_trip(message).await.1);
    }
    let found = eventually("the third key", async || {
        let found = site.admin.query_message(&topic, "order-3", 8, ..).await.expect("a result");
        (!found.messages.is_empty()).then_some(found)
    });
    let found = found.await;
    assert_eq!(found.messages, stored[2..]);
    assert!(found.index_last_update_timestamp >= stored[2].store_timestamp());
    assert!(found.failed.is_empty() && found.unreadable.is_empty());

    let query = async |key: &str, max: u32| {
        site.admin.query_message(&topic, key, max, ..).await.expect("a result").messages
    };
    assert_eq!(query("user-7", 8).await, stored[..2]);
    assert_eq!(query("user-7", 1).await, stored[1..2], "the newest is kept");
    assert!(query("user", 8).await.is_empty());
    assert!(query("USER-7", 8).await.is_empty());

    // Times to the millisecond, both ends included.
    let times = [stored[0].store_timestamp(), stored[1].store_timestamp()];
    let within = async |begin: i64, end: i64| {
        let found = site.admin.query_message(&topic, "user-7", 8, begin..=end).await;
        found.expect("a result").messages
    };
    assert_eq!(within(times[0], times[1]).await, stored[..2]);
    assert!(within(times[1] + 1, i64::MAX).await.is_empty());
    assert!(within(0, times[0] - 1).await.is_empty());
    assert!(within(times[0], times[0]).await.contains(&stored[0]));

    for key in ["", "two words"] {
        let error = site.admin.query_message(&topic, key, 8, ..).await.expect_err("not a key");
        assert!(matches!(error, MQClientError::InvalidArgument { argument: "key", .. }), "{error}");
    }
    let error = site.admin.query_message(&fresh_topic("absent"), "k", 8, ..).await.expect_err("no topic");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_message_is_found_by_either_kind_of_id() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (sent, stored) = site.round_trip(Message::new(fresh_topic("either"), "x")).await;
    let topic = stored.topic();
    let found = eventually("the unique key", async || {
        site.admin.view_message_by_unique_key(topic, &sent.msg_id).await.expect("an answer")
    });
    assert_eq!(found.await, stored);
    let message = async |id: &str| site.admin.message(topic, id).await.expect("an answer");
    assert_eq!(message(&sent.msg_id).await.as_ref(), Some(&stored));
    let by_offset = message(&sent.offset_msg_id).await.expect("it is there");
    assert_eq!((by_offset.msg_id(), by_offset.offset_msg_id()), (&*sent.msg_id, &*sent.offset_msg_id));

    // Sent again with its id, the message is found twice.
    let again = site.producer.send(stored.message().clone()).await.expect("sent again");
    assert_eq!(again.msg_id, sent.msg_id);
    let twice = eventually("the second one", async || {
        let found = site.admin.query_by_unique_key(topic, &sent.msg_id, ..).await.expect("a result");
        (found.messages.len() == 2).then_some(found.messages)
    });
    let places: Vec<String> = twice.await.iter().map(|found| found.offset_msg_id().to_owned()).collect();
    assert_eq!(places, [sent.offset_msg_id.as_str(), again.offset_msg_id.as_str()]);
    assert_eq!(message(&sent.msg_id).await.as_ref(), Some(&stored), "the first is meant");

    let hole = format!("{}7FFFFFFFFFFFFFF0", &sent.offset_msg_id[..16]);
    for absent in [hole.as_str(), "7F0000010001251A69D70000000000AA", "what ever"] {
        assert_eq!(message(absent).await, None);
    }
    let long_ago = site.admin.query_by_unique_key(topic, &sent.msg_id, ..stored.store_timestamp()).await;
    assert!(long_ago.expect("a result").messages.is_empty());
}

#[tokio::test]
async fn who_is_in_the_cluster() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    assert_eq!(site.admin.name_servers(), [name_server]);
    let info = site.admin.cluster_info().await.expect("an answer");
    let cluster = site.cluster().await;
    let figures = site.admin.broker_runtime_info(&Brokers::cluster(&cluster)).await.expect("figures");
    assert!(figures.is_complete());
    assert_eq!(figures.done.len(), info.broker_addr_table.len());
    for (server, figures) in &figures.done {
        let broker = &info.broker_addr_table[server.broker_name().expect("a broker")];
        assert_eq!(
            (broker.cluster.as_str(), broker.broker_addrs[&0].as_str()),
            (&*cluster, server.address())
        );
        assert!(figures["brokerVersionDesc"].starts_with("V5"), "{figures:?}");
    }
}

#[tokio::test]
async fn the_members_of_a_producer_group() {
    let name_server = &*stage::name_server().await;
    let group = fresh_topic("group");
    let site = Site::with(name_server, |option| {
        option.set_group_name(group.as_str());
    })
    .await;
    let topic = site.create("members", 1).await;
    let nobody = site.admin.producer_connections("NoSuchGroup", &topic).await.expect("an answer");
    assert!(nobody.is_complete() && nobody.done.iter().all(|(_, connections)| connections.is_empty()));
    let (sent, _) = site.round_trip(Message::new(topic.as_str(), "x")).await;
    let connections = eventually("the producer", async || {
        let answers = site.admin.producer_connections(&group, &topic).await.expect("an answer");
        let broker = sent.message_queue.broker_name();
        let mut answers = answers.done.into_iter().filter(|(server, _)| server.broker_name() == Some(broker));
        answers.next().map(|(_, connections)| connections).filter(|connections| !connections.is_empty())
    });
    let connections = connections.await;
    assert_eq!(connections.len(), 1, "{connections:?}");
    assert!(connections[0].client_id.contains('@') && connections[0].client_addr.starts_with("127.0.0.1:"));
}
