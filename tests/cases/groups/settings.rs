//! Groups that are created, described, deleted and cloned; their members and progress.

use rocketmq::admin::{Brokers, CMResult, Keep, QueuePosition, SubscriptionGroupConfig};
use rocketmq::model::mix_all;

use super::{Stand, create, start};
use crate::cases::consumer::support::{Seen, bodies, fresh_group, send};
use crate::cases::support::eventually;
use crate::stage;

#[tokio::test]
async fn a_group_is_created_changed_listed_and_deleted() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "group").await;
    let (admin, group) = (&stand.site.admin, &*stand.group);
    let error = admin.describe_group(group).await.unwrap_err().to_string();
    assert!(error.contains(group) && error.contains("broker-a") && error.contains("has no group"), "{error}");

    let mut config = SubscriptionGroupConfig::new(group);
    (config.retry_max_times, config.consume_timeout_minute) = (3, 7);
    assert!(admin.create_subscription_group(&config, &Brokers::All).await.unwrap().is_complete());
    let described = admin.describe_group(group).await.unwrap();
    let on = &described.done[0].1;
    let found = on.config.as_ref().unwrap();
    assert_eq!((found.retry_max_times, found.consume_timeout_minute), (3, 7));
    assert_eq!(on.members, None);
    config.retry_max_times = 5;
    admin.create_subscription_group(&config, &Brokers::All).await.unwrap();
    let listed = admin.subscription_groups(&Brokers::All).await.unwrap();
    let listed = listed.done[0].1.iter().find(|one| one.group_name.as_deref() == Some(group)).unwrap();
    assert_eq!(listed.retry_max_times, 5);

    stand.finish().await;
    let topics = admin.topics_of_group(group).await.unwrap();
    assert!(topics.done[0].1.contains(&stand.topic), "{topics:?}");
    let groups = admin.topic_consumed_by(&stand.topic).await.unwrap();
    assert_eq!(groups.done[0].1, [group]);

    let cluster = stand.site.cluster().await;
    let retry = mix_all::retry_topic(group);
    let deleted = admin.delete_subscription_group(group, &cluster, Keep::OffsetsAndTopics).await.unwrap();
    assert!(deleted.is_complete());
    assert_eq!(stand.committed().await, Some(10), "the offsets stay");
    assert!(admin.route(&retry).await.is_ok(), "the retry topic stays");
    let deleted = admin.delete_subscription_group(group, &cluster, Keep::Topics).await.unwrap();
    assert!(deleted.is_complete());
    assert_eq!(stand.committed().await, None);
    assert!(admin.route(&retry).await.is_ok());
    let deleted = admin.delete_subscription_group(group, &cluster, Keep::Nothing).await.unwrap();
    assert!(deleted.is_complete(), "{deleted:?}");
    assert!(admin.route(&retry).await.is_err());
}

#[tokio::test]
async fn a_group_that_is_online_is_seen_and_not_deleted() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "online").await;
    let (admin, group, seen) = (&stand.site.admin, &*stand.group, Seen::default());
    let consumer = stand.start(&seen).await;
    seen.wait_for(10).await;
    stand.wait_for_committed(10).await;
    let connections = admin.consumer_connections(group).await.unwrap();
    let members = connections.done[0].1.as_ref().unwrap();
    let [member] = &members.connection_set[..] else { panic!("{members:?}") };
    assert!(members.subscription_table.contains_key(&stand.topic), "{members:?}");
    let on = admin.describe_group(group).await.unwrap().done.remove(0).1;
    assert!(on.config.is_some());
    assert_eq!(on.members.as_ref(), Some(members));

    let progress = admin.consumer_progress(group).await.unwrap();
    assert!(progress.is_complete(), "{progress:?}");
    let at = progress.queues.iter().find(|one| one.queue == stand.queue).unwrap();
    assert_eq!((at.max_offset, at.consumer_offset, at.lag()), (10, 10, 0));
    assert_eq!(at.client_id.as_deref(), Some(&*member.client_id));
    assert!(at.last_timestamp.is_some());
    consumer.suspend();
    send(&stand.site, &stand.topic, bodies("n", 3)).await;
    eventually("the lag", async || {
        let progress = admin.consumer_progress(group).await.unwrap();
        let of_member = progress.lag_by_member().get(&Some(&*member.client_id)).copied();
        (progress.lag() == 3 && of_member == Some(3)).then_some(())
    })
    .await;

    let info = admin.consumer_running_info(group, &member.client_id).await.unwrap();
    assert!(info.mq_table.contains_key(&stand.queue), "{info:?}");
    let error = admin.consumer_running_info(group, "nobody").await.unwrap_err().to_string();
    assert!(error.contains("nobody") && error.contains(&member.client_id), "{error}");

    let cluster = stand.site.cluster().await;
    let error = admin.delete_subscription_group(group, &cluster, Keep::Nothing).await.unwrap_err();
    assert!(error.to_string().contains("has 1 members online at broker-a"), "{error}");
    assert_eq!(stand.committed().await, Some(10), "nothing is deleted");
    consumer.shutdown().await.unwrap();
    let error = admin.consumer_running_info(group, &member.client_id).await.unwrap_err().to_string();
    assert!(error.contains("has no member online"), "{error}");
}

#[tokio::test]
async fn offsets_are_cloned_to_a_group_that_is_offline() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "clone_admin").await;
    let (admin, clone) = (&stand.site.admin, fresh_group("clone_admin"));
    let error = admin.clone_group_offset(&stand.group, &clone, &stand.topic).await.unwrap_err().to_string();
    assert!(error.contains("has committed nothing in topic"), "{error}");
    stand.finish().await;
    assert_eq!(stand.reset(QueuePosition::Offset(6)).await.unwrap(), 6);
    create(admin, &clone).await;
    let cloned = admin.clone_group_offset(&stand.group, &clone, &stand.topic).await.unwrap();
    assert_eq!(cloned.into_complete().unwrap(), [(stand.queue.clone(), 6)]);
    let seen = Seen::default();
    let consumer = start(name_server, &clone, &stand.topic, &seen).await;
    seen.wait_for(4).await;
    assert_eq!(seen.counts().into_keys().collect::<Vec<_>>(), ["m6", "m7", "m8", "m9"]);
    let error = admin.clone_group_offset(&stand.group, &clone, &stand.topic).await.unwrap_err().to_string();
    assert!(error.contains("1 members online") && error.contains("would undo the copy"), "{error}");
    consumer.shutdown().await.unwrap();
    assert_eq!(stand.committed().await, Some(6), "the first group stays");
}

#[tokio::test]
async fn a_member_consumes_a_chosen_message() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "directly_admin").await;
    let (admin, group, seen) = (&stand.site.admin, &*stand.group, Seen::default());
    let consumer = stand.start(&seen).await;
    seen.wait_for(10).await;
    stand.wait_for_committed(10).await;
    let connections = admin.consumer_connections(group).await.unwrap();
    let id = &connections.done[0].1.as_ref().unwrap().connection_set[0].client_id;
    let message = stand.site.pull_one(&stand.queue, 3).await;
    let result =
        admin.consume_message_directly(group, id, &stand.topic, message.offset_msg_id()).await.unwrap();
    assert_eq!((result.consume_result, result.order), (CMResult::Success, false));
    assert_eq!(seen.counts()["m3"], 2);
    assert_eq!(stand.committed().await, Some(10));
    let absent = format!("{}FFFFFFFFFFFFFFFF", &message.offset_msg_id()[..16]);
    let error = admin.consume_message_directly(group, id, &stand.topic, &absent).await.unwrap_err();
    assert!(error.to_string().contains(&stand.topic), "{error}");
    let id = message.offset_msg_id();
    let error =
        admin.consume_message_directly(group, "nobody", &stand.topic, id).await.unwrap_err().to_string();
    assert!(error.contains("nobody") && error.contains("not online"), "{error}");
    consumer.shutdown().await.unwrap();
}
