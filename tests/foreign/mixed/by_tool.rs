//! What Apache's tool says of members of both clients, field for field.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Client, Scene, until_handled};
use crate::members::Join;
use crate::mqadmin::mqadmin;
use crate::servers::{Server, runtime};

const MEMBER: &str = "a-member";
const MESSAGES: usize = 8;

/// The properties that both clients show. Java's shows all others that its class has, too.
const PROPERTIES: &[&str] =
    &["PROP_CLIENT_VERSION", "PROP_CONSUME_TYPE", "consumerGroup", "messageModel", "pullThresholdForQueue"];
/// Those that Java's lite pull consumers do not have, and the size of a pull, which is 10 there by default.
const OF_PUSH: &[&str] = &[
    "PROP_CONSUMEORDERLY",
    "PROP_THREADPOOL_CORE_SIZE",
    "consumeFromWhere",
    "consumeMessageBatchMaxSize",
    "maxReconsumeTimes",
    "pullBatchSize",
];

/// The fields of a queue that differ: times, and the lock, which Java's client shows as held although only orderly members lock.
const OF_QUEUE: &[&str] = &["locked", "lastLockTimestamp", "lastPullTimestamp", "lastConsumeTimestamp"];

/// What the tool prints, by command and table: the rows without what may differ.
type Tables = BTreeMap<String, Vec<String>>;

/// Runs a command of the tool. Topic and group are new in each run.
async fn tool(scene: &Scene, command: &[&str]) -> Vec<String> {
    let of_scene = ["-g", &*scene.group, "-n", &*scene.name_server];
    let words: Vec<String> = command.iter().chain(&of_scene).map(|word| (*word).to_owned()).collect();
    let run = move || mqadmin(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let said = tokio::task::spawn_blocking(run).await.expect("the tool runs");
    let said = said.replace(&scene.topic, "TOPIC").replace(&scene.group, "GROUP");
    let lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty() && !line.contains("|-")).collect()
}

/// What the tool shows of a member of this client that has handled and committed all messages of a topic with four queues.
async fn shown(name_server: &str, client: Client, kind: &str) -> Tables {
    let scene = Scene::new(name_server, 4).await;
    if kind == "pop" {
        scene.pops().await;
    }
    let sent = scene.send("m", MESSAGES).await;
    let mut members = scene.members(client).await;
    members.join(MEMBER, &Join { kind, ..Join::new(&scene.group, &scene.topic) }).await;
    until_handled(&sent, &[&members]).await;
    for tries in 0.. {
        let committed = scene.committed().await;
        if committed == [Some(2); 4] {
            break;
        }
        assert!(tries < 600, "{client:?} {kind}: {committed:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let connection = tool(&scene, &["consumerConnection"]).await;
    let row =
        connection.iter().find(|row| row.contains("V5_5_0")).unwrap_or_else(|| panic!("{connection:?}"));
    let client_id = row.split(' ').next().unwrap_or_default().to_owned();
    let progress = tool(&scene, &["consumerProgress", "-s", "true"]).await;
    let status = tool(&scene, &["consumerStatus", "-i", &client_id]).await;
    members.leave(MEMBER).await;
    let mut tables = Tables::new();
    tables
        .insert("connection".into(), connection.iter().filter_map(|row| of_connection(row, kind)).collect());
    tables.insert("progress".into(), progress.iter().filter_map(|row| of_progress(row)).collect());
    let mut table = String::new();
    for row in status {
        if let Some(name) = row.strip_prefix("#Consumer ").and_then(|row| row.strip_suffix('#')) {
            table = name.to_owned();
            tables.insert(table.clone(), Vec::new());
            continue;
        }
        let rows = tables.entry(table.clone()).or_default();
        rows.extend(of_status(&table, &row, kind));
    }
    // Their order is that of a hash table.
    tables.values_mut().for_each(|rows| rows.sort());
    tables
}

/// A row without addresses, the language, and the mark at the end of the id that Java's lite pull consumers have. They also show
/// `CONSUME_FROM_LAST_OFFSET` whatever is set.
fn of_connection(row: &str, kind: &str) -> Option<String> {
    if kind == "pull" && row.starts_with("ConsumeFromWhere") {
        return None;
    }
    let words: Vec<&str> = row.split(' ').collect();
    match words[..] {
        [id, _, "JAVA" | "RUST", version] => Some(format!("{} {version}", id.trim_end_matches("@STREAM"))),
        _ => Some(row.to_owned()),
    }
}

/// A row without the time of the last message, and without the broker's rate. This client commits a position of the retry topic
/// when it starts, so that the topic has a row before a message has failed.
fn of_progress(row: &str) -> Option<String> {
    if row.starts_with("Consume TPS") || row.starts_with("%RETRY%") {
        return None;
    }
    let words =
        row.split(' ').filter(|word| word.matches('-').count() != 2 && word.matches(':').count() != 2);
    Some(words.collect::<Vec<_>>().join(" "))
}

/// A row of `consumerStatus` without what differs.
fn of_status(table: &str, row: &str, kind: &str) -> Option<String> {
    match table {
        "Properties" => {
            let (name, _) = row.split_once(" : ")?;
            let is_of_push = kind != "pull" && OF_PUSH.contains(&name);
            (PROPERTIES.contains(&name) || is_of_push).then(|| row.to_owned())
        }
        // The retry topic has a position from the start on: 0 here, -1 in Java.
        "Offset" | "MQ Detail" if row.starts_with("%RETRY%") => None,
        "MQ Detail" => {
            let differs = |field: &&str| !OF_QUEUE.iter().any(|name| field.starts_with(&format!("{name}=")));
            Some(row.trim_end_matches(']').split(", ").filter(differs).collect::<Vec<_>>().join(", "))
        }
        "Pop Detail" => Some(row.split(", lastPopTimestamp").next().unwrap_or_default().to_owned()),
        // Only Java's client has rows: this client counts for itself, `get_stats` and the metrics have it.
        "RT&TPS" => row.starts_with('#').then(|| row.to_owned()),
        _ => Some(row.to_owned()),
    }
}

#[test]
fn the_tool_says_the_same_of_push_pull_and_pop_consumers_of_both_clients() {
    for server in [Server::Apache, Server::Mock] {
        let name_server = server.plain().name_server;
        for kind in ["concurrent", "pull", "pop"] {
            let of = |client| runtime().block_on(shown(&name_server, client, kind));
            let (java, ours) = (of(Client::Java), of(Client::Ours));
            assert_eq!(ours, java, "{server:?} {kind}: ours, then Java's");
            let with_rows = ours.values().filter(|rows| rows.len() > 1).count();
            assert!(with_rows >= 5, "{server:?} {kind}: {ours:#?}");
        }
    }
}
