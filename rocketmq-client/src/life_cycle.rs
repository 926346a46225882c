//! The life of every client: created, starting, running, shut down; and the report of its shutdown.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::error::MQClientError;

const CREATED: u8 = 0;
const STARTING: u8 = 1;
const RUNNING: u8 = 2;
const SHUT_DOWN: u8 = 3;

/// The state of a client, with its parts while it runs. A client runs once: after a shutdown it cannot start again.
#[derive(Debug)]
pub(crate) struct LifeCycle<T> {
    /// The kind of client, for errors.
    client: &'static str,
    state: AtomicU8,
    running: OnceLock<T>,
}

/// A start in progress. Dropping it before [`finish`](Self::finish) restores the former state.
#[derive(Debug)]
pub(crate) struct Starting<'a, T>(&'a LifeCycle<T>);

impl<T> LifeCycle<T> {
    pub(crate) fn new(client: &'static str) -> Self {
        Self { client, state: AtomicU8::new(CREATED), running: OnceLock::new() }
    }

    /// The kind of client, for errors.
    pub(crate) fn client(&self) -> &'static str {
        self.client
    }

    /// Begins a start, unless another start has begun.
    pub(crate) fn begin(&self) -> Result<Starting<'_, T>, MQClientError> {
        let client = self.client;
        match self.state.compare_exchange(CREATED, STARTING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(Starting(self)),
            Err(SHUT_DOWN) => Err(MQClientError::ShutDown { client }),
            Err(_) => Err(MQClientError::AlreadyStarted { client }),
        }
    }

    /// The parts of the running client.
    pub(crate) fn running(&self) -> Result<&T, MQClientError> {
        let client = self.client;
        match self.state.load(Ordering::Acquire) {
            RUNNING => self.running.get().ok_or_else(|| MQClientError::NotStarted { client }),
            SHUT_DOWN => Err(MQClientError::ShutDown { client }),
            _ => Err(MQClientError::NotStarted { client }),
        }
    }

    /// The parts of the client from the start on, even after the shutdown.
    pub(crate) fn started(&self) -> Option<&T> {
        self.running.get()
    }

    /// Ends a start in progress, for good: the client will not run.
    pub(crate) fn stop_start(&self) {
        let _ = self.state.compare_exchange(STARTING, SHUT_DOWN, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The parts of the client from the start on, even after the shutdown, or the error that it was never started.
    pub(crate) fn was_started(&self) -> Result<&T, MQClientError> {
        self.running.get().ok_or(MQClientError::NotStarted { client: self.client })
    }

    /// Ends the running state for good. May be called again, to finish an interrupted shutdown.
    pub(crate) fn shut_down(&self) -> Result<&T, MQClientError> {
        let running = self.was_started()?;
        self.state.store(SHUT_DOWN, Ordering::Release);
        Ok(running)
    }
}

impl<'a, T> Starting<'a, T> {
    /// Completes the start.
    pub(crate) fn finish(self, running: T) -> &'a T {
        let Self(life) = &self;
        let running = life.running.get_or_init(|| running);
        let _ = life.state.compare_exchange(STARTING, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        running
    }
}

impl<T> Drop for Starting<'_, T> {
    fn drop(&mut self) {
        let _ = self.0.state.compare_exchange(STARTING, CREATED, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// The leftovers of a shutdown. `{}` prints them as one line for the log. The shutdown of a client adds up those of its
/// producers and consumers; `PushConsumer::shutdown` has the details of a consumer.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Sends without an outcome at the end of the limit. Each fails when its connection is closed; on a client that is
    /// still shared, at its own deadline.
    pub unfinished_sends: u32,
    /// Messages that handlers of this client's consumers did not finish in time. They come again.
    pub unfinished_messages: u32,
    /// Queues whose offset this client's consumers could not commit: the messages behind the last commit come again.
    pub uncommitted_queues: usize,
    /// Queues whose lock could not be given back: other members get them when the lock expires, after 60 s.
    pub locked_queues: usize,
    /// Brokers that could not be told that this client, or one of its groups, leaves. They notice when the connection
    /// closes, or when no heartbeat has named the group for two minutes.
    pub brokers_not_told: Vec<String>,
    /// How long the shutdown took.
    pub took: Duration,
}

impl ShutdownReport {
    /// Whether nothing was left.
    pub fn is_clean(&self) -> bool {
        self.unfinished_sends == 0
            && self.unfinished_messages == 0
            && self.uncommitted_queues == 0
            && self.locked_queues == 0
            && self.brokers_not_told.is_empty()
    }

    /// Adds the report of another part of the client. Each broker is listed once.
    pub(crate) fn add(&mut self, other: Self) {
        self.unfinished_sends += other.unfinished_sends;
        self.unfinished_messages += other.unfinished_messages;
        self.uncommitted_queues += other.uncommitted_queues;
        self.locked_queues += other.locked_queues;
        self.brokers_not_told.extend(other.brokers_not_told);
        self.brokers_not_told.sort_unstable();
        self.brokers_not_told.dedup();
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = [
            (self.unfinished_sends as usize, "unfinished sends"),
            (self.unfinished_messages as usize, "unfinished messages"),
            (self.uncommitted_queues, "uncommitted queues"),
            (self.locked_queues, "queues still locked"),
            (self.brokers_not_told.len(), "brokers not told"),
        ];
        write_left(f, left, self.took)
    }
}

/// Writes what a shutdown left, in one line.
pub(crate) fn write_left<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    left: [(usize, &str); N],
    took: Duration,
) -> fmt::Result {
    write!(f, "shut down in {took:?}, ")?;
    if left.iter().all(|(count, _)| *count == 0) {
        return f.write_str("nothing was left");
    }
    let left = left.iter().filter(|(count, _)| *count > 0);
    let left: Vec<_> = left.map(|(count, what)| format!("{what}: {count}")).collect();
    f.write_str(&left.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life() -> LifeCycle<u8> {
        LifeCycle::new("client")
    }

    #[test]
    fn a_start_that_does_not_finish_leaves_the_client_as_it_was() {
        let life = life();
        drop(life.begin().unwrap());
        assert!(matches!(life.running(), Err(MQClientError::NotStarted { .. })));
        let starting = life.begin().unwrap();
        assert!(matches!(life.begin(), Err(MQClientError::AlreadyStarted { .. })), "two starts at once");
        assert_eq!(starting.finish(7), &7);
        assert_eq!(life.running().unwrap(), &7);
        assert!(matches!(life.begin(), Err(MQClientError::AlreadyStarted { .. })));
    }

    #[test]
    fn a_client_that_was_shut_down_stays_so_but_can_finish_what_it_took() {
        let life = life();
        assert!(matches!(life.shut_down(), Err(MQClientError::NotStarted { .. })));
        life.begin().unwrap().finish(7);
        assert_eq!(life.shut_down().unwrap(), &7);
        assert!(matches!(life.running(), Err(MQClientError::ShutDown { .. })));
        assert!(matches!(life.begin(), Err(MQClientError::ShutDown { .. })));
        assert_eq!((life.started(), life.shut_down().unwrap()), (Some(&7), &7));
    }

    #[test]
    fn reports_add_up_and_name_each_broker_once() {
        let report = |sends, brokers: &[&str]| ShutdownReport {
            unfinished_sends: sends,
            unfinished_messages: 1,
            brokers_not_told: brokers.iter().map(ToString::to_string).collect(),
            ..ShutdownReport::default()
        };
        let mut sum = report(1, &["b"]);
        sum.add(report(2, &["a", "b"]));
        assert_eq!((sum.unfinished_sends, sum.brokers_not_told.join(" ")), (3, "a b".to_owned()));
        assert!(!sum.is_clean() && ShutdownReport::default().is_clean());
        assert_eq!(
            sum.to_string(),
            "shut down in 0ns, unfinished sends: 3, unfinished messages: 2, brokers not told: 2"
        );
        assert_eq!(ShutdownReport::default().to_string(), "shut down in 0ns, nothing was left");
    }
}
