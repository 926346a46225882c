//! The server of all clients: NameServer and brokers that answer sends at once and store nothing.

use std::future::pending;
use std::io::{copy, sink, stdin};
use std::process::exit;
use std::thread;

use rocketmq_namesrv_mock::MockCluster;
use tokio::runtime::Builder;

use crate::load::TOPIC;

/// Serves until standard input closes. Prints the addresses of the NameServer and of the first broker.
pub(crate) fn run(brokers: usize, queues: u32, count: usize) {
    thread::spawn(|| {
        let _ = copy(&mut stdin(), &mut sink());
        exit(0);
    });
    // One thread is what serves one connection best.
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let builder = MockCluster::builder().brokers(brokers).discard_messages(true).captured_requests(0);
        let cluster = builder.start().await.expect("free ports");
        for topic in topics(count) {
            cluster.create_topic(&topic, queues).expect("a legal topic");
        }
        let broker = cluster.broker_addr("broker-a").expect("the first broker");
        println!("{} {broker}", cluster.name_server_addr());
        pending::<()>().await;
    });
}

/// So many topics: `Bench`, `Bench1`, `Bench2` …
pub(crate) fn topics(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| if number == 0 { TOPIC.to_owned() } else { format!("{TOPIC}{number}") })
}
