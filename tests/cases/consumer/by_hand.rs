//! Orderly listeners that commit by their outcomes (`auto_commit` = false).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rocketmq::consumer::{OrderlyOutcome, PushConsumer};
use rocketmq::model::MessageQueue;

use super::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::{Site, eventually};
use crate::stage;

/// A member whose listener returns what `judge` says of a body.
async fn member(
    name_server: &str,
    group: &str,
    topic: &str,
    seen: &Seen,
    judge: impl Fn(&str) -> OrderlyOutcome + Send + Sync + 'static,
) -> PushConsumer {
    let collect = seen.clone();
    let member = consumer(name_server, group)
        .option(|option| {
            option.set_auto_commit(false).set_suspend_current_queue_time(200).set_persist_offset_interval(20);
        })
        .subscribe(topic, "*")
        .orderly_listener(move |message, _| {
            let outcome = judge(&String::from_utf8_lossy(message.body()));
            collect.add(message);
            std::future::ready(outcome)
        });
    member.start().await.unwrap()
}

async fn queue(site: &Site, topic: &str) -> MessageQueue {
    site.admin.message_queues(topic).await.unwrap().remove(0)
}

async fn wait_for_committed(site: &Site, group: &str, queue: &MessageQueue, offset: i64) {
    eventually("the commit", || async {
        let committed = site.admin.consumer_offset(group, queue).await.unwrap();
        (committed == Some(offset)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_done_without_a_commit_comes_again_to_the_next_owner() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("by_hand", 1).await, fresh_group("by_hand"));
    send(&site, &topic, bodies("m", 10)).await;
    let seen = Seen::default();
    // m4 commits m0 to m4; m5 to m9 are done and not committed.
    let judge = |body: &str| if body == "m4" { OrderlyOutcome::Commit } else { OrderlyOutcome::Success };
    let first = member(name_server, &group, &topic, &seen, judge).await;
    seen.wait_for(10).await;
    wait_for_committed(&site, &group, &queue(&site, &topic).await, 5).await;
    assert_eq!(first.health().handlers, 0, "messages that wait for a commit are with no handler");
    let report = first.shutdown().await.unwrap();
    assert!(report.is_clean() && report.took < Duration::from_secs(5), "{report:?}");
    assert_eq!(seen.bodies(), bodies("m", 10).collect::<Vec<_>>(), "in order, each once");

    let again = Seen::default();
    let second = member(name_server, &group, &topic, &again, |_| OrderlyOutcome::Commit).await;
    again.wait_for(5).await;
    wait_for_committed(&site, &group, &queue(&site, &topic).await, 10).await;
    assert!(second.shutdown().await.unwrap().is_clean());
    assert_eq!(again.bodies(), ["m5", "m6", "m7", "m8", "m9"]);
}

#[tokio::test]
async fn a_rollback_repeats_what_is_not_committed_in_order_after_a_pause() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("by_hand_back", 1).await, fresh_group("by_hand_back"));
    send(&site, &topic, bodies("m", 5)).await;
    let (seen, rolled_back) = (Seen::default(), Arc::new(AtomicU32::new(0)));
    let began = Instant::now();
    let judge = move |body: &str| match body {
        "m1" => OrderlyOutcome::Commit,
        "m3" if rolled_back.fetch_add(1, Ordering::Relaxed) < 2 => OrderlyOutcome::Rollback,
        "m4" => OrderlyOutcome::Commit,
        _ => OrderlyOutcome::Success,
    };
    let consumer = member(name_server, &group, &topic, &seen, judge).await;
    seen.wait_for(5).await;
    assert!(began.elapsed() >= Duration::from_millis(400), "two pauses: {:?}", began.elapsed());
    wait_for_committed(&site, &group, &queue(&site, &topic).await, 5).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(seen.bodies(), ["m0", "m1", "m2", "m3", "m2", "m3", "m2", "m3", "m4"]);
    assert!(seen.messages().iter().all(|message| message.reconsume_times() == 0), "a rollback is no failure");
}

#[tokio::test]
async fn a_failure_repeats_its_own_message_and_leaves_those_before_it_uncommitted() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("by_hand_fail", 1).await, fresh_group("by_hand_fail"));
    send(&site, &topic, bodies("m", 4)).await;
    let (seen, failed) = (Seen::default(), AtomicU32::new(0));
    let judge = move |body: &str| match body {
        "m2" if failed.fetch_add(1, Ordering::Relaxed) == 0 => {
            OrderlyOutcome::SuspendCurrentQueueAMoment { millis: Some(10) }
        }
        _ => OrderlyOutcome::Success,
    };
    let consumer = member(name_server, &group, &topic, &seen, judge).await;
    seen.wait_for(4).await;
    until("m3 is done", || consumer.get_stats().unwrap().consume_success_count == 4).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(seen.bodies(), ["m0", "m1", "m2", "m2", "m3"]);
    let committed = site.admin.consumer_offset(&group, &queue(&site, &topic).await).await.unwrap();
    assert_eq!(committed.unwrap_or(0), 0, "nothing was committed but the start");
}
