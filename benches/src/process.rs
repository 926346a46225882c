//! The servers of a measurement, in a process of their own: only the client is measured.
//!
//! The measuring executable starts itself again; an environment variable tells the new process to serve. That process
//! ends with its handle, even in a panic, and when its standard input closes: it never outlives the measurement.

use std::future::pending;
use std::io::{BufRead, BufReader, copy, sink, stdin};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio, exit};
use std::thread;

use tokio::runtime;

/// A topic that exists, with four queues on the one broker.
pub const TOPIC: &str = "Bench";

const SERVE: &str = "ROCKETMQ_BENCH_SERVE";
/// The start of the line with the addresses: a test harness may print other lines.
const SERVING: &str = "serving ";

/// A NameServer and a broker in another process.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    /// The address of the NameServer.
    pub name_server_addr: String,
    /// The address of the broker.
    pub broker_addr: SocketAddr,
}

impl ServerProcess {
    /// Starts this executable again, with arguments that lead it to [`serve_if_told`].
    ///
    /// # Panics
    /// When the process cannot be started, or ends before it serves.
    pub fn start(arguments: &[&str]) -> Self {
        let this = std::env::current_exe().expect("the path of this executable");
        let mut child = Command::new(this)
            .args(arguments)
            .env(SERVE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process of this executable");
        let said = child.stdout.take().expect("its output is a pipe");
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let serving = lines.find_map(|line| line.strip_prefix(SERVING).map(str::to_owned));
        // Reads the rest of the output: a test harness ends its process when a write to its output fails.
        thread::spawn(move || lines.for_each(drop));
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

/// Serves until the process is ended, if this is the server process; otherwise returns at once. `start` starts the
/// servers, which run until they are dropped, and returns the addresses of the NameServer and the broker beside them.
///
/// # Panics
/// When there is no runtime to be had.
pub fn serve_if_told<S>(start: impl Future<Output = (S, String, SocketAddr)>) {
    if std::env::var_os(SERVE).is_none() {
        return;
    }
    serve_until_stdin_closes(async {
        let (servers, name_server, broker) = start.await;
        // Start a new line: a test harness may have printed a part of one.
        println!("\n{SERVING}{name_server} {broker}");
        servers
    });
}

/// Runs what `start` returns until standard input closes, and ends the process.
///
/// # Panics
/// When there is no runtime to be had.
pub fn serve_until_stdin_closes<S>(start: impl Future<Output = S>) {
    thread::spawn(|| {
        let _ = copy(&mut stdin(), &mut sink());
        exit(0);
    });
    // A single thread serves one connection best.
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let _servers = start.await;
        pending::<()>().await;
    });
}
