//! The server of all clients: NameServer and brokers that answer sends at once and store nothing.

use rocketmq_benches::process::serve_until_stdin_closes;
use rocketmq_benches::server::DiscardingServers;

use crate::load::TOPIC;

/// Serves until standard input closes. Prints the addresses of the NameServer and of the first broker.
pub(crate) fn run(brokers: usize, queues: u32, count: usize) {
    serve_until_stdin_closes(async {
        let servers = DiscardingServers::start(brokers, queues, topics(count).collect()).await;
        let servers = servers.expect("free ports");
        println!("{} {}", servers.name_server_addr(), servers.broker_addrs()[0]);
        servers
    });
}

/// `count` topics: `Bench`, `Bench1`, `Bench2` …
pub(crate) fn topics(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| if number == 0 { TOPIC.to_owned() } else { format!("{TOPIC}{number}") })
}
