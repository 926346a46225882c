//! A proxy between a backend and its server, which cuts a connection when a case says so.

use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// All goes through.
const OPEN: u8 = 0;
/// The next bytes of a server are thrown away, and their connection ends.
const NO_ANSWER: u8 = 1;
/// The next bytes of a client are thrown away, and their connection ends.
const NO_REQUEST: u8 = 2;

/// A port that leads to a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    server: AtomicU16,
    mode: AtomicU8,
    cuts: AtomicUsize,
    /// What the server says of its own address: this text becomes the other, of equal length, in frames of RocketMQ.
    rewrite: Option<(String, String)>,
}

impl Proxy {
    /// Leads to `server`, on this port, or on a free port.
    pub(crate) fn start(server: u16, port: u16, rewrite: Option<(String, String)>) -> Self {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (server, mode, cuts) = (server.into(), OPEN.into(), AtomicUsize::default());
        let shared = Arc::new(Shared { server, mode, cuts, rewrite });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, shared.clone()));
        Self { port, shared, _tasks: tasks }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts a connection in place of the next answer.
    pub(crate) fn cut_answer(&self) {
        self.shared.mode.store(NO_ANSWER, Ordering::SeqCst);
    }

    /// Cuts a connection in place of the next request.
    pub(crate) fn cut_request(&self) {
        self.shared.mode.store(NO_REQUEST, Ordering::SeqCst);
    }

    /// Connections that were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(lead(client, shared.clone()));
    }
}

/// One connection. Both sides end together.
async fn lead(client: TcpStream, shared: Arc<Shared>) {
    let port = shared.server.load(Ordering::SeqCst);
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let cut = Notify::new();
    tokio::select! {
        () = pump(from_client, to_server, &shared, NO_REQUEST, &cut) => {}
        () = pump(from_server, to_client, &shared, NO_ANSWER, &cut) => {}
        () = cut.notified() => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, cuts: u8, cut: &Notify) {
    let rewrites = shared.rewrite.as_ref().filter(|_| cuts == NO_ANSWER);
    let mut bytes = Vec::with_capacity(64 * 1024);
    loop {
        bytes.clear();
        let read = match rewrites {
            None => from.read_buf(&mut bytes).await.ok(),
            Some((old, new)) => frame(&mut from, &mut bytes, old, new).await,
        };
        if read.is_none_or(|read| read == 0) {
            return;
        }
        let mode = &shared.mode;
        if mode.compare_exchange(cuts, OPEN, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            cut.notify_one();
            return;
        }
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// A frame of RocketMQ: four bytes of length, and as many.
async fn frame(from: &mut OwnedReadHalf, bytes: &mut Vec<u8>, old: &str, new: &str) -> Option<usize> {
    let length = from.read_u32().await.ok()?;
    bytes.extend(length.to_be_bytes());
    bytes.resize(4 + length as usize, 0);
    from.read_exact(&mut bytes[4..]).await.ok()?;
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> =
        (0..bytes.len()).filter(|place| bytes[*place..].starts_with(old.as_bytes())).collect();
    for place in places {
        bytes[place..place + new.len()].copy_from_slice(new.as_bytes());
    }
    Some(bytes.len())
}
