//! A client that is little more than a connection. It sends the requests of a case and returns the answers of the broker
//! unread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rocketmq_common::MessageExt;
use rocketmq_common::record::RecordDecoder;
use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ConnectionOptions, RequestHandler, Responder};
use rocketmq_remoting::protocol::body::{TopicRouteData, decode_body, encode_body};
use rocketmq_remoting::protocol::{
    CommandRef, ExtFields, NoHeader, RemotingCommand, RequestCode, ResponseCode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep, timeout};

/// Longer than any server here holds a request or takes to show an effect.
const LIMIT: Duration = Duration::from_secs(60);

/// The time between two looks at an effect that shows a little later.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A connection to the only broker of a cluster.
pub(crate) struct Peer {
    remoting: RemotingClient,
    broker: String,
    pushed: Mutex<mpsc::Receiver<(RemotingCommand, Responder)>>,
}

impl Peer {
    pub(crate) async fn new(name_server: &str) -> Self {
        let mut peer = Self::of(name_server);
        let route = peer.call(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "TBW102")], "");
        let route: TopicRouteData = decode_body(&route.await.body).expect("a route");
        peer.broker.clone_from(&route.broker_datas[0].broker_addrs[&0]);
        peer
    }

    /// Speaks to the server at this address, for example a NameServer.
    pub(crate) fn of(server: &str) -> Self {
        let (heard, pushed) = mpsc::channel(1000);
        let remoting = RemotingClient::new(ConnectionOptions::default(), Arc::new(Ear(heard)));
        let remoting = remoting.expect("tests have a runtime");
        Self { remoting, broker: server.to_owned(), pushed: Mutex::new(pushed) }
    }

    /// The address of the broker.
    pub(crate) fn broker(&self) -> &str {
        &self.broker
    }

    /// The answer to a request.
    pub(crate) async fn call(
        &self,
        code: impl Into<RequestCode>,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> RemotingCommand {
        self.call_at(&self.broker, code.into(), fields, body).await
    }

    /// The answer to a request in one line: see [`told`].
    pub(crate) async fn ask(&self, code: i32, fields: &[(&str, &str)], body: impl Into<Bytes>) -> String {
        told(&self.call(code, fields, body).await)
    }

    /// Asks until `will_do` accepts the answer.
    pub(crate) async fn until(
        &self,
        code: impl Into<RequestCode>,
        fields: &[(&str, &str)],
        will_do: impl Fn(&RemotingCommand) -> bool,
    ) -> RemotingCommand {
        self.until_at(&self.broker, code.into(), fields, will_do).await
    }

    /// Waits until the NameServer knows the route of a topic.
    pub(crate) async fn until_route(&self, name_server: &str, topic: &str) {
        let (code, fields) = (RequestCode::GET_ROUTEINFO_BY_TOPIC, [("topic", topic)]);
        self.until_at(name_server, code, &fields, is_success).await;
    }

    /// The next request of the broker.
    pub(crate) async fn hear(&self) -> (RemotingCommand, Responder) {
        let mut pushed = self.pushed.lock().await;
        let heard = timeout(LIMIT, pushed.recv()).await.expect("the broker asks something");
        heard.expect("the connection lives")
    }

    /// The next request of the broker, with its code and fields.
    pub(crate) async fn told(&self) -> String {
        let (request, _) = self.hear().await;
        told(&request)
    }

    /// The request of the broker that is here already, if there is one.
    pub(crate) async fn heard(&self) -> Option<String> {
        let heard = self.pushed.lock().await.try_recv().ok();
        heard.map(|(request, _)| told(&request))
    }

    /// Ends the connection.
    pub(crate) async fn leave(self) {
        self.remoting.shutdown(LIMIT).await;
    }

    /// Sends a message to queue 0 of a topic, which the broker creates with one queue if it is new. Returns its commit-log
    /// offset once the message can be pulled.
    pub(crate) async fn send(&self, topic: &str, properties: &[(&str, &str)]) -> i64 {
        let sent = self.store(topic, 1, properties).await;
        self.stored(topic, number(&sent, "queueOffset")).await;
        i64::from_str_radix(&field(&sent, "msgId")[16..], 16).expect("an offset id of an IPv4 address")
    }

    /// Sends a message to queue 0 of a topic, which the broker creates with `queues` queues if it is new.
    pub(crate) async fn store(
        &self,
        topic: &str,
        queues: u32,
        properties: &[(&str, &str)],
    ) -> RemotingCommand {
        let queues = queues.to_string();
        let properties: String =
            properties.iter().map(|(name, value)| format!("{name}\u{1}{value}\u{2}")).collect();
        let fields = [
            ("a", "case_peer"),
            ("b", topic),
            ("c", "TBW102"),
            ("d", &queues),
            ("e", "0"),
            ("f", "0"),
            ("g", "1700000000000"),
            ("h", "7"),
            ("i", &properties),
        ];
        loop {
            let answer = self.call(RequestCode::SEND_MESSAGE_V2, &fields, "hello").await;
            // A broker on a busy machine turns sends away and stores nothing.
            if answer.code != ResponseCode::SYSTEM_BUSY.0 {
                assert!(is_success(&answer), "{answer:?}");
                return answer;
            }
        }
    }

    /// Waits until `count` messages of queue 0 can be read: Apache acknowledges messages earlier.
    pub(crate) async fn until_visible(&self, topic: &str, count: i64) {
        let fields = [("topic", topic), ("queueId", "0")];
        self.until(RequestCode::GET_MAX_OFFSET, &fields, has("offset", &count.to_string())).await;
    }

    /// Waits for the message at an offset of queue 0 of a topic, and returns it.
    pub(crate) async fn stored(&self, topic: &str, offset: i64) -> MessageExt {
        let offset = offset.to_string();
        let fields =
            pull_fields("TOOLS_CONSUMER", topic).with(&[("queueOffset", &offset), ("maxMsgNums", "1")]);
        let fields = fields.with(&[("sysFlag", "4"), ("subscription", "*"), ("expressionType", "TAG")]);
        let found = |answer: &RemotingCommand| !answer.body.is_empty();
        let pulled = self.until(RequestCode::PULL_MESSAGE, &fields.list(), found).await;
        records(&pulled).swap_remove(0)
    }

    async fn call_at(
        &self,
        address: &str,
        code: RequestCode,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> RemotingCommand {
        let (fields, body): (ExtFields, Bytes) = (fields.iter().copied().collect(), body.into());
        let request = CommandRef::request(code, &NoHeader).with_fields(&fields).with_body(&body);
        let answer = self.remoting.invoke(address, &request, Instant::now() + LIMIT).await;
        answer.unwrap_or_else(|error| panic!("{code} {fields:?}: {error}"))
    }

    async fn until_at(
        &self,
        address: &str,
        code: RequestCode,
        fields: &[(&str, &str)],
        will_do: impl Fn(&RemotingCommand) -> bool,
    ) -> RemotingCommand {
        let began = Instant::now();
        loop {
            let answer = self.call_at(address, code, fields, "").await;
            if will_do(&answer) {
                return answer;
            }
            assert!(
                began.elapsed() < LIMIT,
                "{code} {fields:?} is not answered otherwise: {}",
                told(&answer)
            );
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// Passes on what the broker asks.
struct Ear(mpsc::Sender<(RemotingCommand, Responder)>);

impl RequestHandler for Ear {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        // A test that has stopped listening misses nothing.
        let _ = self.0.try_send((request, responder));
    }
}

/// A peer with a topic of its own, which has four queues, and with a fresh group.
pub(crate) struct GroupPeer {
    pub(crate) peer: Peer,
    pub(crate) topic: String,
    pub(crate) group: String,
}

impl GroupPeer {
    /// Queue 0 of the topic has a message with each of these tags, which can be read.
    pub(crate) async fn new(name_server: &str, name: &str, tags: &[&str]) -> Self {
        let peer = Peer::new(name_server).await;
        let (topic, group) = (fresh_topic(name), fresh_group(name));
        for tag in tags {
            peer.store(&topic, 4, &[("TAGS", tag)]).await;
        }
        peer.until_visible(&topic, tags.len() as i64).await;
        Self { peer, topic, group }
    }
}

/// The fields of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(crate) fn from(fields: &[(&str, &str)]) -> Self {
        Self::default().with(fields)
    }

    /// Replaces fields or adds them.
    pub(crate) fn with(mut self, fields: &[(&str, &str)]) -> Self {
        self.0.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub(crate) fn list(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// A pull from the beginning of queue 0, which does not wait and brings no subscription.
pub(crate) fn pull_fields(group: &str, topic: &str) -> Fields {
    Fields::from(&[
        ("consumerGroup", group),
        ("topic", topic),
        ("queueId", "0"),
        ("queueOffset", "0"),
        ("maxMsgNums", "32"),
        ("sysFlag", "0"),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "0"),
        ("subVersion", "0"),
    ])
}

/// A topic that no other test uses.
pub(crate) fn fresh_topic(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("Raw_{name}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A group that no other test uses.
pub(crate) fn fresh_group(name: &str) -> String {
    fresh_topic(name)
}

/// Answers a request of the broker.
pub(crate) fn reply(responder: Responder, code: i32, remark: Option<&str>, fields: &ExtFields, body: &str) {
    let body = Bytes::copy_from_slice(body.as_bytes());
    responder.answer(ResponseCode(code), remark, &NoHeader, fields, &body);
}

pub(crate) fn is_success(answer: &RemotingCommand) -> bool {
    answer.code == ResponseCode::SUCCESS.0
}

/// Whether an answer has a field with this value.
pub(crate) fn has(name: &str, value: &str) -> impl Fn(&RemotingCommand) -> bool {
    move |answer| answer.ext_fields.get(name).as_deref() == Some(value)
}

/// A field of an answer.
#[track_caller]
pub(crate) fn field(answer: &RemotingCommand, name: &str) -> String {
    answer.ext_fields.get(name).unwrap_or_else(|| panic!("no {name} in {answer:?}")).into_owned()
}

/// A field of an answer that is a number.
#[track_caller]
pub(crate) fn number(answer: &RemotingCommand, name: &str) -> i64 {
    field(answer, name).parse().expect("a number")
}

/// Code and remark.
pub(crate) fn verdict(answer: &RemotingCommand) -> (i32, &str) {
    (answer.code, answer.remark())
}

/// The messages of a body.
pub(crate) fn records(answer: &RemotingCommand) -> Vec<MessageExt> {
    RecordDecoder::new(answer.body.clone()).collect::<Result<_, _>>().expect("records")
}

/// A command in one line: its code, its remark in quotes, its fields in braces, and its body, where present.
/// Only the class of an exception remains: the rest depends on the lines of Java's sources.
pub(crate) fn told(command: &RemotingCommand) -> String {
    let mut told = command.code.to_string();
    if let Some(remark) = &command.remark {
        let is_exception = remark.starts_with("java.") || remark.starts_with("com.alibaba.");
        let remark = if is_exception { remark.split([':', ',']).next().unwrap_or_default() } else { remark };
        told += &format!(" \"{remark}\"");
    }
    if command.ext_fields.is_present() {
        let mut fields: Vec<_> =
            command.ext_fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        fields.sort();
        told += &format!(" {{{}}}", fields.join(", "));
    }
    if !command.body.is_empty() {
        told += &format!(" {}", String::from_utf8_lossy(&command.body));
    }
    told
}

/// Decodes a body, and checks that it has no field beyond this type.
pub(crate) fn body<T: DeserializeOwned + Serialize>(answer: &RemotingCommand) -> T {
    let body: T = decode_body(&answer.body).unwrap_or_else(|error| panic!("{error:?}: {}", told(answer)));
    let written = encode_body(&body).expect("a body that was read");
    assert_eq!(written.len(), answer.body.len(), "{} was read as {written:?}", told(answer));
    body
}
