//! A client that is little more than a socket: what a server answers, whatever clients make of it.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rocketmq_common::MessageExt;
use rocketmq_common::record::RecordDecoder;
use rocketmq_remoting::protocol::body::{TopicRouteData, decode_body};
use rocketmq_remoting::protocol::{FrameLimits, RemotingCommand, RequestCode, decode_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any server holds a request here.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// Apache's broker shows what it did a little later.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

/// Java: `ResponseCode.SYSTEM_BUSY`.
const SYSTEM_BUSY: i32 = 2;

/// One connection.
pub(crate) struct Peer {
    stream: TcpStream,
    read: BytesMut,
    opaque: i32,
    /// Answers that came before somebody asked for them.
    early: HashMap<i32, RemotingCommand>,
}

impl Peer {
    /// A connection to the broker that has the topic of auto-creation.
    pub(crate) async fn broker(name_server: &str) -> Self {
        let mut peer = Self::connect(name_server).await;
        let answer = peer.call(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "TBW102")], "").await;
        let route: TopicRouteData = decode_body(&answer.body).expect("a route");
        let address = route.broker_datas[0].broker_addrs.values().next().expect("a broker");
        Self::connect(address).await
    }

    /// A connection to a server.
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        Self { stream, read: BytesMut::new(), opaque: 0, early: HashMap::new() }
    }

    /// Asks and waits for the answer.
    pub(crate) async fn call(
        &mut self,
        code: RequestCode,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> RemotingCommand {
        let opaque = self.send(code, fields, body).await;
        self.answer(opaque).await
    }

    /// Asks.
    pub(crate) async fn send(
        &mut self,
        code: RequestCode,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> i32 {
        self.opaque += 1;
        let mut request = RemotingCommand::request(code).with_body(body);
        request.opaque = self.opaque;
        request.ext_fields = fields.iter().copied().collect();
        let mut frame = BytesMut::new();
        request.encode(&mut frame).expect("a request that can be written");
        self.stream.write_all(&frame).await.expect("an open connection");
        self.opaque
    }

    /// The answer to a request.
    pub(crate) async fn answer(&mut self, opaque: i32) -> RemotingCommand {
        loop {
            if let Some(answer) = self.early.remove(&opaque) {
                return answer;
            }
            let frame = timeout(ANSWERED_WITHIN, self.next()).await.expect("an answer");
            // What servers ask of clients is passed over.
            if frame.flag.0 & 1 == 1 {
                self.early.insert(frame.opaque, frame);
            }
        }
    }

    async fn next(&mut self) -> RemotingCommand {
        loop {
            if let Some(frame) = decode_frame(&mut self.read, &FrameLimits::default()).expect("a frame") {
                return frame;
            }
            assert_ne!(self.stream.read_buf(&mut self.read).await.expect("an open connection"), 0, "the end");
        }
    }

    /// Sends a message to queue 0, which has to be stored.
    pub(crate) async fn store(&mut self, topic: &str, properties: &[(&str, &str)]) -> RemotingCommand {
        let properties: String =
            properties.iter().map(|(name, value)| format!("{name}\u{1}{value}\u{2}")).collect();
        let fields = [
            ("a", "case_producer"),
            ("b", topic),
            ("c", "TBW102"),
            ("d", "4"),
            ("e", "0"),
            ("f", "0"),
            ("g", "1700000000000"),
            ("h", "0"),
            ("i", properties.as_str()),
        ];
        loop {
            let answer = self.call(RequestCode::SEND_MESSAGE_V2, &fields, "hello").await;
            // A broker on a busy machine turns sends away and stores nothing.
            if answer.code != SYSTEM_BUSY {
                assert_eq!(answer.code, 0, "{answer:?}");
                return answer;
            }
        }
    }

    /// Waits until so many messages of queue 0 can be read: Apache acknowledges them before.
    pub(crate) async fn until_visible(&mut self, topic: &str, count: i64) {
        let fields = Fields::from(&[("topic", topic), ("queueId", "0")]);
        self.until(RequestCode::GET_MAX_OFFSET, &fields, "offset", &count.to_string()).await;
    }

    /// Asks until a field of the answer has this value.
    pub(crate) async fn until(&mut self, code: RequestCode, fields: &Fields, name: &str, value: &str) {
        let began = Instant::now();
        loop {
            let answer = self.call(code, &fields.list(), "").await;
            if answer.ext_fields.get(name).as_deref() == Some(value) {
                return;
            }
            assert!(began.elapsed() < VISIBLE_WITHIN, "{name} does not become {value}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks until the answer is a success.
    pub(crate) async fn until_served(&mut self, code: RequestCode) {
        let began = Instant::now();
        loop {
            let answer = self.call(code, &[], "").await;
            if answer.code == 0 {
                return;
            }
            assert!(began.elapsed() < VISIBLE_WITHIN, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the NameServer knows the route of a topic.
    pub(crate) async fn until_route(&mut self, name_server: &str, topic: &str) {
        let mut peer = Self::connect(name_server).await;
        let began = Instant::now();
        while peer.call(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)], "").await.code != 0 {
            assert!(began.elapsed() < VISIBLE_WITHIN, "{topic} has no route");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The fields of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    pub(crate) fn from(fields: &[(&str, &str)]) -> Self {
        Self::default().with(fields)
    }

    /// The same with other or further fields.
    pub(crate) fn with(mut self, fields: &[(&str, &str)]) -> Self {
        self.0.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub(crate) fn list(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
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
