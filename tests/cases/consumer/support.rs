use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq::consumer::{ConsumeFromWhere, PushConsumer, PushConsumerBuilder};
use rocketmq::model::{Bytes, Message, MessageExt};
use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ConnectionOptions, NoRequests};
use rocketmq_remoting::protocol::{CommandRef, NoHeader, RemotingCommand, RequestCode};

use crate::cases::support::{Site, fresh_topic};

/// How long a case waits for messages; Apache makes retry topics and delayed messages slowly.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);

/// What a listener has seen.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Arc<MessageExt>>>>);

impl Seen {
    pub(crate) fn add(&self, message: Arc<MessageExt>) {
        self.0.lock().unwrap().push(message);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The bodies in the order in which they came.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        seen.iter().map(|message| String::from_utf8_lossy(message.body()).into_owned()).collect()
    }

    /// How often each body came.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for body in self.bodies() {
            *counts.entry(body).or_default() += 1;
        }
        counts
    }

    pub(crate) fn messages(&self) -> Vec<Arc<MessageExt>> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until so many different bodies came.
    pub(crate) async fn wait_for(&self, count: usize) {
        until(&format!("{count} messages"), || self.counts().len() >= count).await;
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < WITHIN, "{what}: not within {WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A group that no other test uses.
pub(crate) fn fresh_group(name: &str) -> String {
    fresh_topic(&format!("group_{name}"))
}

/// A consumer in the making that reads a topic from its first message.
pub(crate) fn consumer(name_server: &str, group: &str) -> PushConsumerBuilder {
    PushConsumer::builder(group).name_server_addr(name_server).option(|option| {
        option.set_consume_from_where(ConsumeFromWhere::First);
    })
}

/// The address of the only broker.
pub(crate) async fn broker(site: &Site) -> String {
    let brokers = site.admin.cluster_info().await.expect("the NameServer answers").broker_addr_table;
    brokers.into_values().next().expect("there is one").broker_addrs.remove(&0).expect("it is a master")
}

/// Asks a server something that the client's admin does not ask.
pub(crate) async fn raw(server: &str, code: i32, fields: &[(&str, &str)], body: &str) -> RemotingCommand {
    let client = RemotingClient::new(ConnectionOptions::default(), Arc::new(NoRequests)).unwrap();
    let (fields, body) = (fields.iter().copied().collect(), Bytes::copy_from_slice(body.as_bytes()));
    let request = CommandRef::request(RequestCode(code), &NoHeader).with_fields(&fields).with_body(&body);
    let answer = client.invoke(server, &request, tokio::time::Instant::now() + WITHIN).await;
    answer.expect("the server answers")
}

/// Sends bodies one after the other.
pub(crate) async fn send(site: &Site, topic: &str, bodies: impl IntoIterator<Item = String>) {
    for body in bodies {
        site.producer.send(Message::new(topic, body)).await.expect("the message is sent");
    }
}

/// `prefix0`, `prefix1` …
pub(crate) fn bodies(prefix: &str, count: usize) -> impl Iterator<Item = String> {
    let prefix = prefix.to_owned();
    (0..count).map(move |number| format!("{prefix}{number}"))
}
