//! What consumers of both clients record in the trace topic, field for field.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rocketmq::model::Message;

use super::{Client, Scene, until_handled};
use crate::members::{Join, until};
use crate::mqadmin::mqadmin;
use crate::servers::{Server, runtime};

const TRACE_TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";
/// Between the records of a message, and between the fields of a record, as Java's `TraceDataEncoder` writes them.
const RECORD_END: char = '\u{2}';
const FIELD_END: char = '\u{1}';
const BEFORE: &[&str] = &["type", "time", "region", "group", "request", "id", "retries", "keys"];
const AFTER: &[&str] = &["type", "request", "id", "cost", "success", "keys", "context code", "time", "group"];

type Record = BTreeMap<&'static str, String>;

/// The fields of a record of a consumer. None is missing, and none is too many.
fn fields(record: &str) -> Option<Record> {
    let values: Vec<&str> = record.split(FIELD_END).collect();
    let names = match values[0] {
        "SubBefore" => BEFORE,
        "SubAfter" => AFTER,
        _ => return None,
    };
    assert_eq!(values.len(), names.len(), "{record:?}");
    Some(names.iter().copied().zip(values.into_iter().map(str::to_owned)).collect())
}

impl Scene {
    /// Waits until the trace topic has these calls of the message: each as what was recorded before it and after it, with the keys of
    /// the trace messages.
    async fn calls(&self, id: &str, count: usize) -> (Vec<[Record; 2]>, BTreeSet<String>) {
        for _ in 0..600 {
            let found = self.admin.query_message(TRACE_TOPIC, id, 32, ..).await;
            let found = found.map(|found| found.messages).unwrap_or_default();
            let (mut before, mut after, mut keys) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
            for message in found {
                let text = String::from_utf8_lossy(message.body()).into_owned();
                assert!(text.ends_with(RECORD_END), "{text:?}");
                assert_eq!(message.tags(), None, "{message:?}");
                for record in text.split_terminator(RECORD_END).filter_map(fields) {
                    if record["id"] != id {
                        continue;
                    }
                    keys.extend(message.keys().unwrap_or_default().split(' ').map(str::to_owned));
                    match &*record["type"] {
                        "SubBefore" => before.push(record),
                        _ => _ = after.insert(record["request"].clone(), record),
                    }
                }
            }
            before.sort_by_key(|record| record["retries"].clone());
            let pairs =
                before.into_iter().map(|before| Some([before.clone(), after.remove(&before["request"])?]));
            if let Some(pairs) = pairs.collect::<Option<Vec<_>>>()
                && pairs.len() == count
            {
                return (pairs, keys);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the trace topic does not have {count} calls of {id}");
    }
}

/// What may differ: times, the id of a request, the id of the message, and the group, which is new in each run.
fn compared(mut record: Record, group: &str) -> Record {
    for (field, value) in &mut record {
        match *field {
            "time" => {
                assert!(value.len() == 13 && value.parse::<u64>().is_ok(), "{value} are no milliseconds")
            }
            "cost" => assert!(value.parse::<u32>().is_ok(), "{value} are no milliseconds"),
            "request" => {
                // Of an address of IPv4 or of IPv6.
                let is_id =
                    [32, 56].contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(is_id, "{value}");
            }
            "group" => assert_eq!(value, group),
            "id" => {}
            _ => continue,
        }
        value.clear();
    }
    record
}

/// What a member of this client records about a message that it handles and about one that fails once, and what the tool prints of both.
async fn recorded(name_server: &str, client: Client, kind: &str) -> (Vec<[Record; 2]>, Vec<String>) {
    let scene = Scene::new(name_server, 4).await;
    let mut ids = Vec::new();
    for body in ["hello", "once"] {
        let message = Message::new(&*scene.topic, body).with_tags("TagA").with_keys("order-7 order-8");
        ids.push(scene.producer.send(message).await.expect("it is sent").msg_id);
    }
    let mut members = scene.members(client).await;
    members.join("a-member", &Join { kind, trace: true, ..Join::new(&scene.group, &scene.topic) }).await;
    until_handled(&["hello".to_owned(), "once".to_owned()].into(), &[&members]).await;
    // Nothing comes again to a consumer that polls.
    let times = [1, if kind == "pull" { 1 } else { 2 }];
    until("all calls", || members.done().len() == times[0] + times[1]).await;
    members.leave("a-member").await;
    let (mut calls, mut printed) = (Vec::new(), Vec::new());
    for (id, times) in ids.iter().zip(times) {
        let (of_message, keys) = scene.calls(id, times).await;
        assert!(
            ["order-7", "order-8", &**id].iter().all(|key| keys.contains(*key)),
            "{client:?} {kind}: trace messages are found by {keys:?}"
        );
        calls.extend(of_message.into_iter().map(|pair| pair.map(|record| compared(record, &scene.group))));
        let command = ["queryMsgTraceById", "-n", name_server, "-i", id].map(str::to_owned);
        let run = move || mqadmin(&command.each_ref().map(String::as_str));
        let said = tokio::task::spawn_blocking(run).await.expect("the tool runs");
        printed.extend(table(&said, &scene.group));
    }
    (calls, printed)
}

/// The lines of a table without what may differ: the group, times, and how long a call took.
fn table(said: &str, group: &str) -> Vec<String> {
    let rows = said.lines().filter(|line| line.starts_with("Sub ") || line.starts_with('#'));
    let is_time = |word: &str| word.contains(':') || word.matches('-').count() == 2 || word.ends_with("ms");
    rows.map(|row| {
        let words = row.split_whitespace().filter(|word| !is_time(word));
        words.map(|word| if word == group { "GROUP" } else { word }).collect::<Vec<_>>().join(" ")
    })
    .collect()
}

#[test]
fn records_of_consumers_are_java_s_field_for_field() {
    for server in [Server::Apache, Server::Mock] {
        let name_server = server.plain().name_server;
        for kind in ["concurrent", "pull"] {
            let of = |client| runtime().block_on(recorded(&name_server, client, kind));
            let (java, ours) = (of(Client::Java), of(Client::Ours));
            eprintln!("{server:?} {kind}: {java:?}");
            assert_eq!(ours, java, "{server:?} {kind}: ours, then Java's");
        }
    }
}
