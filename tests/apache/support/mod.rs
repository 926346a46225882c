//! Apache's NameServer and broker on free loopback ports, for as long as the test process lives.

mod ports;
pub(crate) mod process;
pub(crate) mod wire;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use process::Server;

/// Generous: a cold machine with two busy cores. A boot takes about five seconds.
const BOOT_DEADLINE: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Another process may take a port between its choice and the server's bind.
const BOOT_ATTEMPTS: u32 = 3;

/// What a broker with ACL answers to a stranger.
const NO_PERMISSION: i64 = 16;

const NAME_SERVER_HEAP: &[&str] = &["-Xms64m", "-Xmx512m", "-XX:MaxDirectMemorySize=256m"];
const BROKER_HEAP: &[&str] = &["-Xms256m", "-Xmx1g", "-XX:MaxDirectMemorySize=1g"];

/// One NameServer and one broker (`broker-a` of `DefaultCluster`, auto-create on, SQL92 filters on, timers on).
///
/// Both are killed when the value is dropped and, whatever happens to the test process, when that process ends.
#[derive(Debug)]
pub(crate) struct ApacheCluster {
    // Dropped in this order: a broker that outlives its NameServer only fills its log.
    _broker: Server,
    _name_server: Server,
    name_server_addr: String,
    broker_addr: String,
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
    /// As [`start`](Self::start).
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

    /// `127.0.0.1:PORT`, as a client wants it for its name server address.
    pub(crate) fn name_server_addr(&self) -> &str {
        &self.name_server_addr
    }

    /// `127.0.0.1:PORT`, as the broker registers itself.
    pub(crate) fn broker_addr(&self) -> &str {
        &self.broker_addr
    }
}

/// How a cluster of one's own is started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Boot<'a> {
    /// Lines for the broker's configuration file, which win over those that every broker has.
    pub(crate) broker_conf: &'a str,
    /// Properties of both JVMs, such as `-Dtls.server.mode=enforcing`.
    pub(crate) java_properties: &'a [String],
    /// When it is up.
    pub(crate) ready: Ready,
}

/// How a cluster shows that it is up, to one who comes without key and in plain text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ready {
    /// The NameServer knows the broker (it answers the route of `TBW102`, which a broker with auto-create registers),
    /// and the broker answers a heartbeat.
    #[default]
    Serves,
    /// The same, but the broker refuses the heartbeat: ACL.
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
    let (name_server_port, broker_port) = ports::free();
    let name_server_addr = format!("127.0.0.1:{name_server_port}");
    let broker_addr = format!("127.0.0.1:{broker_port}");
    let home = fresh_home();

    let conf = format!("listenPort={name_server_port}\nbindAddress=127.0.0.1\n");
    let class = "org.apache.rocketmq.namesrv.NamesrvStartup";
    let flags = |heap: &[&str]| -> Vec<String> {
        heap.iter().map(|flag| (*flag).to_owned()).chain(boot.java_properties.iter().cloned()).collect()
    };
    let name_server = Server::start(&home, "namesrv", class, lib, &flags(NAME_SERVER_HEAP), &conf);
    let conf = broker_configuration(&home, &name_server_addr, broker_port) + boot.broker_conf;
    let class = "org.apache.rocketmq.broker.BrokerStartup";
    let broker = Server::start(&home, "broker", class, lib, &flags(BROKER_HEAP), &conf);

    let mut cluster =
        ApacheCluster { _broker: broker, _name_server: name_server, name_server_addr, broker_addr };
    wait_until_ready(&mut cluster, boot.ready, started)?;
    eprintln!(
        "apache: NameServer {} and broker {} up after {:.1} s, logs in {}",
        cluster.name_server_addr,
        cluster.broker_addr,
        started.elapsed().as_secs_f32(),
        home.display()
    );
    Ok(cluster)
}

fn broker_configuration(home: &Path, name_server_addr: &str, port: u16) -> String {
    let store = home.join("store");
    let store = store.display();
    format!(
        "brokerClusterName=DefaultCluster\n\
         brokerName=broker-a\n\
         brokerId=0\n\
         brokerIP1=127.0.0.1\n\
         bindAddress=127.0.0.1\n\
         listenPort={port}\n\
         haListenPort={ha_port}\n\
         namesrvAddr={name_server_addr}\n\
         storePathRootDir={store}\n\
         storePathCommitLog={store}/commitlog\n\
         mappedFileSizeCommitLog=134217728\n\
         autoCreateTopicEnable=true\n\
         enablePropertyFilter=true\n\
         timerWheelEnable=true\n",
        ha_port = port + 1,
    )
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

fn wait_until_ready(cluster: &mut ApacheCluster, ready: Ready, started: Instant) -> Result<(), BootFailure> {
    loop {
        let Some(waiting_for) = waiting_for(cluster, ready) else { return Ok(()) };
        for server in [&mut cluster._name_server, &mut cluster._broker] {
            if let Some(reason) = server.ended() {
                return Err(BootFailure {
                    port_taken: server.log_tails().contains("ddress already in use"),
                    reason,
                });
            }
        }
        if started.elapsed() > BOOT_DEADLINE {
            let tails = cluster._name_server.log_tails() + &cluster._broker.log_tails();
            let reason = format!("waited {BOOT_DEADLINE:?} in vain for the Apache {waiting_for}{tails}");
            return Err(BootFailure { port_taken: false, reason });
        }
        park_timeout(POLL_INTERVAL);
    }
}

/// What is not ready yet.
fn waiting_for(cluster: &ApacheCluster, ready: Ready) -> Option<&'static str> {
    let route = wire::route(&cluster.name_server_addr, "TBW102").map(|answer| answer.code);
    let heartbeat = wire::heartbeat(&cluster.broker_addr, "readiness-probe").map(|answer| answer.code);
    let (knows, answers) = match ready {
        Ready::Serves => (route == Ok(0), heartbeat == Ok(0)),
        Ready::Refuses => (route == Ok(0), heartbeat == Ok(NO_PERMISSION)),
        Ready::Listens => {
            (route != Err(ErrorKind::ConnectionRefused), heartbeat != Err(ErrorKind::ConnectionRefused))
        }
    };
    match (knows, answers) {
        (false, _) => Some("NameServer to know the broker"),
        (true, false) => Some("broker to answer a heartbeat"),
        (true, true) => None,
    }
}
