//! A peer played by the test: an in-memory transport and the far ends of its streams.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ByteStream, Connecting, ConnectionOptions, NoRequests, Transport};
use rocketmq_remoting::protocol::{CommandFlag, FrameLimits, RemotingCommand, ResponseCode, decode_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

pub(crate) const ADDRESS: &str = "broker:10911";

/// Streams without a network: a channel returns the far end of each stream.
#[derive(Debug)]
pub(crate) struct Memory {
    far_ends: mpsc::Sender<DuplexStream>,
    pub(crate) dials: AtomicUsize,
    pub(crate) dial_takes: Duration,
    pub(crate) refuse_first: usize,
    /// Bytes that fit into the pipe while nobody reads.
    pub(crate) pipe: usize,
}

impl Memory {
    pub(crate) fn new(far_ends: mpsc::Sender<DuplexStream>, pipe: usize) -> Self {
        Self { far_ends, dials: AtomicUsize::new(0), dial_takes: Duration::ZERO, refuse_first: 0, pipe }
    }
}

impl Transport for Memory {
    fn connect<'a>(&'a self, _: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let dial = self.dials.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(self.dial_takes).await;
            if dial < self.refuse_first {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (near, far) = tokio::io::duplex(self.pipe);
            self.far_ends.send(far).await.map_err(io::Error::other)?;
            Ok(Box::new(near) as Box<dyn ByteStream>)
        })
    }
}

/// A client, with the channel of the far ends of its connections.
pub(crate) struct Fixture {
    pub(crate) client: Arc<RemotingClient>,
    pub(crate) transport: Arc<Memory>,
    pub(crate) accept: mpsc::Receiver<DuplexStream>,
}

pub(crate) fn fixture(change: impl FnOnce(&mut Memory, &mut ConnectionOptions)) -> Fixture {
    let (far_ends, accept) = mpsc::channel(100);
    let mut memory = Memory::new(far_ends, 1 << 20);
    let mut options = ConnectionOptions::default();
    change(&mut memory, &mut options);
    let transport = Arc::new(memory);
    let client = RemotingClient::with_transport(transport.clone(), options, Arc::new(NoRequests)).unwrap();
    Fixture { client: Arc::new(client), transport, accept }
}

/// The far end of one connection.
pub(crate) struct Peer {
    pub(crate) stream: DuplexStream,
    buffer: BytesMut,
}

impl Peer {
    pub(crate) async fn accept(fixture: &mut Fixture) -> Self {
        Self::of(fixture.accept.recv().await.unwrap())
    }

    pub(crate) fn of(stream: DuplexStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    pub(crate) async fn read(&mut self) -> Option<RemotingCommand> {
        loop {
            if let Some(command) = decode_frame(&mut self.buffer, &FrameLimits::default()).unwrap() {
                return Some(command);
            }
            // Large enough that one read returns all bytes of one write.
            self.buffer.reserve(1 << 20);
            if self.stream.read_buf(&mut self.buffer).await.unwrap() == 0 {
                return None;
            }
        }
    }

    pub(crate) async fn write(&mut self, command: &RemotingCommand) {
        let mut bytes = BytesMut::new();
        command.encode(&mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    pub(crate) async fn answer(&mut self, request: &RemotingCommand, code: ResponseCode) {
        let mut answer = RemotingCommand::response(code).with_body(request.body.clone());
        answer.opaque = request.opaque;
        answer.flag = CommandFlag::RESPONSE;
        self.write(&answer).await;
    }
}

impl Peer {
    /// A frame that has arrived already.
    pub(crate) fn buffered(&mut self) -> Option<RemotingCommand> {
        decode_frame(&mut self.buffer, &FrameLimits::default()).unwrap()
    }
}
