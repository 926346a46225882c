//! Groups that move to other offsets, online or not.

use std::time::Duration;

use rocketmq::admin::{BoundaryType, QueuePosition};
use rocketmq::consumer::{ConsumeFromWhere, ConsumerEvent, MessageModel, PullConsumer};
use rocketmq::error::MQClientError;
use rocketmq::model::{MessageExt, MessageQueue};

use super::Stand;
use crate::cases::consumer::support::{Seen, WITHIN, bodies, broker, consumer, raw, send, until};
use crate::stage;

const UPDATE_BROKER_CONFIG: i32 = 25;

#[tokio::test]
async fn a_plan_moves_nothing_and_its_reset_moves_a_group_that_is_offline() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_off").await;
    stand.finish().await;
    let admin = &stand.site.admin;
    let plan = admin.plan_offset_reset(&stand.group, &stand.topic, QueuePosition::Offset(4)).await.unwrap();
    let [reset] = &plan.queues[..] else { panic!("{plan}") };
    assert_eq!((reset.min_offset, reset.max_offset, reset.committed, reset.target), (0, 10, Some(10), 4));
    assert_eq!((reset.repeated(), reset.skipped(), reset.members.len()), (6, 0, 0));
    assert!(
        plan.to_string().contains("10 -> 4, has 0 to 10, repeats 6, skips 0, 0 members online"),
        "{plan}"
    );
    assert_eq!(stand.committed().await, Some(10), "a plan moves nothing");
    assert_eq!(admin.reset_offsets(&plan).await.unwrap().done, [(stand.queue.clone(), 4)]);
    assert_eq!(stand.committed().await, Some(4));
    let seen = Seen::default();
    let consumer = stand.start(&seen).await;
    seen.wait_for(6).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(seen.counts().into_keys().collect::<Vec<_>>(), bodies("m", 10).skip(4).collect::<Vec<_>>());

    assert_eq!(stand.reset(QueuePosition::Begin).await.unwrap(), 0);
    assert_eq!(stand.committed().await, Some(0));
    assert_eq!(stand.reset(QueuePosition::End).await.unwrap(), 10);
    assert_eq!(stand.committed().await, Some(10));
    let stored = stand.site.pull_one(&stand.queue, 5).await.store_timestamp();
    let at = admin.search_offset(&stand.queue, stored, BoundaryType::Lower).await.unwrap();
    assert_eq!(stand.reset(QueuePosition::Time(stored)).await.unwrap(), at);
    assert_eq!(stand.reset(QueuePosition::Time(i64::MAX)).await.unwrap(), 10);
    assert_eq!(stand.committed().await, Some(10));
}

#[tokio::test]
async fn a_reset_moves_a_group_that_is_online() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_on").await;
    let seen = Seen::default();
    let consumer = stand.start(&seen).await;
    seen.wait_for(10).await;
    stand.wait_for_committed(10).await;
    let admin = &stand.site.admin;
    let plan = admin.plan_queue_reset(&stand.group, &stand.queue, QueuePosition::Offset(7)).await.unwrap();
    assert_eq!(plan.queues[0].members.len(), 1, "{plan}");
    assert!(plan.to_string().contains("repeats 3, skips 0, 1 members online"), "{plan}");
    assert_eq!(seen.len(), 10);
    admin.reset_offsets(&plan).await.unwrap().into_complete().unwrap();
    until("three again", || seen.len() >= 13).await;
    stand.wait_for_committed(10).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(seen.counts().values().filter(|count| **count == 2).count(), 3);
    assert_eq!(seen.len(), 13);
}

#[tokio::test]
async fn a_reset_moves_a_pull_consumer_that_is_online() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_pull").await;
    let mut consumer = PullConsumer::builder(&stand.group)
        .name_server_addr(name_server)
        .option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_broker_suspend_max_time(2000);
            option.set_auto_commit(false);
        })
        .subscribe(&stand.topic, "*")
        .start()
        .await
        .unwrap();
    let poll = async |consumer: &mut PullConsumer, count: usize| {
        let (mut came, began) = (Vec::<MessageExt>::new(), std::time::Instant::now());
        while came.len() < count {
            assert!(began.elapsed() < WITHIN, "{count} messages, {} came", came.len());
            came.extend(consumer.poll(Duration::from_millis(200)).await.unwrap());
        }
        came.iter().map(MessageExt::queue_offset).collect::<Vec<_>>()
    };
    let mut events = consumer.events();
    assert_eq!(poll(&mut consumer, 10).await, (0..10).collect::<Vec<_>>());
    // The poll that confirms these ten comes after the reset, and must not undo it.
    assert_eq!(stand.reset(QueuePosition::Offset(6)).await.unwrap(), 6);
    assert_eq!(poll(&mut consumer, 4).await, [6, 7, 8, 9], "the reset, and nothing else, is read again");
    let moved = |event: ConsumerEvent| matches!(event, ConsumerEvent::OffsetReset { to: 6, .. });
    assert!(std::iter::from_fn(|| events.try_next()).any(moved), "a position that moves is told");
    assert_eq!(stand.committed().await, Some(6));
    consumer.commit().await.unwrap();
    assert_eq!(stand.committed().await, Some(10));

    consumer.seek(&stand.queue, 2).await.unwrap();
    assert_eq!(stand.committed().await, Some(10));
    assert_eq!(poll(&mut consumer, 8).await[0], 2);
    consumer.shutdown().await.unwrap();

    assert_eq!(stand.reset(QueuePosition::Offset(9)).await.unwrap(), 9);
    let seen = Seen::default();
    let next = stand.start(&seen).await;
    seen.wait_for(1).await;
    assert!(next.shutdown().await.unwrap().is_clean());
    assert_eq!(seen.bodies(), ["m9"], "a group that was offline starts where it was moved to");
}

#[tokio::test]
async fn resets_that_cannot_be_say_why_and_move_nothing() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_bad").await;
    stand.finish().await;
    let (admin, group) = (&stand.site.admin, &*stand.group);
    for offset in [-1, 11] {
        let error = stand.reset(QueuePosition::Offset(offset)).await.unwrap_err().to_string();
        let expected =
            format!("invalid offset: offset {offset} is outside of {}, which has 0 to 10", stand.queue);
        assert_eq!(error, expected);
    }
    let two = stand.site.create("reset_bad_two", 2).await;
    send(&stand.site, &two, bodies("m", 2)).await;
    let error = admin.plan_offset_reset(group, &two, QueuePosition::Offset(5)).await.unwrap_err();
    assert!(
        error.to_string().starts_with("2 of 2 failed") && error.to_string().contains("has 0 to 1"),
        "{error}"
    );

    let strange = MessageQueue::new(stand.topic.as_str(), stand.queue.broker_name(), 9);
    let error = admin.plan_queue_reset(group, &strange, QueuePosition::End).await.unwrap_err().to_string();
    assert!(error.contains("its topic has 1 queues"), "{error}");
    let error = admin.plan_queue_reset("NoSuchGroup_reset", &stand.queue, QueuePosition::End).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("has no group NoSuchGroup_reset"), "{error}");
    let error = admin.plan_offset_reset(group, "NoSuchTopic_reset", QueuePosition::End).await.unwrap_err();
    assert!(matches!(error, MQClientError::BrokerNotFound { .. }), "{error}");

    // The queue of a plan may have changed since.
    let mut plan = admin.plan_queue_reset(group, &stand.queue, QueuePosition::Begin).await.unwrap();
    plan.queues[0].target = 99;
    let error = admin.reset_offsets(&plan).await.unwrap_err().to_string();
    assert!(error.contains("offset 99 is outside of"), "{error}");
    assert_eq!(stand.committed().await, Some(10));
}

#[tokio::test]
async fn members_that_broadcast_are_not_reset() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_cast").await;
    let seen = Seen::default();
    let collect = seen.clone();
    let folder = std::env::temp_dir().join(&stand.group);
    let consumer = consumer(name_server, &stand.group)
        .option(|option| {
            option.set_message_model(MessageModel::Broadcasting);
            option.set_local_offset_store_dir(folder.to_string_lossy());
        })
        .subscribe(&stand.topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            async {}
        });
    let consumer = consumer.start().await.unwrap();
    let error = stand.reset(QueuePosition::Begin).await.unwrap_err().to_string();
    assert!(error.contains("broadcasts: its members keep their offsets"), "{error}");
    consumer.shutdown().await.unwrap();
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test]
async fn a_broker_that_moves_members_by_time_only_is_told_nothing_while_they_are_online() {
    let name_server = &*stage::name_server_of_its_own().await;
    let stand = Stand::new(name_server, "reset_by_time").await;
    let seen = Seen::default();
    let consumer = stand.start(&seen).await;
    seen.wait_for(10).await;
    stand.wait_for_committed(10).await;
    let admin = &stand.site.admin;
    let plan = admin.plan_queue_reset(&stand.group, &stand.queue, QueuePosition::Offset(8)).await.unwrap();
    let broker = broker(&stand.site).await;
    raw(&broker, UPDATE_BROKER_CONFIG, &[], "useServerSideResetOffset=false").await;
    let error = admin.reset_offsets(&plan).await.unwrap_err().to_string();
    assert!(error.contains("is online at broker-a, which moves members by time only"), "{error}");
    assert!(error.contains(&plan.queues[0].members[0]), "it says who to stop: {error}");
    let error = stand.reset(QueuePosition::Begin).await.unwrap_err().to_string();
    assert!(error.contains("moves members by time only"), "{error}");
    assert_eq!((seen.len(), stand.committed().await), (10, Some(10)));
    assert!(consumer.shutdown().await.unwrap().is_clean());
    admin.reset_offsets(&plan).await.unwrap().into_complete().unwrap();
    assert_eq!(stand.committed().await, Some(8), "without members the plan is carried out");
}

#[tokio::test]
async fn a_reset_that_still_waits_for_its_pull_swallows_no_later_reset() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_twice").await;
    stand.finish().await;
    let broker = broker(&stand.site).await;
    let fields = [("group", &*stand.group), ("topic", &stand.topic), ("timestamp", "0"), ("isForce", "true")];
    let answer = raw(&broker, 222, &fields, "").await;
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(stand.committed().await, Some(0));
    // Now the broker ignores commits, and answers that all is well.
    assert_eq!(stand.reset(QueuePosition::Offset(8)).await.unwrap(), 8);
    assert_eq!(stand.committed().await, Some(8));
    let seen = Seen::default();
    let consumer = stand.start(&seen).await;
    seen.wait_for(2).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(seen.bodies(), ["m8", "m9"]);
    assert_eq!(stand.committed().await, Some(10));
}
