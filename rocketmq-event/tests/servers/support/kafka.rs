use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::process::{Home, Server, ports, target};

/// Short-lived: starting fast matters more than peak speed.
const FLAGS: &[&str] =
    &["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
const CLUSTER: &str = "cm9ja2V0bXEtZXZlbnRzIQ";
/// A request for ApiVersions, version 0: length, key 18, version 0, correlation 1, no client id.
const API_VERSIONS: &[u8] = &[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];

/// Kafka, one process that is broker and controller.
#[derive(Debug)]
pub(crate) struct Kafka {
    server: Option<Server>,
    home: Home,
    port: u16,
    tls_port: Option<u16>,
}

impl Kafka {
    /// Starts it, and returns when it answers.
    pub(crate) fn start() -> Self {
        let [port] = ports();
        Self::start_at(port, port, None)
    }

    /// As [`start`](Self::start); it also speaks TLS, at a port of its own, with this certificate and key (PEM).
    #[allow(dead_code, reason = "rocketmq-event/tests/tls starts it")]
    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> Self {
        let [port, tls_port] = ports();
        Self::start_at(port, port, Some((tls_port, format!("{key}{certificate}"))))
    }

    /// As [`start`](Self::start); it tells clients this port, which has to lead to its own.
    pub(crate) fn start_behind(told: u16) -> Self {
        let [port] = ports();
        Self::start_at(port, told, None)
    }

    fn start_at(port: u16, told: u16, tls: Option<(u16, String)>) -> Self {
        let home = Home::new("kafka");
        let tls_port = tls.as_ref().map(|(port, _)| *port);
        let at_tls = tls_port.map(|port| format!(",SSL://127.0.0.1:{port}")).unwrap_or_default();
        let keys = tls.map(|(_, keys)| {
            let store = home.write("keys.pem", &keys);
            format!("ssl.keystore.type=PEM\nssl.keystore.location={}\n", store.display())
        });
        let [controller] = ports();
        home.write(
            "server.properties",
            &format!(
                "process.roles=broker,controller\n\
                 node.id=1\n\
                 controller.quorum.voters=1@127.0.0.1:{controller}\n\
                 listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{at_tls}\n\
                 advertised.listeners=PLAINTEXT://127.0.0.1:{told}{at_tls}\n\
                 listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
                 controller.listener.names=CONTROLLER\n\
                 inter.broker.listener.name=PLAINTEXT\n\
                 log.dirs={store}\n\
                 offsets.topic.replication.factor=1\n\
                 offsets.topic.num.partitions=4\n\
                 transaction.state.log.replication.factor=1\n\
                 transaction.state.log.min.isr=1\n\
                 transaction.state.log.num.partitions=4\n\
                 share.coordinator.state.topic.replication.factor=1\n\
                 share.coordinator.state.topic.min.isr=1\n\
                 group.initial.rebalance.delay.ms=0\n\
                 auto.create.topics.enable=false\n\
                 num.partitions=4\n\
                 log.cleaner.dedupe.buffer.size=2097152\n\
                 num.network.threads=2\n\
                 num.io.threads=2\n{keys}",
                keys = keys.unwrap_or_default(),
                store = home.0.join("store").display(),
            ),
        );
        let mut format = java("kafka.tools.StorageTool");
        format.args(["format", "-t", CLUSTER, "-c"]).arg(home.0.join("server.properties"));
        let formatted = format.output().expect("start a JVM: install JDK 17, or set JAVA_HOME");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let mut kafka = Self { server: None, home, port, tls_port };
        kafka.restart();
        kafka
    }

    /// `kafka://127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("kafka://127.0.0.1:{}", self.port)
    }

    /// CloudEvents' SDK for Java: `java/CloudEvents.java`.
    pub(crate) fn cloud_events(&self, writes: &str, reads: &str) -> Command {
        let mut command = java(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/java/CloudEvents.java"));
        command.args([&format!("127.0.0.1:{}", self.port), writes, reads]);
        command
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    #[allow(dead_code, reason = "rocketmq-event/tests/tls connects there")]
    pub(crate) fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// Ends it with SIGKILL. Its store stays.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it with what it stored, after a kill if it runs, and returns when it answers.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let started = Instant::now();
        let mut command = java("kafka.Kafka");
        command.arg(self.home.0.join("server.properties"));
        let mut server = Server::start(&command, &self.home.0.join("server.log"));
        server.wait_until_it_answers(self.port, API_VERSIONS);
        eprintln!("servers: Kafka on port {} up after {:.1?}", self.port, started.elapsed());
        self.server = Some(server);
    }
}

fn java(class: &str) -> Command {
    let lib = target().join("kafka/lib");
    assert!(lib.join(".complete").is_file(), "no jars in {}: run .ci/servers first", lib.display());
    let program = match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    };
    let mut command = Command::new(program);
    command.args(FLAGS).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    command.arg("-cp").arg(lib.join("*")).arg(class);
    command
}
