//! One connection of a client, and the one to its server that belongs to it.

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

/// How many requests that wait for answers are noted; further ones pass without being noted.
const MAX_EXPECTED: usize = 65_536;

/// What both directions of a connection share.
pub(super) struct Relay {
    pub(super) site: Arc<Site>,
    pub(super) gate: Arc<Gate>,
    /// The client's end, as the client sees it.
    pub(super) peer: Arc<str>,
    pub(super) line: Arc<Line>,
    /// The way to the server. Requests that are delayed share it.
    server: tokio::sync::Mutex<WriteHalf<Box<dyn ByteStream>>>,
    /// By the id of the request.
    expected: Mutex<HashMap<i32, Expected>>,
}

/// Passes everything on until one side ends.
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
            // Only here whole frames are behind us, between which faults may write.
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
    /// Passes bytes on to the server.
    pub(super) async fn to_server(&self, bytes: &[u8]) -> io::Result<()> {
        let mut server = self.server.lock().await;
        server.write_all(bytes).await?;
        server.flush().await
    }

    /// Notes what is to become of the answer to a request.
    pub(super) fn expect(&self, opaque: i32, expected: Expected) {
        let mut all = self.lock();
        if all.len() < MAX_EXPECTED {
            all.insert(opaque, expected);
        }
    }

    /// What was noted of the request with this id.
    pub(super) fn take_expected(&self, opaque: i32) -> Option<Expected> {
        self.lock().remove(&opaque)
    }

    /// Whether every frame can pass without a look.
    pub(super) fn expects_nothing(&self) -> bool {
        self.lock().is_empty() && !self.site.faults.is_armed()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
