//! The table that a full run prints after criterion's own report.

use std::time::Duration;

use super::run::{Latencies, Measured};

/// The figures of one row, from several runs.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) in_flight: usize,
    pub(crate) what: &'static str,
    runs: Vec<Figures>,
}

/// The figures of one run: messages per second, and microseconds.
#[derive(Debug, Clone, Copy)]
struct Figures {
    rate: f64,
    cpu: Option<f64>,
    p50: f64,
    p99: f64,
}

impl Row {
    pub(crate) fn new(in_flight: usize, what: &'static str) -> Self {
        Self { in_flight, what, runs: Vec::new() }
    }

    pub(crate) fn add(&mut self, mut measured: Measured) {
        let count = measured.latencies.len().max(1) as f64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / count;
        self.runs.push(Figures {
            rate: count / measured.elapsed.as_secs_f64(),
            cpu: measured.cpu.map(micros),
            p50: percentile(&mut measured.latencies, 50),
            p99: percentile(&mut measured.latencies, 99),
        });
    }

    fn median(&self, figure: impl Fn(&Figures) -> f64) -> f64 {
        let mut values: Vec<f64> = self.runs.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Prints all rows; within each number in flight, rows are compared with the first.
pub(crate) fn print(rows: &[Row]) {
    let runs = rows.first().map_or(0, |row| row.runs.len());
    println!(
        "\nMedians of {runs} runs, rows taking turns; latencies and CPU time in µs, CPU of this process.\n"
    );
    println!("| in flight | what | msg/s | CPU/msg | p50 | p99 | rate, of frames | CPU, of frames |");
    println!("|---:|---|---:|---:|---:|---:|---:|---:|");
    for group in rows.chunk_by(|a, b| a.in_flight == b.in_flight) {
        for row in group {
            print_row(row, &group[0]);
        }
    }
}

fn print_row(row: &Row, base: &Row) {
    let cpu = |row: &Row| row.median(|run| run.cpu.unwrap_or(f64::NAN));
    let rate = |row: &Row| row.median(|run| run.rate);
    println!(
        "| {} | {} | {:.0} | {} | {:.1} | {:.1} | {:.2} | {} |",
        row.in_flight,
        row.what,
        rate(row),
        known(cpu(row)),
        row.median(|run| run.p50),
        row.median(|run| run.p99),
        rate(row) / rate(base),
        known(cpu(row) / cpu(base)),
    );
}

/// CPU time is not known everywhere.
fn known(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { "n/a".to_owned() }
}

/// A percentile in microseconds.
fn percentile(latencies: &mut Latencies, percent: usize) -> f64 {
    let rank = latencies.len() * percent / 100;
    if rank >= latencies.len() {
        return f64::NAN;
    }
    let (_, nanos, _) = latencies.select_nth_unstable(rank);
    f64::from(*nanos) / 1000.0
}
