use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::process::{Home, Server, ports, target};

/// Short-lived: starting fast matters more than peak speed. The rest opens parts of the JDK for Apache's code.
const FLAGS: &[&str] = &[
    "-Xms128m",
    "-Xmx768m",
    "-XX:MaxDirectMemorySize=768m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// Apache RocketMQ: a NameServer and a broker.
#[derive(Debug)]
pub(crate) struct RocketMq {
    broker: Option<Server>,
    _name_server: Server,
    home: Home,
    port: u16,
    broker_port: u16,
}

impl RocketMq {
    /// Starts both, and returns when both answer. The broker registers at the NameServer within seconds.
    pub(crate) fn start() -> Self {
        let started = Instant::now();
        let home = Home::new("rocketmq");
        let [port, broker_port] = ports();
        let store = home.0.join("store");
        home.write("namesrv.conf", &format!("listenPort={port}\nbindAddress=127.0.0.1\n"));
        home.write(
            "broker.conf",
            &format!(
                "brokerClusterName=DefaultCluster\n\
                 brokerName=broker-a\n\
                 brokerId=0\n\
                 brokerIP1=127.0.0.1\n\
                 brokerIP2=127.0.0.1\n\
                 bindAddress=127.0.0.1\n\
                 listenPort={broker_port}\n\
                 haListenPort={ha_port}\n\
                 namesrvAddr=127.0.0.1:{port}\n\
                 storePathRootDir={store}\n\
                 storePathCommitLog={store}/commitlog\n\
                 mappedFileSizeCommitLog=134217728\n\
                 autoCreateTopicEnable=true\n",
                ha_port = broker_port + 1,
                store = store.display(),
            ),
        );
        let mut name_server = start("org.apache.rocketmq.namesrv.NamesrvStartup", &home, "namesrv");
        // The route of a topic that nobody has.
        name_server.wait_until_it_answers(port, &request(105, r#"{"topic":"none"}"#));
        let mut rocketmq = Self { broker: None, _name_server: name_server, home, port, broker_port };
        rocketmq.restart();
        eprintln!("servers: RocketMQ on port {port} up after {:.1?}", started.elapsed());
        rocketmq
    }

    /// Ends the broker with SIGKILL. Its store stays, and so does the NameServer.
    pub(crate) fn kill(&mut self) {
        self.broker = None;
    }

    /// Starts the broker with what it stored, and returns when it answers.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let mut broker = start("org.apache.rocketmq.broker.BrokerStartup", &self.home, "broker");
        // Its figures.
        broker.wait_until_it_answers(self.broker_port, &request(28, "{}"));
        self.broker = Some(broker);
    }

    /// The ports of the NameServer and of the broker.
    pub(crate) fn ports(&self) -> [u16; 2] {
        [self.port, self.broker_port]
    }

    /// The address of the NameServer.
    pub(crate) fn name_server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn start(class: &str, home: &Home, name: &str) -> Server {
    let lib = target().join("apache/lib");
    assert!(lib.join(".complete").is_file(), "no jars in {}: run apache/fetch first", lib.display());
    let program = match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    };
    let mut command = Command::new(program);
    command.args(FLAGS).arg(format!("-Duser.home={}", home.0.display()));
    command.arg("-cp").arg(lib.join("*")).arg(class).arg("-c").arg(home.0.join(format!("{name}.conf")));
    command.env("ROCKETMQ_HOME", &home.0);
    Server::start(&command, &home.0.join(format!("{name}.log")))
}

/// A command of the remoting protocol with a JSON header.
fn request(code: u16, fields: &str) -> Vec<u8> {
    let header = format!(
        r#"{{"code":{code},"language":"JAVA","version":493,"opaque":1,"flag":0,"extFields":{fields},"serializeTypeCurrentRPC":"JSON"}}"#
    );
    let length = u32::try_from(header.len()).expect("a short header");
    [&(length + 4).to_be_bytes(), &length.to_be_bytes(), header.as_bytes()].concat()
}
