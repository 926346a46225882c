//! The servers of all clients: NameServer and brokers that answer sends at once and store nothing, and the mock, full of
//! messages for consumers.

use rocketmq::conf::SerializeType;
use rocketmq_benches::process::serve_until_stdin_closes;
use rocketmq_benches::server::DiscardingServers;
use rocketmq_namesrv_mock::MockCluster;

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

/// Serves topics from memory. The number of messages is that of all queues of all topics together.
pub(crate) fn full(queues: u32, messages: u32, bytes: usize, headers: SerializeType, count: u32) {
    serve_until_stdin_closes(async {
        let builder =
            MockCluster::builder().captured_requests(0).serialize_type(headers).store_limit(4 << 30);
        let cluster = builder.start().await.expect("free ports");
        for topic in topics(count as usize) {
            let each = messages / queues / count;
            cluster.preload(&topic, queues, each, &vec![b'x'; bytes]).expect("a legal topic");
        }
        println!(
            "{} {}",
            cluster.name_server_addr(),
            cluster.broker_addr("broker-a").expect("the only broker")
        );
        cluster
    });
}

/// `count` topics: `Bench`, `Bench1`, `Bench2` …
pub(crate) fn topics(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| if number == 0 { TOPIC.to_owned() } else { format!("{TOPIC}{number}") })
}
