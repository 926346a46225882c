//! A proxy in front of real servers that understands frames.
//!
//! | to find | look in |
//! |---|---|
//! | listening for one server | `gate.rs` |
//! | one connection, in both directions | `relay.rs` |
//! | what a rule does with a request, with an answer, with a push | `requests.rs`, `answers.rs` |
//! | frames as bytes | `frames.rs` |
//! | addresses in routes | `routes.rs` |

mod answers;
mod frames;
mod gate;
mod relay;
mod requests;
mod routes;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rocketmq_remoting::net::{TaskOwner, TcpTransport, Transport};
use rocketmq_remoting::protocol::RequestCode;

use crate::MockError;
use crate::capture::{Capture, CapturedRequest};
use crate::changes::Changes;
use crate::clock::{Clock, ClockKind};
use crate::error::next_port;
use crate::faults::{Fault, FaultAction, FaultError, Faults};
use crate::lines::{LineAcceptor, Lines};
use gate::Gate;

/// Stands in front of the NameServers and brokers of a cluster, real or not, and applies the fault rules of a
/// [`MockCluster`](crate::MockCluster).
///
/// Give clients [`name_server_addr`](Self::name_server_addr). The proxy passes frames on unchanged, in both directions
/// and with either header encoding. It changes only the addresses of brokers in routes (105) and in the list of brokers
/// (106), so that clients reach brokers through it too: it listens for each broker that a route names. Rules also apply
/// to requests of brokers to clients, such as 39 and 40.
///
/// With the feature `tls` it speaks TLS with clients, with servers, or with both. A client that dials an address from
/// elsewhere bypasses it: the address in an offset message id, or the broker's port minus two (Java's VIP channel).
/// Dropping the proxy stops it.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use rocketmq_namesrv_mock::MockProxy;
///
/// let proxy = MockProxy::start("127.0.0.1:9876").await?;
/// proxy.inject("do=drop_answer on=sends times=1".parse()?)?;
/// let client_takes = proxy.name_server_addr();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MockProxy {
    site: Arc<Site>,
    wait_limit: Duration,
}

/// Settings of a [`MockProxy`]; see [`MockProxy::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct MockProxyBuilder {
    name_servers: String,
    address: IpAddr,
    port: u16,
    captured_requests: usize,
    wait_limit: Duration,
    faults: Vec<Fault>,
    #[cfg(feature = "tls")]
    tls: Option<rocketmq_remoting::net::tls::TlsServerConfig>,
    #[cfg(feature = "tls")]
    upstream_tls: Option<rocketmq_remoting::net::tls::TlsConfig>,
}

/// Shared by all connections of a proxy.
#[derive(Debug)]
struct Site {
    address: IpAddr,
    faults: Faults,
    /// Makes streams of clients' sockets.
    acceptor: LineAcceptor,
    /// Dials servers.
    transport: Arc<dyn Transport>,
    capture: Arc<Capture>,
    changes: Arc<Changes>,
    clock: Arc<Clock>,
    /// Runs delayed work.
    tasks: TaskOwner,
    name_servers: Mutex<Vec<Arc<Gate>>>,
    /// Gates by the address of the broker.
    brokers: Mutex<HashMap<String, Arc<Gate>>>,
}

impl MockProxy {
    /// Starts a proxy in front of these NameServers: `host:port`, separated by `;`. It dials them when clients connect.
    /// Dropping the future stops the listeners started so far.
    ///
    /// # Errors
    /// There is no NameServer, no port is free, or the call is outside a tokio runtime.
    pub async fn start(name_servers: impl Into<String>) -> Result<Self, MockError> {
        Self::builder(name_servers).start().await
    }

    /// Settings for a proxy other than the default.
    pub fn builder(name_servers: impl Into<String>) -> MockProxyBuilder {
        MockProxyBuilder {
            name_servers: name_servers.into(),
            address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            port: 0,
            captured_requests: 10_000,
            wait_limit: Duration::from_secs(10),
            faults: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "tls")]
            upstream_tls: None,
        }
    }

    /// The addresses for clients: `127.0.0.1:port`, separated by `;`.
    pub fn name_server_addr(&self) -> String {
        let gates = self.site.name_servers.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().map(|gate| gate.address().to_string()).collect::<Vec<_>>().join(";")
    }

    /// Adds a fault rule, like [`MockCluster::inject`](crate::MockCluster::inject). The server of a rule is
    /// `namesrv-0` …, the name of a broker in routes, or the real `ip:port` of either.
    ///
    /// # Errors
    /// A proxy cannot carry the rule out: `stop` and `read_only` need the help of a NameServer.
    pub fn inject(&self, fault: Fault) -> Result<(), FaultError> {
        check(&fault)?;
        self.site.faults.inject(fault);
        Ok(())
    }

    /// Removes all rules.
    pub fn clear_faults(&self) {
        self.site.faults.clear();
    }

    /// The rules, each with the number of requests that went wrong by it.
    pub fn fault_hits(&self) -> Vec<(Fault, u32)> {
        self.site.faults.hits()
    }

    /// The latest requests of clients, oldest first.
    pub fn requests(&self) -> Vec<CapturedRequest> {
        self.site.capture.requests()
    }

    /// Waits until clients have made at least `count` requests with this code, and returns those that are kept. Waits
    /// at most [`wait_limit`](MockProxyBuilder::wait_limit). Dropping the future ends the wait.
    ///
    /// # Errors
    /// [`MockError::WaitedInVain`] if there are fewer requests at the end.
    pub async fn wait_for_requests(
        &self,
        code: RequestCode,
        count: usize,
    ) -> Result<Vec<CapturedRequest>, MockError> {
        self.site.capture.wait_for(&self.site.changes, code, count, self.wait_limit).await
    }

    /// Stops listening and closes all connections. Dropping the future leaves it stopping.
    pub async fn shutdown(&self) {
        for gate in self.site.gates() {
            gate.stop().await;
        }
        self.site.tasks.shutdown(gate::STOP_LIMIT).await;
    }
}

impl MockProxyBuilder {
    /// The port of the first NameServer; further NameServers take the ports after it. Default: 0, any free port.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The number of requests that [`MockProxy::requests`] keeps; 0 for none. Default: 10,000.
    pub fn captured_requests(self, captured_requests: usize) -> Self {
        Self { captured_requests, ..self }
    }

    /// How long [`MockProxy::wait_for_requests`] waits. Default: 10 s.
    pub fn wait_limit(self, wait_limit: Duration) -> Self {
        Self { wait_limit, ..self }
    }

    /// Adds a fault rule that applies from the start.
    ///
    /// # Errors
    /// A proxy cannot carry the rule out, see [`MockProxy::inject`].
    pub fn fault(mut self, fault: Fault) -> Result<Self, FaultError> {
        check(&fault)?;
        self.faults.push(fault);
        Ok(self)
    }

    /// Clients speak TLS with the proxy, which shows them its own certificate. Default: plain text.
    #[cfg(feature = "tls")]
    pub fn tls(self, config: rocketmq_remoting::net::tls::TlsServerConfig) -> Self {
        Self { tls: Some(config), ..self }
    }

    /// The proxy speaks TLS with all servers. It checks certificates against the addresses that it dials. Default:
    /// plain text.
    #[cfg(feature = "tls")]
    pub fn upstream_tls(self, config: rocketmq_remoting::net::tls::TlsConfig) -> Self {
        Self { upstream_tls: Some(config), ..self }
    }

    /// Starts the proxy on the loopback. Dropping the future stops the listeners started so far.
    ///
    /// # Errors
    /// There is no NameServer, a port is taken, a certificate cannot be used, or the call is outside a tokio runtime.
    pub async fn start(self) -> Result<MockProxy, MockError> {
        let upstreams: Vec<&str> =
            self.name_servers.split(';').map(str::trim).filter(|one| !one.is_empty()).collect();
        if upstreams.is_empty() {
            return Err(MockError::None { what: "NameServer" });
        }
        let clock = Clock::new(ClockKind::System);
        let site = Arc::new(Site {
            address: self.address,
            faults: Faults::default(),
            acceptor: self.acceptor(&clock)?,
            transport: self.transport()?,
            capture: Arc::new(Capture::new(self.captured_requests, clock.clone())),
            changes: Arc::default(),
            clock,
            tasks: TaskOwner::new().map_err(MockError::NoRuntime)?,
            name_servers: Mutex::default(),
            brokers: Mutex::default(),
        });
        self.faults.into_iter().for_each(|fault| site.faults.inject(fault));
        let proxy = MockProxy { site: site.clone(), wait_limit: self.wait_limit };
        for (index, upstream) in upstreams.into_iter().enumerate() {
            let port = next_port(self.port, index)?;
            let gate =
                Gate::start(&site, format!("namesrv-{index}"), upstream.to_owned(), port, true).await?;
            site.name_servers.lock().unwrap_or_else(PoisonError::into_inner).push(gate);
        }
        Ok(proxy)
    }

    fn acceptor(&self, clock: &Arc<Clock>) -> Result<LineAcceptor, MockError> {
        let lines = Arc::new(Lines::new(clock.clone()));
        #[cfg(feature = "tls")]
        if let Some(config) = &self.tls {
            let tls = rocketmq_remoting::net::tls::TlsAcceptor::new(config)?;
            return Ok(LineAcceptor::new(lines, Some(Arc::new(tls))));
        }
        Ok(LineAcceptor::new(lines, None))
    }

    fn transport(&self) -> Result<Arc<dyn Transport>, MockError> {
        #[cfg(feature = "tls")]
        if let Some(config) = &self.upstream_tls {
            return Ok(Arc::new(rocketmq_remoting::net::tls::TlsTransport::new(config)?));
        }
        Ok(Arc::new(TcpTransport))
    }
}

impl Site {
    /// The gate of a broker; opens it if need be.
    async fn broker(self: &Arc<Self>, name: &str, upstream: &str) -> Result<Arc<Gate>, MockError> {
        let find = |site: &Self| {
            let brokers = site.brokers.lock().unwrap_or_else(PoisonError::into_inner);
            brokers.get(upstream).cloned()
        };
        if let Some(gate) = find(self) {
            return Ok(gate);
        }
        let gate = Gate::start(self, name.to_owned(), upstream.to_owned(), 0, false).await?;
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        match brokers.entry(upstream.to_owned()) {
            // Another connection opened it meanwhile.
            Entry::Occupied(other) => {
                gate.abandon();
                Ok(other.get().clone())
            }
            Entry::Vacant(place) => Ok(place.insert(gate).clone()),
        }
    }

    fn gates(&self) -> Vec<Arc<Gate>> {
        let mut gates = self.name_servers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        gates.extend(self.brokers.lock().unwrap_or_else(PoisonError::into_inner).values().cloned());
        gates
    }
}

impl Drop for MockProxy {
    fn drop(&mut self) {
        self.site.gates().iter().for_each(|gate| gate.abandon());
        self.site.tasks.stop();
    }
}

fn check(fault: &Fault) -> Result<(), FaultError> {
    match &fault.action {
        FaultAction::Stop { .. } | FaultAction::ReadOnly(_) => Err(FaultError {
            rule: None,
            field: Some("do".to_owned()),
            problem: format!(
                "{} is not allowed before real servers, whose NameServers would have to know; all others are",
                fault.action.name()
            ),
        }),
        _ => Ok(()),
    }
}
