//! C26: the file of a broadcast consumer is cut, or cannot be written.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rocketmq::consumer::{ConsumerEvent, MessageModel, PushConsumer};
use tokio::time::sleep;

use super::scene::{GROUP, Scene, Seen, bodies, drain, until};
use super::table::{Row, seen as tell};

/// A directory of its own, gone at the end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rocketmq-c26-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn group(&self) -> PathBuf {
        let client = fs::read_dir(&self.0).unwrap().next().unwrap().unwrap().path();
        client.join(GROUP)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn member(scene: &Scene, dir: &Dir, seen: &Seen) -> PushConsumer {
    let builder = scene.member_with(|option| {
        option.set_message_model(MessageModel::Broadcasting).set_persist_offset_interval(100);
        option.set_local_offset_store_dir(dir.0.to_str().unwrap());
    });
    builder.listener(seen.listener()).build().unwrap()
}

#[tokio::test]
async fn c26_a_file_that_was_cut_at_any_byte_continues_at_older_offsets() {
    let (scene, dir) = (Scene::on_sockets(|builder| builder).await, Dir::new());
    let mut sent = 0;
    for round in 0..2 {
        scene.send(bodies(&format!("round{round}-"), 40)).await;
        sent += 40;
        let seen = Seen::default();
        let consumer = member(&scene, &dir, &seen);
        consumer.start().await.unwrap();
        seen.wait_for(40).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
        assert_eq!(seen.distinct(), 40, "the file says where it was");
    }
    let file = dir.group().join("offsets.json");
    let (whole, backup) = (fs::read(&file).unwrap(), fs::read(file.with_extension("json.bak")).unwrap());
    assert_eq!(sent, 80);
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        fs::write(file.with_extension("json.bak"), &backup).unwrap();
        let seen = Seen::default();
        let consumer = member(&scene, &dir, &seen);
        consumer.start().await.unwrap();
        let body = format!("cut{length}");
        scene.send([body.clone()]).await;
        until("the new message", || seen.counts().contains_key(&body)).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
        // What came again lies behind the older offsets: the first round was committed in both files.
        assert!(!seen.counts().keys().any(|body| body.starts_with("round0")), "cut at {length}");
        seen.assert_once_in_order();
    }
    let what = format!("cut at each of {} bytes: the older offsets, never zero;", whole.len());
    tell(Row::C26, format!("{what} not writable: OffsetsNotStored, consuming goes on, stored again later"));
}

#[tokio::test]
async fn c26_while_the_file_cannot_be_written_consuming_continues_and_events_tell_of_it() {
    let (scene, dir, seen) = (Scene::on_sockets(|builder| builder).await, Dir::new(), Seen::default());
    let consumer = member(&scene, &dir, &seen);
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    scene.send(bodies("well", 20)).await;
    seen.wait_for(20).await;
    let file = dir.group().join("offsets.json");
    let last = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.matches(":5").count() == 4);
    until("the offsets are stored", || last(&file)).await;
    // A file in the place of the directory: nothing can be written below it.
    let (group, aside) = (dir.group(), dir.0.join("aside"));
    fs::rename(&group, &aside).unwrap();
    fs::write(&group, "full").unwrap();
    drain(&mut events);
    scene.send(bodies("full", 20)).await;
    seen.wait_for(40).await;
    let failed = || consumer.get_stats().unwrap().commit_failure_count >= 3;
    until("stores fail", failed).await;
    let events = drain(&mut events);
    let not_stored = |event: &ConsumerEvent| match event {
        ConsumerEvent::OffsetsNotStored { path, .. } => *path == file,
        _ => false,
    };
    assert!(events.iter().any(not_stored), "{events:?}");
    let health = consumer.health();
    assert!(health.queues.iter().any(|queue| queue.committed < queue.lowest_unfinished), "{health:?}");
    // A shutdown now leaves the older offsets, and says so.
    let report = consumer.shutdown_within(Duration::from_secs(2)).await.unwrap();
    assert_eq!(report.uncommitted.len(), 4, "{report:?}");
    assert_eq!(report.not_unregistered.len(), 0, "{report:?}");
    fs::remove_file(&group).unwrap();
    fs::rename(&aside, &group).unwrap();
    let again = Seen::default();
    let consumer = member(&scene, &dir, &again);
    consumer.start().await.unwrap();
    again.wait_for(20).await;
    again.assert_complete(bodies("full", 20));
    assert_eq!(again.distinct(), 20, "from the older offsets");
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn c26_once_the_disk_has_room_again_the_offsets_are_stored() {
    let (scene, dir, seen) = (Scene::on_sockets(|builder| builder).await, Dir::new(), Seen::default());
    let consumer = member(&scene, &dir, &seen);
    consumer.start().await.unwrap();
    let (group, aside) = (dir.group(), dir.0.join("aside"));
    fs::rename(&group, &aside).unwrap();
    fs::write(&group, "full").unwrap();
    scene.send(bodies("full", 20)).await;
    seen.wait_for(20).await;
    until("stores fail", || consumer.get_stats().unwrap().commit_failure_count >= 1).await;
    fs::remove_file(&group).unwrap();
    fs::rename(&aside, &group).unwrap();
    let stored = || consumer.health().queues.iter().all(|queue| queue.committed == queue.lowest_unfinished);
    until("the offsets are stored", stored).await;
    sleep(Duration::from_millis(10)).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    let again = Seen::default();
    let consumer = member(&scene, &dir, &again);
    consumer.start().await.unwrap();
    scene.send(bodies("new", 4)).await;
    again.wait_for(4).await;
    again.assert_complete(bodies("new", 4));
    assert_eq!(again.distinct(), 4, "nothing comes again");
    assert!(consumer.shutdown().await.unwrap().is_clean());
}
