//! `Producer::send` from call to result, against servers in a process of their own that store nothing.
//!
//! `cargo bench -p rocketmq-benches --bench send` lets criterion report the throughput of each load. It then prints a
//! table with CPU time and latencies, beside the limit of the machine for frames without a client. With the argument
//! `table` it prints only the table; any other argument goes to criterion, which then runs alone.

#![allow(clippy::expect_used, reason = "a measurement that went wrong has no other answer")]

mod baseline;
mod client;
mod run;
mod table;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use rocketmq::conf::SerializeType;
use rocketmq::producer::Producer;
use rocketmq_benches::process::ServerProcess;
use rocketmq_benches::server::serve_if_told;
use run::{Measured, Until};
use table::Row;
use tokio::runtime::{self, Runtime};

const IN_FLIGHT: [usize; 3] = [1, 64, 1000];
/// Runs of each row of the table, and their length.
const RUNS: usize = 5;
const RUN: Duration = Duration::from_millis(400);

fn main() {
    serve_if_told();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let benching = std::env::args().any(|argument| argument == "--bench");
    let server = ServerProcess::start(&[]);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let loads = runtime.block_on(Loads::new(&server));

    if arguments != ["table"] {
        throughput(&runtime, &loads);
    }
    if benching && (arguments.is_empty() || arguments == ["table"]) {
        table::print(&measure_rows(&runtime, &loads));
    }
    runtime.block_on(loads.shutdown());
}

/// All loads.
struct Loads {
    broker: SocketAddr,
    binary: Producer,
    json: Producer,
}

#[derive(Debug, Clone, Copy)]
enum Load {
    Frames,
    Binary,
    Json,
}

impl Load {
    const ALL: [Self; 3] = [Self::Frames, Self::Binary, Self::Json];

    fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Binary => "binary",
            Self::Json => "json",
        }
    }
}

impl Loads {
    async fn new(server: &ServerProcess) -> Self {
        let address = &server.name_server_addr;
        Self {
            broker: server.broker_addr,
            binary: client::producer(address, SerializeType::RocketMq).await,
            json: client::producer(address, SerializeType::Json).await,
        }
    }

    async fn run(&self, load: Load, in_flight: usize, until: Until) -> Measured {
        match load {
            Load::Frames => baseline::run(self.broker, in_flight, until).await,
            Load::Binary => client::run(&self.binary, in_flight, until).await,
            Load::Json => client::run(&self.json, in_flight, until).await,
        }
    }

    async fn shutdown(self) {
        for producer in [self.binary, self.json] {
            producer.shutdown().await.expect("it was started");
        }
    }
}

fn throughput(runtime: &Runtime, loads: &Loads) {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .sample_size(20)
        .nresamples(10_000)
        .configure_from_args();
    let mut group = criterion.benchmark_group("send");
    group.throughput(Throughput::Elements(1)).sampling_mode(SamplingMode::Flat);
    for in_flight in IN_FLIGHT {
        for load in Load::ALL {
            group.bench_function(BenchmarkId::new(load.name(), in_flight), |bencher| {
                bencher.iter_custom(|messages| {
                    runtime.block_on(loads.run(load, in_flight, Until::Count(messages))).elapsed
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
}

fn measure_rows(runtime: &Runtime, loads: &Loads) -> Vec<Row> {
    let kinds: Vec<(usize, Load)> =
        IN_FLIGHT.iter().flat_map(|in_flight| Load::ALL.map(|load| (*in_flight, load))).collect();
    let mut rows: Vec<Row> =
        kinds.iter().map(|(in_flight, load)| Row::new(*in_flight, load.name())).collect();
    // In turns, so that other work of the machine affects all rows alike.
    for _ in 0..RUNS {
        for (row, (in_flight, load)) in rows.iter_mut().zip(&kinds) {
            let until = Until::Time(Instant::now() + RUN);
            row.add(runtime.block_on(loads.run(*load, *in_flight, until)));
        }
    }
    rows
}
