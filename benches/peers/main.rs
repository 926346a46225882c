//! This project's part of the comparison with other clients: the server, our client, and frames without a client.
//!
//! `benches/peers/run` builds and starts it, one process for each role, beside the programs of the other clients;
//! docs/performance.md says how to read what it prints.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that went wrong has no other answer")]

mod consume;
mod fill;
mod frames;
mod latencies;
mod load;
mod ours;
mod pulls;
mod serve;

use rocketmq::conf::SerializeType;
use tokio::runtime::{Builder, Runtime};

const USAGE: &str = "arguments: serve BROKERS QUEUES TOPICS | full QUEUES MESSAGES BYTES HEADERS TOPICS | fill NAMESRV QUEUES MESSAGES BYTES \
    | ours NAMESRV HEADERS THREADS [own-thread] | frames BROKER HEADERS";

fn main() {
    // Cargo adds arguments of its own to a benchmark's.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", brokers, queues, topics] => {
            serve::run(
                brokers.parse().expect("a number of brokers"),
                queues.parse().expect("a number of queues"),
                topics.parse().expect("a number of topics"),
            );
        }
        ["full", queues, messages, bytes, headers, topics] => serve::full(
            queues.parse().expect("a number of queues"),
            messages.parse().expect("a number of messages"),
            bytes.parse().expect("a number of bytes"),
            header_type(headers),
            topics.parse().expect("a number of topics"),
        ),
        ["fill", name_server, queues, messages, bytes] => runtime(2).block_on(fill::run(
            name_server,
            queues.parse().expect("a number of queues"),
            messages.parse().expect("a number of messages"),
            bytes.parse().expect("a number of bytes"),
        )),
        ["ours", name_server, headers, threads, ref rest @ ..] => {
            let threads = threads.parse().expect("a number of threads");
            let own_thread = *rest == ["own-thread"];
            runtime(threads).block_on(ours::run(name_server, header_type(headers), own_thread));
        }
        ["frames", broker, headers] => runtime(2).block_on(frames::run(broker, header_type(headers))),
        // A run without arguments, as of `cargo bench`, measures nothing.
        _ => println!("{USAGE}"),
    }
}

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("a runtime")
}

fn header_type(name: &str) -> SerializeType {
    match name {
        "binary" => SerializeType::RocketMq,
        "json" => SerializeType::Json,
        other => panic!("headers are binary or json, not {other}"),
    }
}
