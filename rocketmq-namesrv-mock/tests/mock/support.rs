//! A client that is little more than a socket.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use rocketmq_common::MessageExt;
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::net::ByteStream;
use rocketmq_remoting::protocol::{
    ExtFields, FrameLimits, RemotingCommand, RequestCode, SerializeType, decode_frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) use crate::conformance::peer::{field, records, verdict};

/// Far longer than anything here takes.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// One connection.
pub(crate) struct Peer {
    stream: Box<dyn ByteStream>,
    /// `None` for a stream that somebody else opened.
    local_addr: Option<SocketAddr>,
    read: BytesMut,
    opaque: i32,
    /// What the broker asked or told while an answer was awaited.
    pushed: VecDeque<RemotingCommand>,
    pub(crate) serialize_type: SerializeType,
}

impl Peer {
    pub(crate) async fn connect(address: impl tokio::net::ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let local_addr = Some(stream.local_addr().unwrap());
        Self { local_addr, ..Self::over(Box::new(stream)) }
    }

    /// One that speaks over this stream.
    pub(crate) fn over(stream: Box<dyn ByteStream>) -> Self {
        let (read, pushed) = (BytesMut::new(), VecDeque::new());
        Self { stream, local_addr: None, read, opaque: 100, pushed, serialize_type: SerializeType::Json }
    }

    /// A connection to a broker.
    pub(crate) async fn broker(cluster: &MockCluster) -> Self {
        Self::connect(cluster.broker_addr("broker-a").unwrap()).await
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr.unwrap()
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn call(&mut self, request: RemotingCommand) -> RemotingCommand {
        let opaque = self.send(request).await;
        let answer = self.answer().await;
        assert_eq!((answer.opaque, answer.flag.0), (opaque, 1));
        answer
    }

    /// The next answer; what the broker sends of its own accord is kept for [`pushed`](Self::pushed).
    pub(crate) async fn answer(&mut self) -> RemotingCommand {
        loop {
            let frame = self.receive().await;
            if frame.flag.is_response() {
                return frame;
            }
            self.pushed.push_back(frame);
        }
    }

    /// The next frame that the broker sent of its own accord.
    pub(crate) async fn pushed(&mut self) -> RemotingCommand {
        match self.pushed.pop_front() {
            Some(pushed) => pushed,
            None => self.receive().await,
        }
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, mut request: RemotingCommand) -> i32 {
        self.opaque += 1;
        request.opaque = self.opaque;
        request.serialize_type = self.serialize_type;
        let mut frame = BytesMut::new();
        request.encode(&mut frame).unwrap();
        self.write(&frame).await;
        self.opaque
    }

    /// Answers a request of the broker; the id and the flag are the caller's.
    pub(crate) async fn respond(&mut self, answer: RemotingCommand) {
        let mut frame = BytesMut::new();
        answer.encode(&mut frame).unwrap();
        self.write(&frame).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next frame.
    pub(crate) async fn receive(&mut self) -> RemotingCommand {
        timeout(SOON, self.next()).await.expect("an answer").expect("an open connection")
    }

    /// Everything that comes until the other side ends the connection, and whether it was reset.
    pub(crate) async fn read_to_end(&mut self) -> (Vec<u8>, bool) {
        let mut read = self.read.split().to_vec();
        let end = timeout(SOON, self.stream.read_to_end(&mut read)).await.expect("the end");
        (read, end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset))
    }

    /// The next so many bytes, whatever they are.
    pub(crate) async fn read_exact(&mut self, count: usize) -> Vec<u8> {
        let mut read = vec![0; count];
        timeout(SOON, self.stream.read_exact(&mut read)).await.expect("bytes").expect("an open connection");
        read
    }

    /// Waits until the other side has closed the connection, and checks that nothing came before.
    pub(crate) async fn expect_closed(&mut self) {
        assert!(timeout(SOON, self.next()).await.expect("the end").is_none());
    }

    async fn next(&mut self) -> Option<RemotingCommand> {
        loop {
            if let Some(frame) = decode_frame(&mut self.read, &FrameLimits::default()).unwrap() {
                return Some(frame);
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }
}

/// A request with these fields.
pub(crate) fn request(code: RequestCode, fields: &[(&str, &str)]) -> RemotingCommand {
    let mut request = RemotingCommand::request(code);
    request.ext_fields = fields.iter().map(|(name, value)| (*name, *value)).collect();
    request
}

/// The same with other or further fields.
pub(crate) fn with(mut request: RemotingCommand, fields: &[(&str, &str)]) -> RemotingCommand {
    for (name, value) in fields {
        request.ext_fields.insert(*name, *value);
    }
    request
}

/// The same without a field.
pub(crate) fn without(mut request: RemotingCommand, field: &str) -> RemotingCommand {
    request.ext_fields.remove(field);
    request
}

/// A send in the short form to queue 0 of this topic.
pub(crate) fn send_to(topic: &str) -> RemotingCommand {
    let fields = [
        ("a", "group"),
        ("b", topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "0"),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
    ];
    request(RequestCode::SEND_MESSAGE_V2, &fields).with_body("hello")
}

/// Properties in wire form, out of `name=value name=value`.
pub(crate) fn wire(properties: &str) -> String {
    let end = if properties.is_empty() { "" } else { "\u{2}" };
    properties.replace('=', "\u{1}").replace(' ', "\u{2}") + end
}

/// Properties of a stored message as `name=value name=value`.
pub(crate) fn properties(message: &MessageExt) -> String {
    let text = message.properties().as_wire().replace('\u{1}', "=").replace('\u{2}', " ");
    text.trim_end().to_owned()
}

/// A pull that carries its subscription and does not wait.
pub(crate) fn pull_from(topic: &str, offset: i64) -> RemotingCommand {
    let offset = offset.to_string();
    let fields = [
        ("consumerGroup", "group"),
        ("topic", topic),
        ("queueId", "0"),
        ("queueOffset", offset.as_str()),
        ("maxMsgNums", "32"),
        ("sysFlag", "4"),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "0"),
        ("subscription", "*"),
        ("subVersion", "0"),
        ("expressionType", "TAG"),
    ];
    request(RequestCode::PULL_MESSAGE, &fields)
}

/// The fields of an answer in the order of their names.
pub(crate) fn fields(answer: &RemotingCommand) -> Vec<(String, String)> {
    let mut fields: Vec<_> =
        answer.ext_fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    fields.sort();
    fields
}

/// What nearly every answer to a send carries.
pub(crate) fn region_fields() -> ExtFields {
    [("MSG_REGION", "DefaultRegion"), ("TRACE_ON", "true")].into_iter().collect()
}

/// Captured bytes of this name.
pub(crate) fn captured(name: &str) -> Vec<u8> {
    let texts = [
        include_str!("../../../rocketmq-remoting/testdata/golden-5.5.0.hex"),
        include_str!("../../../rocketmq-remoting/testdata/captured-5.5.0.hex"),
        include_str!("../../../rocketmq-common/testdata/verified-5.5.0.hex"),
        include_str!("../../../rocketmq-common/testdata/captured-5.5.0.hex"),
    ];
    let find = |text: &'static str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let hex = texts.into_iter().find_map(find).unwrap_or_else(|| panic!("no bytes named {name}"));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A captured frame.
pub(crate) fn captured_frame(name: &str) -> RemotingCommand {
    let mut bytes = BytesMut::from(&captured(name)[..]);
    decode_frame(&mut bytes, &FrameLimits::default()).unwrap().unwrap()
}
