use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq::consumer::{ConsumeFromWhere, PushConsumer, PushConsumerBuilder};
use rocketmq::model::{Message, MessageExt};

use crate::cases::support::{Site, fresh_topic};

/// How long a case waits for messages; Apache makes retry topics and delayed messages slowly.
const WITHIN: Duration = Duration::from_secs(60);

/// What a listener has seen.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<Arc<MessageExt>>>>);

impl Seen {
    pub(super) fn add(&self, message: Arc<MessageExt>) {
        self.0.lock().unwrap().push(message);
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The bodies in the order in which they came.
    pub(super) fn bodies(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        seen.iter().map(|message| String::from_utf8_lossy(message.body()).into_owned()).collect()
    }

    /// How often each body came.
    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for body in self.bodies() {
            *counts.entry(body).or_default() += 1;
        }
        counts
    }

    pub(super) fn messages(&self) -> Vec<Arc<MessageExt>> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until so many different bodies came.
    pub(super) async fn wait_for(&self, count: usize) {
        until(&format!("{count} messages"), || self.counts().len() >= count).await;
    }
}

/// Waits until something holds.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < WITHIN, "{what}: not within {WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A group that no other test uses.
pub(super) fn fresh_group(name: &str) -> String {
    fresh_topic(&format!("group_{name}"))
}

/// A consumer in the making that reads a topic from its first message.
pub(super) fn consumer(name_server: &str, group: &str) -> PushConsumerBuilder {
    PushConsumer::builder(group).name_server_addr(name_server).option(|option| {
        option.set_consume_from_where(ConsumeFromWhere::First);
    })
}

/// Sends bodies one after the other.
pub(super) async fn send(site: &Site, topic: &str, bodies: impl IntoIterator<Item = String>) {
    for body in bodies {
        site.producer.send(Message::new(topic, body)).await.expect("the message is sent");
    }
}

/// `prefix0`, `prefix1` …
pub(super) fn bodies(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    let prefix = prefix.to_owned();
    (0..count).map(move |number| format!("{prefix}{number}"))
}
