//! A connection of a client, with its connection to the server.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_remoting::net::ByteStream;
use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::net::TcpStream;

use super::answers::{self, Expected};
use super::frames::{FrameReader, Piece};
use super::gate::Gate;
use super::{Site, requests};
use crate::lines::Line;

/// The largest number of requests in flight that are tracked; further requests pass untracked.
const MAX_EXPECTED: usize = 65_536;

/// Shared by both directions of a connection.
pub(super) struct Relay {
    pub(super) site: Arc<Site>,
    pub(super) gate: Arc<Gate>,
    /// The client's end of the connection, `ip:port`.
    pub(super) peer: Arc<str>,
    pub(super) line: Arc<Line>,
    /// The write half to the server. Delayed requests share it.
    server: tokio::sync::Mutex<WriteHalf<Box<dyn ByteStream>>>,
    /// Plans by the id of the request.
    expected: Mutex<HashMap<i32, Expected>>,
}

/// Passes frames in both directions until one side ends.
pub(super) async fn run(
    site: &Arc<Site>,
    gate: &Arc<Gate>,
    client: TcpStream,
    server: Box<dyn ByteStream>,
) -> io::Result<()> {
    let peer = client.peer_addr()?.to_string().into();
    let (client, line) = site.acceptor.open(client.into()).await?;
    let (client_reads, mut to_client) = tokio::io::split(client);
    let (server_reads, server) = tokio::io::split(server);
    let (server, expected) = (tokio::sync::Mutex::new(server), Mutex::default());
    let relay = Arc::new(Relay { site: site.clone(), gate: gate.clone(), peer, line, server, expected });

    let mut from_client = FrameReader::new(client_reads);
    let requests = async {
        while let Some(piece) = from_client.next().await? {
            match piece {
                Piece::Raw(bytes) => relay.to_server(&bytes).await?,
                Piece::Frame(frame) => requests::pass(&relay, frame).await?,
            }
        }
        Ok(())
    };
    let mut from_server = FrameReader::new(server_reads);
    let answers = async {
        while let Some(first) = from_server.next().await? {
            let mut next = Some(first);
            while let Some(piece) = next {
                let bytes = match piece {
                    Piece::Raw(bytes) => Some(bytes),
                    Piece::Frame(frame) => answers::pass(&relay, frame).await,
                };
                if let Some(bytes) = bytes {
                    to_client.write_all(&bytes).await?;
                }
                next = from_server.ready();
            }
            // Flush only after whole frames: faults may write between them.
            to_client.flush().await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = requests => ended,
        ended = answers => ended,
    }
}

impl Relay {
    /// Writes bytes to the server.
    pub(super) async fn to_server(&self, bytes: &[u8]) -> io::Result<()> {
        let mut server = self.server.lock().await;
        server.write_all(bytes).await?;
        server.flush().await
    }

    /// Stores the plan for the answer to a request.
    pub(super) fn expect(&self, opaque: i32, expected: Expected) {
        let mut all = self.lock();
        if all.len() < MAX_EXPECTED {
            all.insert(opaque, expected);
        }
    }

    /// Takes the plan for the answer to the request with this id.
    pub(super) fn take_expected(&self, opaque: i32) -> Option<Expected> {
        self.lock().remove(&opaque)
    }

    /// Whether every frame can pass undecoded.
    pub(super) fn expects_nothing(&self) -> bool {
        self.lock().is_empty() && !self.site.faults.is_armed()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
