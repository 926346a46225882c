//! A client that is little more than a connection to the broker: it says what it is told to, and tells what it hears.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rocketmq_common::MessageExt;
use rocketmq_common::record::RecordDecoder;
use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ConnectionOptions, RequestHandler, Responder};
use rocketmq_remoting::protocol::body::{TopicRouteData, decode_body, encode_body};
use rocketmq_remoting::protocol::{
    CommandRef, EncodeHeader, ExtFields, FieldSink, NoHeader, RemotingCommand, RequestCode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc};

use super::support::fresh_topic;

/// Far longer than anything takes here.
const LIMIT: Duration = Duration::from_secs(30);

/// One connection to the one broker of a cluster.
pub(crate) struct Peer {
    remoting: RemotingClient,
    broker: String,
    pushed: Mutex<mpsc::Receiver<(RemotingCommand, Responder)>>,
}

/// Fields of a request.
struct Fields<'a>(&'a [(&'a str, &'a str)]);

impl EncodeHeader for Fields<'_> {
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        self.0.iter().for_each(|(name, value)| sink.text(name, value));
    }
}

/// Passes on what the broker asks.
struct Ear(mpsc::Sender<(RemotingCommand, Responder)>);

impl RequestHandler for Ear {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        // Whoever does not listen any more does not care.
        let _ = self.0.try_send((request, responder));
    }
}

impl Peer {
    pub(crate) async fn new(name_server: &str) -> Self {
        let (heard, pushed) = mpsc::channel(1000);
        let remoting = RemotingClient::new(ConnectionOptions::default(), std::sync::Arc::new(Ear(heard)));
        let remoting = remoting.expect("tests have a runtime");
        let fields = Fields(&[("topic", "TBW102")]);
        let question = CommandRef::request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &fields);
        let route = remoting.invoke(name_server, &question, deadline()).await;
        let route: TopicRouteData = decode_body(&route.expect("a route").body).expect("a readable route");
        let broker = route.broker_datas[0].broker_addrs[&0].clone();
        Self { remoting, broker, pushed: Mutex::new(pushed) }
    }

    /// The address of the broker.
    pub(crate) fn broker(&self) -> &str {
        &self.broker
    }

    /// The answer to a request.
    pub(crate) async fn call(
        &self,
        code: i32,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> RemotingCommand {
        let (code, header, body) = (RequestCode(code), Fields(fields), body.into());
        let request = CommandRef::request(code, &header).with_body(&body);
        let answer = self.remoting.invoke(&self.broker, &request, deadline()).await;
        answer.unwrap_or_else(|error| panic!("{code} {fields:?}: {error}"))
    }

    /// What the broker answers, as [`told`] tells it.
    pub(crate) async fn ask(&self, code: i32, fields: &[(&str, &str)], body: impl Into<Bytes>) -> String {
        told(&self.call(code, fields, body).await)
    }

    /// The next request of the broker.
    pub(crate) async fn hear(&self) -> (RemotingCommand, Responder) {
        let mut pushed = self.pushed.lock().await;
        let heard = tokio::time::timeout(LIMIT, pushed.recv()).await.expect("the broker asks something");
        heard.expect("the connection lives")
    }

    /// The next request of the broker, with its code and fields.
    pub(crate) async fn told(&self) -> String {
        let (request, _) = self.hear().await;
        told(&request)
    }

    /// Ends the connection.
    pub(crate) async fn leave(self) {
        self.remoting.shutdown(LIMIT).await;
    }

    /// Sends a message to queue 0 of a topic, which is made with one queue if it is new, and returns its commit-log
    /// offset once the message can be pulled.
    pub(crate) async fn send(&self, topic: &str, properties: &str) -> i64 {
        let properties = properties.replace('=', "\u{1}").replace(' ', "\u{2}");
        let fields = [
            ("a", "conversation"),
            ("b", topic),
            ("c", "TBW102"),
            ("d", "1"),
            ("e", "0"),
            ("f", "0"),
            ("g", "1700000000000"),
            ("h", "7"),
            ("i", &properties),
        ];
        let sent = self.call(310, &fields, "hello").await;
        assert_eq!(sent.code, 0, "{sent:?}");
        let place = |name| sent.ext_fields.get(name).expect("a place").into_owned();
        let offset = place("queueOffset").parse().expect("a number");
        self.stored(topic, offset).await;
        i64::from_str_radix(&place("msgId")[16..], 16).expect("an offset id of an IPv4 address")
    }

    /// The message at an offset of queue 0 of a topic, once it is there.
    pub(crate) async fn stored(&self, topic: &str, offset: i64) -> MessageExt {
        let (began, offset) = (Instant::now(), offset.to_string());
        let fields = [
            ("consumerGroup", "TOOLS_CONSUMER"),
            ("topic", topic),
            ("queueId", "0"),
            ("queueOffset", &offset),
            ("maxMsgNums", "1"),
            ("sysFlag", "4"),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", "0"),
            ("subscription", "*"),
            ("subVersion", "0"),
            ("expressionType", "TAG"),
        ];
        loop {
            let pulled = self.call(11, &fields, "").await;
            let first = RecordDecoder::new(pulled.body.clone()).next();
            if let Some(first) = first {
                return first.expect("a readable record");
            }
            assert!(began.elapsed() < LIMIT, "nothing at {offset} of {topic}: {}", told(&pulled));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A name that no other test uses, for a group.
pub(crate) fn fresh_group(name: &str) -> String {
    fresh_topic(name)
}

/// Answers a request of the broker.
pub(crate) fn reply(responder: Responder, code: i32, remark: Option<&str>, fields: &ExtFields, body: &str) {
    let code = rocketmq_remoting::protocol::ResponseCode(code);
    responder.answer(code, remark, &NoHeader, fields, &Bytes::copy_from_slice(body.as_bytes()));
}

/// A command in one line: its code, its remark in quotes, its fields in braces, and its body, as far as it has them.
/// Of an exception only the class remains: the rest depends on the lines of Java's sources.
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

/// A body, which has nothing else than this type.
pub(crate) fn body<T: DeserializeOwned + Serialize>(answer: &RemotingCommand) -> T {
    let body: T = decode_body(&answer.body).unwrap_or_else(|error| panic!("{error:?}: {}", told(answer)));
    let written = encode_body(&body).expect("a body that was read");
    assert_eq!(written.len(), answer.body.len(), "{} was read as {written:?}", told(answer));
    body
}

fn deadline() -> tokio::time::Instant {
    tokio::time::Instant::now() + LIMIT
}
