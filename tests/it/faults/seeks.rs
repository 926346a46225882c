//! Pull consumers that commit by hand: seeks before the first position of a queue is known, and commits after an absence.

use std::sync::Arc;
use std::time::Duration;

use rocketmq::consumer::{ConsumeFromWhere, PullConsumer};
use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::{Fault, FaultAction, RequestCode};

use tokio::time::sleep;

use super::scene::{GROUP, Scene, TOPIC, bodies, simulate, until};

/// The offset of the group, and that of the seek.
const COMMITTED: i64 = 2;
const SOUGHT: i64 = 5;

async fn by_hand(scene: &Scene) -> (PullConsumer, MessageQueue) {
    let consumer = PullConsumer::builder(GROUP).name_server_addr(scene.cluster.name_server_addr());
    let consumer = consumer.option(|option| {
        option.set_consume_from_where(ConsumeFromWhere::First);
        option.set_transport(Arc::new(scene.network.clone().unwrap()));
        option.set_auto_commit(false).set_start_timeout(1_000).set_pull_batch_size(3);
    });
    let consumer = consumer.subscribe(TOPIC, "*").build().unwrap();
    let queue = MessageQueue::new(TOPIC, "broker-a", 0);
    for body in bodies("m", 10) {
        scene.producer.send_to(rocketmq::model::Message::new(TOPIC, body), &queue).await.unwrap();
    }
    scene.cluster.commit_offset(GROUP, &queue, COMMITTED).unwrap();
    (consumer, queue)
}

async fn sought(scene: &Scene) -> (PullConsumer, MessageQueue) {
    let (consumer, queue) = by_hand(scene).await;
    scene.cluster.inject(Fault::on(RequestCode::QUERY_CONSUMER_OFFSET, FaultAction::DropRequest));
    consumer.start().await.unwrap();
    assert!(consumer.position(&queue).is_err(), "it is still looked up");
    consumer.seek(&queue, SOUGHT).await.unwrap();
    assert_eq!(consumer.position(&queue).unwrap(), SOUGHT);
    scene.cluster.clear_faults();
    (consumer, queue)
}

async fn polled(consumer: &mut PullConsumer, count: usize) -> Vec<i64> {
    let mut offsets = Vec::new();
    while offsets.len() < count {
        let messages = consumer.poll(Duration::from_secs(60)).await.unwrap();
        assert!(!messages.is_empty(), "{offsets:?}");
        offsets.extend(messages.iter().map(|message| message.queue_offset()));
    }
    offsets
}

#[test]
fn a_seek_before_the_first_position_commits_nothing_by_itself() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let (mut consumer, queue) = sought(&scene).await;
        assert_eq!(polled(&mut consumer, 5).await, [5, 6, 7, 8, 9]);
        consumer.poll(Duration::from_secs(30)).await.unwrap();
        consumer.shutdown().await.unwrap();
        let committed = scene.cluster.committed_offset(GROUP, &queue);
        assert_eq!(committed, Some(COMMITTED), "only the user commits");
    });
}

#[test]
fn a_commit_by_hand_takes_a_seek_before_the_first_position_along() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let (mut consumer, queue) = sought(&scene).await;
        consumer.commit().await.unwrap();
        assert_eq!(scene.cluster.committed_offset(GROUP, &queue), Some(SOUGHT));
        polled(&mut consumer, 5).await;
        consumer.commit().await.unwrap();
        assert_eq!(scene.cluster.committed_offset(GROUP, &queue), Some(10));
        let assigned =
            || consumer.health().queues.iter().all(|queue| queue.committed == queue.lowest_unfinished);
        until("all is committed", assigned).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}

#[test]
fn commits_of_several_tasks_do_not_undo_each_other() {
    for gap in [2, 5, 8] {
        simulate(async {
            let scene = Scene::new(|builder| builder).await;
            let (mut consumer, queue) = by_hand(&scene).await;
            consumer.start().await.unwrap();
            assert_eq!(polled(&mut consumer, 3).await, [2, 3, 4]);
            until("the other queues are committed", || scene.cluster.group_offsets(GROUP, TOPIC).len() == 4)
                .await;
            let late = FaultAction::DelayAnswer(Duration::from_millis(500));
            scene.cluster.inject(Fault::on(RequestCode::UPDATE_CONSUMER_OFFSET, late).times(1));
            let (one, two) = (consumer.handle(), consumer.handle());
            let one = tokio::spawn(async move { one.commit().await });
            sleep(Duration::from_millis(100)).await;
            // It waits for the commit under way, and meanwhile more is polled and committed.
            let two = tokio::spawn(async move { two.commit().await });
            sleep(Duration::from_millis(gap)).await;
            assert_eq!(polled(&mut consumer, 3).await, [5, 6, 7]);
            consumer.commit().await.unwrap();
            one.await.unwrap().unwrap();
            two.await.unwrap().unwrap();
            assert_eq!(scene.cluster.committed_offset(GROUP, &queue), Some(8), "{gap}");
            consumer.shutdown().await.unwrap();
        });
    }
}

/// The connection to the broker breaks, and another member takes the queue before this one learns of it.
#[test]
fn a_commit_by_hand_leaves_what_another_member_committed_meanwhile() {
    simulate(async {
        let scene = Scene::new(|builder| builder).await;
        let (mut consumer, queue) = by_hand(&scene).await;
        consumer.start().await.unwrap();
        assert_eq!(polled(&mut consumer, 3).await, [2, 3, 4]);
        let network = scene.network.as_ref().unwrap();
        network.cut(scene.cluster.broker_addr("broker-a").unwrap());
        scene.cluster.commit_offset(GROUP, &queue, 10).unwrap();
        let mut refusals = Vec::new();
        assert_eq!(consumer.position(&queue).unwrap(), 5);
        while consumer.position(&queue).is_ok_and(|position| position < 10) {
            refusals.extend(consumer.commit().await.err().map(|error| error.to_string()));
            assert_eq!(scene.cluster.committed_offset(GROUP, &queue), Some(10), "{refusals:?}");
            sleep(Duration::from_millis(1)).await;
        }
        until("it goes on there", || consumer.position(&queue).is_ok_and(|position| position == 10)).await;
        assert_eq!(scene.cluster.committed_offset(GROUP, &queue), Some(10));
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}
