//! Who listens where, and what happens to the streams between.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::stream::{Link, MemoryStream};
use crate::net::{ByteStream, Connecting, Transport, back_off};

/// Connections that wait to be accepted, at most.
const BACKLOG: usize = 128;

/// The first port that is given out where port 0 is asked for.
const FIRST_PORT: u16 = 10_000;

/// The first address of a client.
const FIRST_CLIENT: (Ipv4Addr, u16) = (Ipv4Addr::new(127, 1, 0, 0), 20_000);

/// A network within one process. Servers [listen](Self::listen) on its addresses, and it is the [`Transport`] of clients.
/// It opens no socket and waits by tokio's time only: on a runtime with one thread and a paused clock, clients and
/// servers go through hours in milliseconds, and each run does the same.
///
/// Cloning it is cheap and gives the same network. An address is an IP address with a port; names are not known.
#[derive(Debug, Clone)]
pub struct InMemoryNetwork(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Ordered, so that runs with equal seeds are equal.
    listeners: BTreeMap<SocketAddr, mpsc::Sender<MemoryStream>>,
    /// The streams, each with the address of its server.
    links: Vec<(SocketAddr, Weak<Link>)>,
    /// Servers that answer no dial.
    unreachable: BTreeSet<SocketAddr>,
    next_port: u16,
    clients: u32,
    latency: RangeInclusive<Duration>,
    random: u64,
}

impl InMemoryNetwork {
    /// Makes a network without latency. Everything random in it comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            listeners: BTreeMap::new(),
            links: Vec::new(),
            unreachable: BTreeSet::new(),
            next_port: FIRST_PORT,
            clients: 0,
            latency: Duration::ZERO..=Duration::ZERO,
            random: seed,
        };
        Self(Arc::new(Inner { state: Mutex::new(state) }))
    }

    /// Listens on an address; port 0 takes the next free one from 10000 up.
    ///
    /// # Errors
    /// `AddrInUse` when another listener has the address.
    pub fn listen(&self, mut address: SocketAddr) -> io::Result<MemoryListener> {
        let mut state = self.0.lock();
        if address.port() == 0 {
            address = state.free_port(address.ip())?;
        }
        if state.listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (sender, incoming) = mpsc::channel(BACKLOG);
        state.listeners.insert(address, sender);
        Ok(MemoryListener { address, incoming, network: self.0.clone() })
    }

    /// Sets the time that bytes take in one direction from now on: random, within this range. A dial takes a round trip.
    /// Bytes keep their order.
    pub fn set_latency(&self, latency: RangeInclusive<Duration>) {
        self.0.lock().latency = latency;
    }

    /// Resets all streams to a server. It can be dialled again at once.
    pub fn cut(&self, server: SocketAddr) {
        self.0.links(server).iter().for_each(|link| link.reset());
    }

    /// Leaves all streams to a server half-open: bytes and closes vanish in both directions, and neither end notices.
    /// Streams that are opened later work.
    pub fn stall(&self, server: SocketAddr) {
        self.0.links(server).iter().for_each(|link| link.stall());
    }

    /// Decides whether dials of a server are answered; unanswered dials hang until their caller gives up. Open streams
    /// are not changed: to simulate a black hole, [stall](Self::stall) them too.
    pub fn set_reachable(&self, server: SocketAddr, reachable: bool) {
        let unreachable = &mut self.0.lock().unreachable;
        if reachable {
            unreachable.remove(&server)
        } else {
            unreachable.insert(server)
        };
    }

    /// How many streams to a server are open at one end or at both.
    #[must_use]
    pub fn streams(&self, server: SocketAddr) -> usize {
        self.0.links(server).len()
    }

    async fn dial(&self, address: &str) -> io::Result<MemoryStream> {
        let unknown = |_| io::Error::new(io::ErrorKind::NotFound, "a network in memory knows no names");
        let server: SocketAddr = address.parse().map_err(unknown)?;
        sleep(self.0.random_latency() + self.0.random_latency()).await;
        match self.open(server)? {
            Some(stream) => Ok(stream),
            None => std::future::pending().await,
        }
    }

    /// The client's end of a new stream; `None` if the server cannot be reached.
    fn open(&self, server: SocketAddr) -> io::Result<Option<MemoryStream>> {
        let mut state = self.0.lock();
        if state.unreachable.contains(&server) {
            return Ok(None);
        }
        let listener = state.listeners.get(&server).cloned().ok_or(io::ErrorKind::ConnectionRefused)?;
        let link = Arc::new(Link::default());
        state.links.retain(|(_, link)| link.strong_count() > 0);
        state.links.push((server, Arc::downgrade(&link)));
        let client = state.next_client();
        // Dropping a stream takes this lock.
        drop(state);
        let (near, far) = MemoryStream::pair(&self.0, link, client, server);
        listener.try_send(far).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Some(near))
    }
}

impl Transport for InMemoryNetwork {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(async move { Ok(Box::new(self.dial(address).await?) as Box<dyn ByteStream>) })
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When bytes arrive that are written now.
    pub(super) fn arrival(&self) -> Instant {
        Instant::now() + self.random_latency()
    }

    fn random_latency(&self) -> Duration {
        let mut state = self.lock();
        let (least, most) = (*state.latency.start(), *state.latency.end());
        let span = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        if span == 0 {
            return least;
        }
        least + Duration::from_micros(back_off::next_random(&mut state.random) % span.saturating_add(1))
    }

    fn links(&self, server: SocketAddr) -> Vec<Arc<Link>> {
        let state = self.lock();
        let of_server = state.links.iter().filter(|(address, _)| *address == server);
        of_server.filter_map(|(_, link)| link.upgrade()).collect()
    }
}

impl State {
    fn free_port(&mut self, ip: IpAddr) -> io::Result<SocketAddr> {
        let ports = self.next_port..=u16::MAX;
        let mut free = ports
            .map(|port| SocketAddr::new(ip, port))
            .filter(|address| !self.listeners.contains_key(address));
        let address = free.next().ok_or(io::ErrorKind::AddrInUse)?;
        self.next_port = address.port().saturating_add(1);
        Ok(address)
    }

    fn next_client(&mut self) -> SocketAddr {
        let (ip, port) = FIRST_CLIENT;
        let ports = u32::from(u16::MAX - port);
        let (host, place) = (self.clients / ports, self.clients % ports);
        self.clients = self.clients.wrapping_add(1);
        // `place` is below the number of ports.
        SocketAddr::from((Ipv4Addr::from_bits(ip.to_bits() + host), port + place as u16))
    }
}

/// Takes the streams that clients open to one address of an [`InMemoryNetwork`]. Dropping it frees the address; later
/// dials are refused.
#[derive(Debug)]
pub struct MemoryListener {
    address: SocketAddr,
    incoming: mpsc::Receiver<MemoryStream>,
    network: Arc<Inner>,
}

impl MemoryListener {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next stream. Dropping the future loses none.
    ///
    /// # Errors
    /// None: the result is that of a real listener.
    pub async fn accept(&mut self) -> io::Result<MemoryStream> {
        self.incoming.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.network.lock().listeners.remove(&self.address);
    }
}
