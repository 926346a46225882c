//! The pull consumer: polls, positions, commits, and queues that the user names.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rocketmq::consumer::{ConsumeFromWhere, PullConsumer, PullConsumerBuilder};
use rocketmq::error::MQClientError;
use rocketmq::model::{MessageExt, MessageQueue};

use super::support::{bodies, fresh_group, send};
use crate::cases::support::Site;
use crate::stage;

const WITHIN: Duration = Duration::from_secs(60);

fn puller(name_server: &str, group: &str) -> PullConsumerBuilder {
    PullConsumer::builder(group).name_server_addr(name_server).option(|option| {
        option.set_consume_from_where(ConsumeFromWhere::First);
    })
}

fn text(message: &MessageExt) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

/// Polls until `count` messages came.
async fn polled(consumer: &mut PullConsumer, count: usize) -> Vec<MessageExt> {
    let (mut messages, began) = (Vec::new(), Instant::now());
    while messages.len() < count {
        assert!(began.elapsed() < WITHIN, "{count} messages, {} came", messages.len());
        messages.extend(consumer.poll(Duration::from_secs(1)).await.unwrap());
    }
    messages
}

fn texts(messages: &[MessageExt]) -> BTreeSet<String> {
    messages.iter().map(text).collect()
}

fn only_queue(consumer: &PullConsumer) -> MessageQueue {
    let queues = consumer.assignment();
    let [queue] = &queues[..] else { panic!("{queues:?}") };
    queue.clone()
}

#[tokio::test]
async fn what_was_polled_is_committed_once_a_later_poll_confirms_it() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pull", 1).await, fresh_group("pull"));
    send(&site, &topic, bodies("m", 40)).await;
    let mut consumer = puller(name_server, &group).subscribe(&topic, "*").start().await.unwrap();
    let first = consumer.poll(Duration::from_secs(30)).await.unwrap();
    let queue = only_queue(&consumer);
    assert_eq!(text(&first[0]), "m0");
    let read = i64::try_from(first.len()).unwrap();
    assert_eq!(consumer.position(&queue).unwrap(), read);
    // Not processed yet, as far as anybody knows.
    assert!(consumer.shutdown().await.unwrap().unfinished > 0);

    let mut consumer = puller(name_server, &group).subscribe(&topic, "*").start().await.unwrap();
    assert_eq!(text(&polled(&mut consumer, 1).await[0]), "m0", "it comes again");
    let rest = polled(&mut consumer, 40 - first.len()).await;
    assert!(texts(&rest).contains("m39"));
    assert!(consumer.poll(Duration::ZERO).await.unwrap().is_empty(), "all are confirmed now");
    assert!(consumer.shutdown().await.unwrap().is_clean());

    let mut consumer = puller(name_server, &group).subscribe(&topic, "*").start().await.unwrap();
    assert_eq!(consumer.committed(&queue).await.unwrap(), Some(40));
    assert!(consumer.poll(Duration::from_millis(500)).await.unwrap().is_empty());
    send(&site, &topic, bodies("new", 1)).await;
    assert_eq!(text(&polled(&mut consumer, 1).await[0]), "new0");
    consumer.commit().await.unwrap();
    assert_eq!(consumer.committed(&queue).await.unwrap(), Some(41), "commit confirms the last poll");
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn without_auto_commit_only_the_user_commits() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pull_manual", 1).await, fresh_group("pull_manual"));
    send(&site, &topic, bodies("m", 10)).await;
    let manual = || {
        puller(name_server, &group)
            .option(|option| _ = option.set_auto_commit(false).set_persist_offset_interval(100))
            .subscribe(&topic, "*")
    };
    let mut consumer = manual().start().await.unwrap();
    polled(&mut consumer, 10).await;
    assert!(consumer.poll(Duration::from_millis(500)).await.unwrap().is_empty());
    let queue = only_queue(&consumer);
    assert_eq!(consumer.committed(&queue).await.unwrap().unwrap_or(0), 0, "polls commit nothing");
    consumer.commit_offsets([(queue.clone(), 4)]).await.unwrap();
    assert_eq!(consumer.committed(&queue).await.unwrap(), Some(4));
    consumer.shutdown().await.unwrap();

    let mut consumer = manual().start().await.unwrap();
    assert_eq!(text(&polled(&mut consumer, 6).await[0]), "m4");
    consumer.commit().await.unwrap();
    consumer.seek(&queue, 2).await.unwrap();
    assert_eq!(text(&polled(&mut consumer, 8).await[0]), "m2");
    assert_eq!(consumer.committed(&queue).await.unwrap(), Some(10), "a seek commits nothing");
    consumer.seek(&queue, 7).await.unwrap();
    consumer.commit().await.unwrap();
    assert_eq!(consumer.committed(&queue).await.unwrap(), Some(7));
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn seeks_move_the_position_and_refuse_offsets_that_the_queue_lacks() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pull_seek", 1).await, fresh_group("pull_seek"));
    send(&site, &topic, bodies("m", 20)).await;
    let mut consumer = puller(name_server, &group).subscribe(&topic, "*").start().await.unwrap();
    let queue = only_queue(&consumer);
    let early = polled(&mut consumer, 20).await;
    consumer.seek(&queue, 15).await.unwrap();
    assert_eq!(text(&polled(&mut consumer, 5).await[0]), "m15");
    consumer.seek_to_begin(&queue).await.unwrap();
    assert_eq!(text(&polled(&mut consumer, 20).await[0]), "m0");
    let middle = std::time::UNIX_EPOCH + Duration::from_millis(early[10].store_timestamp().unsigned_abs());
    let at = consumer.offset_for_timestamp(&queue, middle).await.unwrap();
    assert!((0..=10).contains(&at), "{at}: the first of the messages of that millisecond");
    consumer.seek_to_time(&queue, middle).await.unwrap();
    assert_eq!(text(&polled(&mut consumer, 1).await[0]), format!("m{at}"));
    consumer.seek_to_end(&queue).await.unwrap();
    assert!(consumer.poll(Duration::from_millis(300)).await.unwrap().is_empty());

    for offset in [-1, 21, i64::MAX] {
        let error = consumer.seek(&queue, offset).await.unwrap_err();
        assert!(matches!(error, MQClientError::InvalidArgument { argument: "offset", .. }), "{error}");
        assert!(error.to_string().contains("0 to 20"), "{error}");
    }
    assert_eq!(consumer.position(&queue).unwrap(), 20, "nothing moved");
    let strange = MessageQueue::new(topic.as_str(), queue.broker_name(), 9);
    let error = consumer.seek(&strange, 0).await.unwrap_err();
    assert!(error.to_string().contains("not assigned"), "{error}");
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_poll_that_runs_returns_what_a_seek_asks_for() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pull_seek_poll", 1).await, fresh_group("pull_seek_poll"));
    send(&site, &topic, bodies("m", 5)).await;
    let mut consumer = puller(name_server, &group).subscribe(&topic, "*").start().await.unwrap();
    polled(&mut consumer, 5).await;
    let (handle, queue) = (consumer.handle(), only_queue(&consumer));
    let (poll, seek) = tokio::join!(consumer.poll(WITHIN), handle.seek(&queue, 3));
    seek.unwrap();
    assert_eq!(text(&poll.unwrap()[0]), "m3");
    let handle = consumer.handle();
    let (poll, end) = tokio::join!(consumer.poll(WITHIN), handle.shutdown());
    end.unwrap();
    assert!(matches!(poll, Err(MQClientError::ShutDown { .. })), "{poll:?}");
}

#[tokio::test]
async fn assigned_queues_are_read_and_no_others() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pull_assign", 4).await, fresh_group("pull_assign"));
    send(&site, &topic, bodies("m", 40)).await;
    let mut consumer = puller(name_server, &group).build().unwrap();
    consumer.start().await.unwrap();
    let queues = consumer.fetch_message_queues(&topic).await.unwrap();
    assert_eq!(queues.len(), 4);
    consumer.assign(queues[..2].to_vec()).await.unwrap();
    assert_eq!(consumer.assignment(), queues[..2]);
    let messages = polled(&mut consumer, 20).await;
    assert!(messages.iter().all(|message| message.queue_id() < 2));
    consumer.seek_to_begin(&queues[1]).await.unwrap();
    assert!(polled(&mut consumer, 10).await.iter().all(|message| message.queue_id() == 1));

    consumer.pause(&queues[..1]);
    consumer.assign(queues[1..3].to_vec()).await.unwrap();
    let began = Instant::now();
    while consumer.assignment() != queues[1..3] {
        assert!(began.elapsed() < WITHIN, "{:?}", consumer.assignment());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(polled(&mut consumer, 10).await.iter().all(|message| message.queue_id() == 2));
    let strange = MessageQueue::new(topic.as_str(), queues[0].broker_name(), 4);
    let error = consumer.assign([queues[0].clone(), strange.clone()]).await.unwrap_err();
    let expected =
        format!("invalid queue: there is no {strange}: fetch_message_queues names the 4 that its topic has");
    assert_eq!(error.to_string(), expected);
    assert_eq!(consumer.assignment(), queues[1..3], "nothing changes");
    // A topic may grow: its new queue is found at once.
    site.create_topic(&topic, 5).await;
    consumer.assign([strange.clone()]).await.unwrap();
    consumer.seek(&strange, 0).await.unwrap();
    let error = consumer.subscribe(&topic, "*").await.unwrap_err();
    assert!(error.to_string().contains("assign") && error.to_string().contains("subscribe"), "{error}");
    consumer.shutdown().await.unwrap();

    let both = puller(name_server, &group).subscribe(&topic, "*").assign(queues).build().unwrap_err();
    assert!(both.to_string().contains("assign"), "{both}");
}

#[tokio::test]
async fn paused_queues_wait_and_members_share() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("pull_share", 4).await, fresh_group("pull_share"));
    let mut left = puller(name_server, &group).subscribe(&topic, "*").start().await.unwrap();
    let mut right = puller(name_server, &group).subscribe(&topic, "*").start().await.unwrap();
    let began = Instant::now();
    while left.assignment().len() != 2 || right.assignment().len() != 2 {
        assert!(began.elapsed() < WITHIN);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let queues = left.assignment();
    left.pause(&queues);
    send(&site, &topic, bodies("m", 40)).await;
    let mut all = texts(&polled(&mut right, 20).await);
    assert!(left.poll(Duration::from_millis(300)).await.unwrap().is_empty());
    left.resume(&queues);
    all.extend(texts(&polled(&mut left, 20).await));
    assert_eq!(all.len(), 40);
    left.commit().await.unwrap();
    right.commit().await.unwrap();
    assert!(right.shutdown().await.unwrap().is_clean());
    send(&site, &topic, bodies("n", 8)).await;
    assert_eq!(texts(&polled(&mut left, 8).await).len(), 8, "it has all queues");
    left.shutdown().await.unwrap();
}
