//! Bodies in the form of Apache's NameServer: keys in alphabetical order, bare integer keys for old clients.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use super::routes::{Broker, Route};

/// The form of integer keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// `{0:…}`, which is no JSON.
    Bare,
    /// `{"0":…}`.
    Quoted,
}

/// The body of a route. Java: `TopicRouteData`.
pub(super) fn topic_route(route: &Route, order: Option<&str>, keys: Keys) -> String {
    let mut json = String::from(r#"{"brokerDatas":["#);
    join(&mut json, route, |json, (name, broker, _)| broker_data(json, name, broker, keys));
    json.push_str(r#"],"filterServerTable":{},"#);
    if let Some(order) = order {
        json.push_str(r#""orderTopicConf":"#);
        text(&mut json, order);
        json.push(',');
    }
    json.push_str(r#""queueDatas":["#);
    join(&mut json, route, |json, (name, _, queues)| {
        json.push_str(r#"{"brokerName":"#);
        text(json, name);
        // Writing to a string cannot fail.
        let _ = write!(
            json,
            r#","perm":{},"readQueueNums":{},"topicSysFlag":{},"writeQueueNums":{}}}"#,
            queues.perm.0, queues.read_queue_nums, queues.topic_sys_flag, queues.write_queue_nums,
        );
    });
    json.push_str("]}");
    json
}

/// The body of the list of brokers and clusters, always with bare keys. Java: `ClusterInfo`.
pub(super) fn cluster_info(brokers: &BTreeMap<Arc<str>, Broker>) -> String {
    let mut json = String::from(r#"{"brokerAddrTable":{"#);
    join(&mut json, brokers, |json, (name, broker)| {
        text(json, name);
        json.push(':');
        broker_data(json, name, broker, Keys::Bare);
    });
    json.push_str(r#"},"clusterAddrTable":{"#);
    let clusters: BTreeSet<&str> = brokers.values().map(|broker| &*broker.cluster).collect();
    join(&mut json, clusters, |json, cluster| {
        text(json, cluster);
        json.push_str(":[");
        let names = brokers.iter().filter(|(_, broker)| *broker.cluster == *cluster);
        join(json, names, |json, (name, _)| text(json, name));
        json.push(']');
    });
    json.push_str("}}");
    json
}

/// The body of a list of topics. Java: `TopicList`.
pub(super) fn topic_list(topics: &[String]) -> String {
    let mut json = String::from(r#"{"topicList":["#);
    join(&mut json, topics, |json, topic| text(json, topic));
    json.push_str("]}");
    json
}

fn broker_data(json: &mut String, name: &str, broker: &Broker, keys: Keys) {
    json.push_str(r#"{"brokerAddrs":{"#);
    join(json, &broker.addresses, |json, (id, address)| {
        // Writing to a string cannot fail.
        let _ = match keys {
            Keys::Bare => write!(json, "{id}:"),
            Keys::Quoted => write!(json, r#""{id}":"#),
        };
        text(json, address);
    });
    json.push_str(r#"},"brokerName":"#);
    text(json, name);
    json.push_str(r#","cluster":"#);
    text(json, &broker.cluster);
    json.push_str(r#","enableActingMaster":false}"#);
}

fn join<T>(json: &mut String, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write(json, item);
    }
}

fn text(json: &mut String, value: &str) {
    // A text can always be written as JSON.
    json.push_str(&serde_json::to_string(value).unwrap_or_default());
}
