//! Allocations of the client. Counted, not timed, so the limits hold on any machine.
//!
//! A binary of its own: its allocator counts for the whole process. For the same reason each test that counts waits
//! for its [`TURN`], and the servers of `sends`, `consumes` and `idle` run in another process.
//!
//! - `sends`: allocations of a send, and the size of its future
//! - `consumes`: allocations of a consumed message
//! - `idle`: memory of a queue without messages
//! - `soak`: a group for a minute or more; its test is ignored and run by `.ci/soak`
//! - `hostile_lengths`: memory stays small whatever length a peer claims

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test's peers are tasks of their own")]

mod consumes;
mod hostile_lengths;
mod idle;
#[path = "../it/peer.rs"]
#[expect(dead_code, reason = "`tests/it` uses the rest")]
mod peer;
mod sends;
#[path = "../../benches/src/process.rs"]
#[expect(dead_code, unreachable_pub, reason = "the benchmarks use all of it, from another crate")]
mod server_process;
mod soak;
#[path = "../it/hostile_peers/support.rs"]
mod support;

use std::alloc::System;

use rocketmq_namesrv_mock::MockCluster;
use server_process::{TOPIC, serve_if_told};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::Mutex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held by each test that counts.
static TURN: Mutex<()> = Mutex::const_new(());

#[test]
#[ignore = "not a test: the server process that `sends` starts"]
fn serve() {
    serve_if_told(async {
        let builder = MockCluster::builder().captured_requests(0).memory_limit(1 << 20);
        let cluster = builder.start().await.expect("free ports");
        cluster.create_topic(TOPIC, 4).expect("a legal topic");
        let broker = cluster.broker_addr("broker-a").expect("the only broker");
        let name_server = cluster.name_server_addr();
        (cluster, name_server, broker)
    });
}
