//! Broadcast consumers, and their file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rocketmq::consumer::{
    ConsumeFailure, ConsumeFromWhere, ConsumerEvent, MessageModel, PushConsumerBuilder,
};

use super::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::Site;
use crate::stage;

/// A directory for offsets, gone at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(fresh_group(name));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    /// The file of the only consumer that keeps its offsets here.
    fn file(&self) -> PathBuf {
        let only = |dir: &Path| std::fs::read_dir(dir).unwrap().next().unwrap().unwrap().path();
        only(&only(&self.0)).join("offsets.json")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A broadcast consumer in the making that stores its offsets at its start and its end only.
fn broadcast(name_server: &str, group: &str, dir: &Dir) -> PushConsumerBuilder {
    consumer(name_server, group).option(|option| {
        option
            .set_message_model(MessageModel::Broadcasting)
            .set_local_offset_store_dir(dir.0.to_str().unwrap())
            .set_persist_offset_interval(600_000);
    })
}

/// Handles `count` messages and shuts down. Returns their bodies.
async fn consume(builder: PushConsumerBuilder, topic: &str, count: usize) -> Vec<String> {
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = builder.subscribe(topic, "*").listener(move |message, _| {
        collect.add(message);
        async {}
    });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(count).await;
    let report = consumer.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    let mut bodies = seen.bodies();
    bodies.sort();
    bodies
}

fn round(name: &str) -> Vec<String> {
    bodies(name, 8).collect()
}

#[tokio::test]
async fn each_member_gets_all_messages_of_all_queues() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group, dir) = (site.create("to_all", 4).await, fresh_group("to_all"), Dir::new("to_all"));
    send(&site, &topic, round("before")).await;
    let mut members = Vec::new();
    for name in ["one", "two"] {
        let seen = Seen::default();
        let collect = seen.clone();
        let member = broadcast(name_server, &group, &dir)
            .option(|option| _ = option.set_instance_name(name))
            .subscribe(&topic, "*")
            .listener(move |message, _| {
                collect.add(message);
                async {}
            });
        members.push((member.start().await.unwrap(), seen));
    }
    send(&site, &topic, round("later")).await;
    for (member, seen) in members {
        seen.wait_for(16).await;
        assert_eq!(member.assignment().len(), 4, "no retry topic, and all queues");
        assert!(member.shutdown().await.unwrap().is_clean());
        assert_eq!(seen.len(), 16);
    }
}

#[tokio::test]
async fn a_restart_goes_on_where_the_file_says() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group, dir) = (site.create("file", 1).await, fresh_group("file"), Dir::new("file"));
    let last = || {
        broadcast(name_server, &group, &dir)
            .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::Last))
    };
    send(&site, &topic, round("first")).await;
    assert_eq!(consume(broadcast(name_server, &group, &dir), &topic, 8).await, round("first"));
    send(&site, &topic, round("second")).await;
    assert_eq!(consume(last(), &topic, 8).await, round("second"), "sent while no consumer ran");

    let text = std::fs::read_to_string(dir.file()).unwrap();
    let queue = format!(r#""queueId":0,"topic":"{topic}""#);
    assert!(
        text.starts_with(r#"{"offsetTable":{{"brokerName":""#),
        "keys are objects, as Java writes them: {text}"
    );
    assert!(text.contains(&format!("{queue}}}:16")), "{text}");

    std::fs::write(dir.file(), &text[..text.len() / 2]).unwrap();
    assert_eq!(
        consume(last(), &topic, 8).await,
        round("second"),
        "a cut file: its backup is one shutdown older"
    );

    let pretty = text.replace(['{', ','], "{\n\t").replace("{\n\t\"queueId", ",\n\t\"queueId");
    let pretty = pretty.replace("{\n\t\"topic", ",\n\t\"topic").replace(":16", ":12");
    std::fs::write(dir.file(), pretty).unwrap();
    assert_eq!(consume(last(), &topic, 4).await, round("second")[4..], "a file with line breaks, as Java's");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_stops_no_message() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group, dir) = (site.create("no_disk", 1).await, fresh_group("no_disk"), Dir::new("no_disk"));
    send(&site, &topic, round("first")).await;
    assert_eq!(consume(broadcast(name_server, &group, &dir), &topic, 8).await, round("first"));
    // A directory in the place of the file that is written first.
    let (pid, older) = (std::process::id(), std::fs::read(dir.file()).unwrap());
    let blocker = dir.file().with_file_name(format!("offsets.json.{pid}.tmp"));
    std::fs::create_dir(&blocker).unwrap();
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = broadcast(name_server, &group, &dir)
        .option(|option| _ = option.set_persist_offset_interval(20))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            async {}
        })
        .build()
        .unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    send(&site, &topic, round("second")).await;
    seen.wait_for(8).await;
    let told =
        async { while !matches!(events.next().await, Some(ConsumerEvent::OffsetsNotStored { .. })) {} };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("an event tells of it");
    assert_eq!(std::fs::read(dir.file()).unwrap(), older, "the older offsets stay");
    send(&site, &topic, bodies("third", 8)).await;
    seen.wait_for(16).await;
    std::fs::remove_dir(&blocker).unwrap();
    // For a moment of each write the older file has its backup's name already.
    let stored = || std::fs::read_to_string(dir.file()).is_ok_and(|text| text.contains(":24"));
    until("the offsets are stored", stored).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_message_that_fails_is_skipped_with_an_event() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, dir) = (site.create("skipped", 1).await, Dir::new("skipped"));
    send(&site, &topic, bodies("m", 5)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = broadcast(name_server, &fresh_group("skipped"), &dir)
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message.clone());
            async move {
                if &message.body()[..] == b"m2" { Err("two".into()) } else { Ok::<_, ConsumeFailure>(()) }
            }
        })
        .build()
        .unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    let skipped = async {
        loop {
            if let Some(ConsumerEvent::MessageSkipped { message, reason, .. }) = events.next().await {
                return (message.offset, reason);
            }
        }
    };
    let skipped = tokio::time::timeout(Duration::from_secs(60), skipped).await.unwrap();
    assert_eq!((skipped.0, &*skipped.1), (2, "two"));
    seen.wait_for(5).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(seen.len(), 5, "each once");
}

#[tokio::test]
async fn an_orderly_member_tries_again_in_place_and_then_goes_on() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, dir) = (site.create("all_in_order", 1).await, Dir::new("all_in_order"));
    send(&site, &topic, bodies("m", 5)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = broadcast(name_server, &fresh_group("all_in_order"), &dir)
        .option(|option| _ = option.set_max_reconsume_times(1).set_suspend_current_queue_time(20))
        .subscribe(&topic, "*")
        .orderly_listener(move |message, _| {
            collect.add(message.clone());
            async move {
                if &message.body()[..] == b"m2" { Err("two".into()) } else { Ok::<_, ConsumeFailure>(()) }
            }
        });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(5).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(seen.bodies(), ["m0", "m1", "m2", "m2", "m3", "m4"]);
}
