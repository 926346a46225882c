//! The servers of a measurement, in a process of their own: what is measured is the client alone.
//!
//! The process is this same executable again, told by an environment variable to serve. It ends with the handle,
//! also in a panic, and when its standard input closes, so that it never outlives the measurement.

use std::future::pending;
use std::io::{BufRead, BufReader, copy, sink, stdin};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio, exit};
use std::thread;

use rocketmq_namesrv_mock::MockCluster;
use tokio::runtime;

/// A topic that exists, with four queues on the one broker.
pub(crate) const TOPIC: &str = "Bench";

const SERVE: &str = "ROCKETMQ_BENCH_SERVE";
/// What the line with the addresses begins with; the harness of a test may print lines of its own.
const SERVING: &str = "serving ";

/// A NameServer and a broker that answer sends and store nothing.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) name_server_addr: String,
    pub(crate) broker_addr: SocketAddr,
}

impl ServerProcess {
    /// Starts this executable with arguments that lead it to [`serve_if_told`].
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let this = std::env::current_exe().expect("the path of this executable");
        let mut child = Command::new(this)
            .args(arguments)
            .env(SERVE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process of this executable");
        let said = child.stdout.take().expect("its output is a pipe");
        let serving = BufReader::new(said)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(SERVING).map(str::to_owned));
        let serving = serving.expect("the server process ended before it served; what it said is above");
        let (name_server, broker) = serving.split_once(' ').expect("two addresses");
        let broker_addr = broker.parse().expect("the address of a broker");
        Self { child, name_server_addr: name_server.to_owned(), broker_addr }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the process is ended, if this is the server process; otherwise returns at once.
pub(crate) fn serve_if_told() {
    if std::env::var_os(SERVE).is_none() {
        return;
    }
    thread::spawn(|| {
        let _ = copy(&mut stdin(), &mut sink());
        exit(0);
    });
    // One thread is what serves one connection best.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let builder = MockCluster::builder().discard_messages(true).captured_requests(0);
        let cluster = builder.start().await.expect("free ports");
        cluster.create_topic(TOPIC, 4).expect("a legal topic");
        let broker = cluster.broker_addr("broker-a").expect("the only broker");
        // A line of its own, whatever the harness of a test has printed before.
        println!("\n{SERVING}{} {broker}", cluster.name_server_addr());
        pending::<()>().await;
    });
}
