//! Topics and offsets through an admin.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::admin::{BoundaryType, Brokers, PermName, Server, TopicConfig};
use rocketmq::error::MQClientError;
use rocketmq::model::{Message, MessageExt, MessageQueue, SendResult};
use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ConnectionOptions, NoRequests};
use rocketmq_remoting::protocol::header::UpdateConsumerOffsetRequestHeader;

use super::support::{Site, eventually, fresh_topic};
use crate::stage;

/// Every broker creates this group by itself.
const GROUP: &str = "TOOLS_CONSUMER";

/// Sends messages until they have three different store times.
async fn send_at_three_times(site: &Site, topic: &str) -> Vec<(SendResult, MessageExt)> {
    let (mut sent, mut times) = (Vec::new(), BTreeSet::new());
    while times.len() < 3 {
        let (result, stored) = site.round_trip(Message::new(topic, "x")).await;
        times.insert(stored.store_timestamp());
        sent.push((result, stored));
    }
    sent
}

#[tokio::test]
async fn a_topic_is_created_described_and_deleted() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let cluster = site.cluster().await;
    let topic = fresh_topic("created");
    let config = TopicConfig::new(topic.as_str(), 3);
    let created = site.admin.create_topic(&config, &Brokers::cluster(&cluster)).await.expect("created");
    assert!(created.is_complete() && created.done.iter().all(|(server, ())| server.is_master()));

    // Producers see the queues that the admin created.
    let route = site.admin.route(&topic).await.expect("it has a route at once");
    assert!(route.queue_datas.iter().all(|data| (data.read_queue_nums, data.write_queue_nums) == (3, 3)));
    let queues = site.admin.message_queues(&topic).await.expect("it has queues");
    assert_eq!(queues.len(), 3 * created.done.len());
    let mut used = Vec::new();
    for _ in 0..queues.len() {
        used.push(site.round_trip(Message::new(topic.as_str(), "x")).await.0.message_queue);
    }
    used.sort();
    assert_eq!(used, queues);
    assert!(site.admin.topics().await.expect("a list").contains(&topic));

    let described = site.admin.describe_topic(&topic).await.expect("it can be described");
    assert!(described.is_complete());
    for (_, on_broker) in &described.done {
        assert_eq!(on_broker.config.as_ref(), Some(&config));
        assert_eq!(on_broker.queues.len(), 3);
        for stats in on_broker.queues.values() {
            assert_eq!((stats.min_offset, stats.max_offset), (0, 1));
            assert!(stats.last_update_timestamp.is_some());
        }
    }

    let deleted = site.admin.delete_topic(&topic, &cluster).await.expect("it is deleted");
    assert!(deleted.is_complete(), "{deleted:?}");
    let name_servers: Vec<&str> = deleted
        .done
        .iter()
        .filter_map(|(server, ())| match server {
            Server::NameServer { address, .. } => Some(&**address),
            _ => None,
        })
        .collect();
    assert_eq!(name_servers, site.admin.name_servers());
    assert!(!site.admin.topics().await.expect("a list").contains(&topic));
    let error = site.admin.describe_topic(&topic).await.expect_err("it is gone");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
    let again = site.admin.delete_topic(&topic, &cluster).await.expect("nothing to delete is fine");
    assert!(again.is_complete());
}

#[tokio::test]
async fn an_empty_queue_has_no_times() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("empty", 1).await;
    let described = site.admin.describe_topic(&topic).await.expect("it can be described");
    for (_, on_broker) in described.done {
        for stats in on_broker.queues.values() {
            assert_eq!((stats.min_offset, stats.max_offset, stats.last_update_timestamp), (0, 0, None));
        }
    }
    let times = site.admin.earliest_store_times(&topic).await.expect("it can be asked");
    assert!(times.is_complete() && times.done.iter().all(|(_, time)| time.is_none()), "{times:?}");
}

#[tokio::test]
async fn sends_go_on_while_a_topic_loses_queues() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("loses_queues", 8).await;
    let send = || site.producer.send(Message::new(topic.as_str(), "x"));
    let lost = loop {
        let queue = send().await.expect("sent").message_queue;
        if queue.queue_id() >= 2 {
            break queue;
        }
    };
    site.create_topic(&topic, 2).await;
    for _ in 0..16 {
        let sent = send().await.expect("sent to a queue that is left");
        assert!(sent.message_queue.queue_id() < 2, "{sent:?}");
    }
    // A queue that the caller named is not replaced.
    let error =
        site.producer.send_to(Message::new(topic.as_str(), "x"), &lost).await.expect_err("it is gone");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
}

#[tokio::test]
async fn the_settings_of_a_topic_are_changed() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = fresh_topic("changed");
    let brokers = Brokers::All;
    let first = TopicConfig::new(topic.as_str(), 4).with_attribute("message.type", "NORMAL");
    site.admin.create_topic(&first, &brokers).await.expect("created");

    let mut second = TopicConfig::new(topic.as_str(), 8).with_perm(PermName::READ).with_order(true);
    second.write_queue_nums = 2;
    site.admin.create_topic(&second, &brokers).await.expect("changed");
    let described = site.admin.describe_topic(&topic).await.expect("it can be described");
    let found = described.done[0].1.config.clone().expect("this broker tells");
    assert_eq!((found.read_queue_nums, found.write_queue_nums), (8, 2));
    assert_eq!((found.perm, found.order), (PermName::READ, true));
    assert_eq!(found.attributes, first.attributes, "attributes that are not named stay");
    assert_eq!(site.admin.message_queues(&topic).await.expect("queues").len(), 8);

    let third = TopicConfig::new(topic.as_str(), 1).without_attribute("message.type");
    site.admin.create_topic(&third, &brokers).await.expect("changed");
    let described = site.admin.describe_topic(&topic).await.expect("it can be described");
    let found = described.done[0].1.config.clone().expect("this broker tells");
    assert!(found.attributes.is_empty(), "{found:?}");
}

#[tokio::test]
async fn topics_that_cannot_be_created_or_deleted() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let cluster = site.cluster().await;
    let code = |error: &MQClientError| error.response_code().map(|code| code.0);
    let create = |config: TopicConfig| {
        let admin = &site.admin;
        async move { admin.create_topic(&config, &Brokers::All).await.expect_err("refused") }
    };
    assert_eq!(code(&create(TopicConfig::new("SCHEDULE_TOPIC_XXXX", 1)).await), Some(29));
    assert_eq!(code(&create(TopicConfig::new(cluster.as_str(), 1)).await), Some(29));
    let error = create(TopicConfig::new(fresh_topic("a"), 1).with_attribute("foo", "bar")).await;
    assert_eq!(code(&error), Some(1));
    assert!(error.to_string().contains("foo"), "{error}");
    let error = create(TopicConfig::new("no good", 1)).await;
    assert!(matches!(error, MQClientError::InvalidArgument { .. }), "{error}");

    let error = site.admin.delete_topic("SCHEDULE_TOPIC_XXXX", &cluster).await.expect_err("refused");
    assert_eq!(code(&error), Some(29));
    let error = site.admin.delete_topic("T", "NoSuchCluster").await.expect_err("there is none");
    assert!(matches!(error, MQClientError::InvalidArgument { argument: "cluster", .. }), "{error}");
    let config = TopicConfig::new("T", 1);
    let error = site.admin.create_topic(&config, &Brokers::named(["no-such-broker"])).await;
    let error = error.expect_err("there is none");
    assert!(matches!(error, MQClientError::InvalidArgument { argument: "broker", .. }), "{error}");
}

#[tokio::test]
async fn offsets_of_a_queue() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("offsets", 1).await;
    let sent = send_at_three_times(&site, &topic).await;
    let (count, queue) = (sent.len() as i64, &sent[0].0.message_queue);
    let admin = &site.admin;
    assert_eq!(admin.max_offset(queue).await.expect("an offset"), count);
    assert_eq!(admin.min_offset(queue).await.expect("an offset"), 0);
    let first = &sent[0].1;
    assert_eq!(admin.earliest_store_time(queue).await.expect("a time"), Some(first.store_timestamp()));

    let search = async |timestamp: i64, boundary: BoundaryType| {
        admin.search_offset(queue, timestamp, boundary).await.expect("an offset")
    };
    let last = sent[sent.len() - 1].1.store_timestamp();
    let at_last = |(_, message): &&(SendResult, MessageExt)| message.store_timestamp() == last;
    let first_at_last = sent.iter().find(at_last).map_or(-1, |(result, _)| result.queue_offset);
    assert_eq!(search(last, BoundaryType::Lower).await, first_at_last);
    assert_eq!(search(last, BoundaryType::Upper).await, count - 1);
    assert_eq!(search(last + 1, BoundaryType::Lower).await, count);
    assert_eq!(search(first.store_timestamp() - 1, BoundaryType::Lower).await, 0);
    assert_eq!(search(first.store_timestamp() - 1, BoundaryType::Upper).await, 0);
}

#[tokio::test]
async fn offsets_of_all_queues_of_a_topic() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("all", 20).await;
    let queues = site.admin.message_queues(&topic).await.expect("queues");
    let (sent, stored) = site.round_trip(Message::new(topic.as_str(), "x")).await;
    let expect = |used: i64, unused: i64| -> Vec<(MessageQueue, i64)> {
        let offset = |queue: &MessageQueue| if *queue == sent.message_queue { used } else { unused };
        queues.iter().map(|queue| (queue.clone(), offset(queue))).collect()
    };
    let admin = &site.admin;
    assert_eq!(admin.max_offsets(&topic).await.expect("offsets").done, expect(1, 0));
    assert_eq!(admin.min_offsets(&topic).await.expect("offsets").done, expect(0, 0));
    let at = admin.search_offsets(&topic, stored.store_timestamp() + 1, BoundaryType::Lower).await;
    assert_eq!(at.expect("offsets").done, expect(1, 0));
    let times = admin.earliest_store_times(&topic).await.expect("times");
    assert_eq!(times.get(&sent.message_queue), Some(&Some(stored.store_timestamp())));

    let error = admin.max_offsets(&fresh_topic("absent")).await.expect_err("no such topic");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
    let elsewhere = MessageQueue::new(topic.as_str(), "no-such-broker", 0);
    let error = admin.max_offset(&elsewhere).await.expect_err("no such broker");
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");
}

#[tokio::test]
async fn offsets_of_a_consumer_group() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("committed", 2).await;
    let (sent, _) = site.round_trip(Message::new(topic.as_str(), "x")).await;
    let (admin, queue) = (&site.admin, &sent.message_queue);
    assert_eq!(admin.consumer_offset(GROUP, queue).await.expect("an answer"), None);
    assert_eq!(admin.consumer_offset("NoSuchGroup", queue).await.expect("an answer"), None);

    let broker = admin.route(&topic).await.expect("a route").broker_datas[0].broker_addrs[&0].clone();
    commit(&broker, queue, 1).await;
    let committed =
        eventually("the offset", async || admin.consumer_offset(GROUP, queue).await.expect("an answer"));
    assert_eq!(committed.await, 1);
    let all = admin.consumer_offsets(GROUP, &topic).await.expect("answers");
    let known: Vec<_> = all.done.iter().filter_map(|(queue, offset)| offset.map(|at| (queue, at))).collect();
    assert_eq!((all.done.len(), known), (2, vec![(queue, 1)]));
}

/// Commits an offset as a consumer does.
async fn commit(broker: &str, queue: &MessageQueue, offset: i64) {
    let client =
        RemotingClient::new(ConnectionOptions::default(), Arc::new(NoRequests)).expect("within a runtime");
    let header = UpdateConsumerOffsetRequestHeader {
        consumer_group: GROUP.into(),
        topic: queue.topic().into(),
        queue_id: queue.queue_id(),
        commit_offset: offset,
        broker_name: None,
    };
    client
        .call(broker, &header, &bytes::Bytes::new(), Duration::from_secs(5))
        .await
        .expect("it is committed");
}
