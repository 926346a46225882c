//! The protocol of `benches/peers/run`: loads and reports.
//!
//! One line on standard input is one run, nine words:
//! `MODE IN_FLIGHT BYTES MILLISECONDS RATE BATCH TOPICS MESSAGES QUEUES`.
//! Answered on standard output: by the line `ready` once routes and connections are there, and by one line of JSON at the
//! end. A run that consumes is ready before its consumer starts, so that its CPU counts the start, too; its time is that from
//! the first message to the last.
//! The programs of the other clients keep to the same words.

use std::io::{Write, stdin, stdout};
use std::time::{Duration, Instant};

use crate::latencies::Latencies;

/// The first topic that the server has.
pub(crate) const TOPIC: &str = "Bench";

/// How messages are sent or consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Tasks (threads, in Java) that each wait for their result before they send again.
    Await,
    /// One task that sends with callbacks.
    Callback,
    /// Callbacks at a given rate, whatever the answers do; a latency counts from when the message was due.
    Open,
    /// Tasks that each send batches.
    Batch,
    /// Tasks that each send single messages, which the client puts together.
    AutoBatch,
    /// A listener that handles messages one by one, in any order.
    Concurrently,
    /// A listener that handles up to `batch` messages at a time.
    BatchListener,
    /// A listener that handles the messages of each queue in their order.
    Orderly,
    /// One task that takes messages from a stream and acknowledges each.
    Stream,
    /// One task that takes up to `batch` messages at a time from a stream, and acknowledges each.
    NextBatch,
    /// A pull consumer that is polled, by one task.
    Poll,
    /// A push consumer whose broker hands messages out, 32 at a time, with a listener for one message.
    Pop,
    /// A stream over each queue, without a group, all of them read by one task in turn.
    ReadQueue,
    /// Push consumers of different groups, each of which consumes all messages: as many as are in flight, with 20 handlers each.
    Groups,
    /// Pulls of 32 messages each, encoded in advance, one for each queue at a time. Answers are skipped by their length.
    Pulls,
    /// The same, and the messages are decoded.
    DecodedPulls,
    /// A consumer whose queues are empty, from the moment when all of them are pulled. Its report counts the queues.
    Idle,
    /// Messages sent at a given rate to a listener of the same process; a latency counts from when the message was due.
    Latency,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) mode: Mode,
    /// Sends, or handlers.
    pub(crate) in_flight: usize,
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
    /// Messages per second, of `Mode::Open` and `Mode::Latency`.
    pub(crate) rate: f64,
    /// Messages in a batch.
    pub(crate) batch: usize,
    /// Topics, each of which is sent to in turn, or consumed.
    pub(crate) topics: usize,
    /// Messages that the topics have, of a run that consumes all of them.
    pub(crate) messages: u64,
    /// Queues of a topic.
    pub(crate) queues: usize,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Latencies,
    pub(crate) failed: u64,
}

impl Load {
    /// The next run, or `None` at the end of the input. Blocks: there is nothing else to do.
    pub(crate) fn next() -> Option<Self> {
        let mut line = String::new();
        stdin().read_line(&mut line).expect("standard input");
        if line.trim().is_empty() {
            return None;
        }
        Some(Self::parse(&line).expect("a line of nine words, as benches/peers/run writes it"))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let mode = match words.next()? {
            "await" => Mode::Await,
            "callback" => Mode::Callback,
            "open" => Mode::Open,
            "batch" => Mode::Batch,
            "auto_batch" => Mode::AutoBatch,
            "concurrently" => Mode::Concurrently,
            "batch_listener" => Mode::BatchListener,
            "orderly" => Mode::Orderly,
            "stream" => Mode::Stream,
            "next_batch" => Mode::NextBatch,
            "poll" => Mode::Poll,
            "pop" => Mode::Pop,
            "read_queue" => Mode::ReadQueue,
            "groups" => Mode::Groups,
            "pulls" => Mode::Pulls,
            "decoded_pulls" => Mode::DecodedPulls,
            "idle" => Mode::Idle,
            "latency" => Mode::Latency,
            _ => return None,
        };
        Some(Self {
            mode,
            in_flight: words.next()?.parse().ok()?,
            bytes: words.next()?.parse().ok()?,
            time: Duration::from_millis(words.next()?.parse().ok()?),
            rate: words.next()?.parse().ok()?,
            batch: words.next()?.parse().ok()?,
            topics: words.next()?.parse().ok()?,
            messages: words.next()?.parse().ok()?,
            queues: words.next()?.parse().ok()?,
        })
    }

    /// Says that the run begins now.
    pub(crate) fn ready() {
        println!("ready");
    }

    pub(crate) fn end(&self) -> Instant {
        Instant::now() + self.time
    }
}

impl Report {
    pub(crate) fn print(&self) {
        let mut out = stdout().lock();
        writeln!(
            out,
            r#"{{"messages":{},"failed":{},"seconds":{:.6},"p50":{:.2},"p99":{:.2},"p999":{:.2}}}"#,
            self.latencies.count(),
            self.failed,
            self.elapsed.as_secs_f64(),
            self.latencies.quantile(500_000),
            self.latencies.quantile(990_000),
            self.latencies.quantile(999_000),
        )
        .and_then(|()| out.flush())
        .expect("standard output");
    }
}
