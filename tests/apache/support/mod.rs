//! Apache's NameServer and brokers on free loopback ports, for as long as the test process lives.

pub(crate) mod acl;
pub(crate) mod broker;
mod ports;
pub(crate) mod process;
pub(crate) mod wire;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use broker::Broker;
use process::Server;

/// Generous: a cold machine with two very busy cores. A boot takes about five seconds.
pub(crate) const BOOT_DEADLINE: Duration = Duration::from_secs(240);
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Another process may take a port between its choice and the server's bind.
const BOOT_ATTEMPTS: u32 = 3;

/// The code that a broker with ACL answers to a stranger.
const NO_PERMISSION: i64 = 16;

const NAME_SERVER_HEAP: &[&str] = &["-Xms64m", "-Xmx512m", "-XX:MaxDirectMemorySize=256m"];

/// A NameServer and its brokers; by default a single broker, `broker-a` of `DefaultCluster` (auto-create, SQL92 filters and
/// timers on).
///
/// All are killed when the value is dropped and, whatever happens to the test process, when that process ends.
#[derive(Debug)]
pub(crate) struct ApacheCluster {
    // Dropped in this order: a broker that outlives its NameServer only fills its log.
    pub(crate) brokers: Vec<Broker>,
    name_server: Server,
    name_server_addr: String,
}

impl ApacheCluster {
    /// A cluster of the caller's own, for tests that stop or misconfigure it. `broker_conf` is added to the broker's
    /// configuration file, one `key=value` a line, and wins over the lines above it.
    ///
    /// # Errors
    /// Says what is missing (JVM, jars), or ends with the tails of the servers' logs when they did not come up.
    pub(crate) fn start(broker_conf: &str) -> Result<Self, String> {
        Self::boot(&Boot { broker_conf, ..Boot::default() })
    }

    /// A cluster of the caller's own that differs in more than the broker's configuration.
    ///
    /// # Errors
    /// Has the errors of [`start`](Self::start).
    pub(crate) fn boot(boot: &Boot<'_>) -> Result<Self, String> {
        let lib = jars()?;
        let mut attempt = 1;
        loop {
            match boot_once(&lib, boot) {
                Err(failure) if failure.port_taken && attempt < BOOT_ATTEMPTS => attempt += 1,
                Err(failure) => return Err(failure.reason),
                Ok(cluster) => return Ok(cluster),
            }
        }
    }

    /// The address of the NameServer, `127.0.0.1:PORT`.
    pub(crate) fn name_server_addr(&self) -> &str {
        &self.name_server_addr
    }

    /// The address that the first broker registers, `127.0.0.1:PORT`.
    pub(crate) fn broker_addr(&self) -> &str {
        &self.brokers[0].address
    }
}

/// The settings of a cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Boot<'a> {
    /// How many masters: `broker-a`, `broker-b` ….
    pub(crate) masters: usize,
    /// How many slaves there are, the first of them of `broker-a`: `broker-a-s1`, `broker-b-s1` ….
    pub(crate) slaves: usize,
    /// The machine room of all brokers, which their names begin with: `room@broker-a`.
    pub(crate) room: Option<&'a str>,
    /// Lines for the NameServer's configuration file.
    pub(crate) name_server_conf: &'a str,
    /// Lines for the brokers' configuration files, which win over the lines that every broker has.
    pub(crate) broker_conf: &'a str,
    /// Properties of all JVMs, such as `-Dtls.server.mode=enforcing`.
    pub(crate) java_properties: &'a [String],
    /// When it is up.
    pub(crate) ready: Ready,
}

impl Default for Boot<'_> {
    fn default() -> Self {
        Self {
            masters: 1,
            slaves: 0,
            room: None,
            name_server_conf: "",
            broker_conf: "",
            java_properties: &[],
            ready: Ready::default(),
        }
    }
}

/// The sign that a cluster is up, for a client without a key and without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ready {
    /// The NameServer knows the broker (it answers the route of `TBW102`, which a broker with auto-create registers),
    /// and the broker answers a heartbeat.
    #[default]
    Serves,
    /// The NameServer knows the broker, and the broker refuses the heartbeat: ACL.
    Refuses,
    /// Both listen; more cannot be seen in plain text: TLS.
    Listens,
}

#[derive(Debug)]
struct BootFailure {
    reason: String,
    port_taken: bool,
}

fn jars() -> Result<PathBuf, String> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/apache/lib");
    if lib.join(".complete").is_file() {
        Ok(lib)
    } else {
        Err(format!("no Apache jars in {}: run apache/fetch first", lib.display()))
    }
}

fn boot_once(lib: &Path, boot: &Boot<'_>) -> Result<ApacheCluster, BootFailure> {
    let started = Instant::now();
    let (name_server_port, broker_ports) = ports::free(boot.masters + boot.slaves);
    let name_server_addr = format!("127.0.0.1:{name_server_port}");
    let home = fresh_home();

    let conf = format!("listenPort={name_server_port}\nbindAddress=127.0.0.1\n{}", boot.name_server_conf);
    let class = "org.apache.rocketmq.namesrv.NamesrvStartup";
    let flags = NAME_SERVER_HEAP.iter().map(|flag| (*flag).to_owned());
    let flags: Vec<String> = flags.chain(boot.java_properties.iter().cloned()).collect();
    let name_server = Server::start(&home, "namesrv", class, lib, &flags, &conf);
    let brokers = broker_ports.iter().enumerate();
    let brokers =
        brokers.map(|(number, port)| Broker::new(number, *port, &name_server_addr, boot, &home, lib));
    let mut cluster = ApacheCluster { brokers: brokers.collect(), name_server, name_server_addr };
    // A slave learns from the NameServer where its master is.
    for masters in [true, false] {
        cluster.brokers.iter().filter(|broker| broker.is_master() == masters).for_each(Broker::start);
        wait_until_ready(&mut cluster, boot.ready, started)?;
    }
    eprintln!(
        "apache: NameServer {} and {} up after {:.1} s, logs in {}",
        cluster.name_server_addr,
        cluster
            .brokers
            .iter()
            .map(|broker| format!("{} {}", broker.name, broker.address))
            .collect::<Vec<_>>()
            .join(", "),
        started.elapsed().as_secs_f32(),
        home.display()
    );
    Ok(cluster)
}

/// A folder of its own for each boot, under `target/`: configuration, store and logs.
fn fresh_home() -> PathBuf {
    static BOOTS: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}", std::process::id(), BOOTS.fetch_add(1, Ordering::Relaxed));
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/apache/run").join(name);
    // What an earlier process with the same id left behind.
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).expect("create the folder of an Apache run");
    home
}

/// Waits for all brokers that were started.
fn wait_until_ready(cluster: &mut ApacheCluster, ready: Ready, started: Instant) -> Result<(), BootFailure> {
    let ApacheCluster { brokers, name_server, name_server_addr } = cluster;
    loop {
        let waiting_for = |broker: &Broker| match &*broker.running() {
            Some(_) => broker.waiting_for(name_server_addr, ready),
            None => None,
        };
        let Some(waiting_for) = brokers.iter().find_map(waiting_for) else { return Ok(()) };
        let mut running: Vec<_> = brokers.iter().map(Broker::running).collect();
        let servers = running.iter_mut().filter_map(|server| server.as_mut()).chain([&mut *name_server]);
        let mut tails = String::new();
        for server in servers {
            let log_tails = server.log_tails();
            if let Some(reason) = server.ended() {
                return Err(BootFailure { port_taken: log_tails.contains("ddress already in use"), reason });
            }
            tails.push_str(&log_tails);
        }
        if started.elapsed() > BOOT_DEADLINE {
            let reason = format!("waited {BOOT_DEADLINE:?} in vain for the Apache {waiting_for}{tails}");
            return Err(BootFailure { port_taken: false, reason });
        }
        park_timeout(POLL_INTERVAL);
    }
}

impl Broker {
    /// The part that is not ready yet.
    pub(crate) fn waiting_for(&self, name_server_addr: &str, ready: Ready) -> Option<&'static str> {
        let route = wire::route(name_server_addr, "TBW102");
        let heartbeat = wire::heartbeat(&self.address, "readiness-probe").map(|answer| answer.code);
        let (knows, answers) = match ready {
            Ready::Serves | Ready::Refuses => {
                let route = route.ok().and_then(|answer| serde_json::from_slice(&answer.body).ok());
                let code = if ready == Ready::Serves { 0 } else { NO_PERMISSION };
                (route.is_some_and(|route| self.is_in(&route)), heartbeat == Ok(code))
            }
            Ready::Listens => (
                route.map(drop) != Err(ErrorKind::ConnectionRefused),
                heartbeat != Err(ErrorKind::ConnectionRefused),
            ),
        };
        match (knows, answers) {
            (false, _) => Some("NameServer to know the broker"),
            (true, false) => Some("broker to answer a heartbeat"),
            (true, true) => None,
        }
    }
}
