use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::{Home, Server, ports};

const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";
/// What a client of AMQP 0-9-1 says first.
const PROTOCOL: &[u8] = b"AMQP\0\0\x09\x01";

/// RabbitMQ, one node, nothing but AMQP.
#[derive(Debug)]
pub(crate) struct RabbitMq {
    server: Option<Server>,
    /// The register of nodes, which RabbitMQ would start as a daemon that stays.
    _epmd: Server,
    home: Home,
    port: u16,
    tls_port: Option<u16>,
    distribution_port: u16,
    epmd_port: u16,
}

impl RabbitMq {
    /// Starts it, and returns when it answers.
    pub(crate) fn start() -> Self {
        Self::start_in(Home::new("rabbitmq"), None)
    }

    /// As [`start`](Self::start); it also speaks TLS, at a port of its own, with this certificate and key (PEM).
    #[allow(dead_code, reason = "rocketmq-event/tests/tls starts it")]
    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> Self {
        let home = Home::new("rabbitmq");
        home.write("certificate.pem", certificate);
        home.write("key.pem", key);
        let [tls_port] = ports();
        Self::start_in(home, Some(tls_port))
    }

    fn start_in(home: Home, tls_port: Option<u16>) -> Self {
        let program = Path::new(SCRIPTS).join("rabbitmq-server");
        assert!(program.exists(), "no {}: run .ci/servers first", program.display());
        let [port, distribution_port, epmd_port] = ports();
        let tls = tls_port.map(|port| {
            let file = |name: &str| home.0.join(name).display().to_string();
            let (certificate, key) = (file("certificate.pem"), file("key.pem"));
            format!(
                "listeners.ssl.default = 127.0.0.1:{port}\n\
                 ssl_options.certfile = {certificate}\n\
                 ssl_options.keyfile = {key}\n\
                 ssl_options.verify = verify_none\n"
            )
        });
        home.write("enabled_plugins", "[].\n");
        home.write(
            "rabbitmq.conf",
            &format!(
                "listeners.tcp.default = 127.0.0.1:{port}\n\
                 log.console = false\n\
                 log.file.level = warning\n\
                 disk_free_limit.absolute = 50MB\n\
                 vm_memory_high_watermark.absolute = 1GB\n\
                 raft.wal_max_size_bytes = 33554432\n{tls}",
                tls = tls.unwrap_or_default()
            ),
        );
        let mut epmd = Command::new("epmd");
        epmd.args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
        let epmd = Server::start(&epmd, &home.0.join("epmd.log"));
        let mut rabbitmq =
            Self { server: None, _epmd: epmd, home, port, tls_port, distribution_port, epmd_port };
        rabbitmq.restart();
        rabbitmq
    }

    /// `amqp://127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("amqp://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    #[allow(dead_code, reason = "rocketmq-event/tests/tls connects there")]
    pub(crate) fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// Waits until the directory of quorum queues is on the disk. RabbitMQ 3.10 writes it half a second late: when it is killed before, a
    /// queue that it had declared is gone, with the events that it had confirmed.
    pub(crate) fn wait_until_queues_are_written(&self) {
        let quorum = self.home.0.join("mnesia/events@localhost/quorum/events@localhost");
        let is_written = || -> std::io::Result<bool> {
            let names = std::fs::read(quorum.join("names.dets"))?;
            let names = String::from_utf8_lossy(&names).into_owned();
            let mut queues = std::fs::read_dir(&quorum)?.filter_map(Result::ok);
            Ok(queues.all(|queue| {
                let is_queue = queue.file_type().is_ok_and(|kind| kind.is_dir());
                !is_queue || names.contains(&*queue.file_name().to_string_lossy())
            }))
        };
        let started = Instant::now();
        while !is_written().unwrap_or(false) {
            assert!(started.elapsed() < Duration::from_secs(60), "RabbitMQ does not write its queues down");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Ends it with SIGKILL. Its store stays.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it with what it stored, after a kill if it runs, and returns when it answers.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let started = Instant::now();
        let mut command = self.command("rabbitmq-server");
        // The script then becomes the server, so that the kill reaches it.
        command.env("RUNNING_UNDER_SYSTEMD", "true");
        let mut server = Server::start(&command, &self.home.0.join("server.log"));
        server.wait_until_it_answers(self.port, PROTOCOL);
        eprintln!("servers: RabbitMQ on port {} up after {:.1?}", self.port, started.elapsed());
        self.server = Some(server);
    }

    /// Has the server close all connections of clients.
    pub(crate) fn close_all_connections(&self) {
        let mut command = self.command("rabbitmqctl");
        let done = command.args(["--quiet", "close_all_connections", "the test says so"]).status();
        assert!(done.expect("start rabbitmqctl").success(), "rabbitmqctl failed");
    }

    fn command(&self, script: &str) -> Command {
        let home = &self.home.0;
        let mut command = Command::new(Path::new(SCRIPTS).join(script));
        command
            // The cookie of the node lies there.
            .env("HOME", home)
            .env("RABBITMQ_NODENAME", "events@localhost")
            .env("RABBITMQ_MNESIA_BASE", home.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf"))
            .env("RABBITMQ_PID_FILE", home.join("pid"))
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none -start_epmd false",
            );
        command
    }
}
