//! A client that is little more than a socket: what a server answers, whatever clients make of it.

use std::collections::HashMap;
use std::time::Duration;

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
        let count = count.to_string();
        for _ in 0..1000 {
            let answer =
                self.call(RequestCode::GET_MAX_OFFSET, &[("topic", topic), ("queueId", "0")], "").await;
            if field(&answer, "offset") == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{topic} has no {count} messages");
    }
}

/// A field of an answer.
#[track_caller]
pub(crate) fn field(answer: &RemotingCommand, name: &str) -> String {
    answer.ext_fields.get(name).unwrap_or_else(|| panic!("no {name} in {answer:?}")).into_owned()
}

/// Code and remark.
pub(crate) fn verdict(answer: &RemotingCommand) -> (i32, &str) {
    (answer.code, answer.remark())
}

/// The messages of a body.
pub(crate) fn records(answer: &RemotingCommand) -> Vec<MessageExt> {
    RecordDecoder::new(answer.body.clone()).collect::<Result<_, _>>().expect("records")
}
