use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rocketmq_remoting::net::TaskOwner;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::bundle::Bundle;
use super::record::TraceRecord;
use crate::error::{MQClientError, with_causes};
use crate::model::{Message, SendResult};

/// Records that may wait; further ones are dropped: tracing never delays a send.
const QUEUE: usize = 2048;
/// The longest wait of a record for others in its trace message.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// The prefix of the names of inner groups.
const INNER_GROUP: &str = "_INNER_TRACE_PRODUCER-";
/// The longest group name.
const GROUP_CHARS: usize = 120;

/// Takes records, and sends them in bundles with an inner producer. This producer uses the traced producer's client,
/// has a group of its own, and is not traced itself. Java: `AsyncTraceDispatcher`.
#[derive(Debug)]
pub(crate) struct TraceDispatcher {
    topic: String,
    records: mpsc::Sender<TraceRecord>,
    /// The receiving end of the queue, until the dispatcher is started.
    waiting: Mutex<Option<mpsc::Receiver<TraceRecord>>>,
    dropped: Arc<AtomicU64>,
    running: OnceLock<Running>,
}

#[derive(Debug)]
struct Running {
    stop: Arc<Notify>,
    finished: Mutex<Option<oneshot::Receiver<()>>>,
}

impl TraceDispatcher {
    pub(crate) fn new(topic: &str) -> Arc<Self> {
        let (records, waiting) = mpsc::channel(QUEUE);
        Arc::new(Self {
            topic: topic.to_owned(),
            records,
            waiting: Mutex::new(Some(waiting)),
            dropped: Arc::default(),
            running: OnceLock::new(),
        })
    }

    /// The trace topic.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// The number of dropped records.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn append(&self, record: TraceRecord) {
        if self.records.try_send(record).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Starts the task that sends, which is owned by `tasks`.
    pub(crate) fn start(&self, sender: impl TraceSender, tasks: &TaskOwner) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(records) = waiting else { return };
        let (stop, (finish, finished)) = (Arc::new(Notify::new()), oneshot::channel());
        let sending = Sending { topic: self.topic.clone(), sender, dropped: self.dropped.clone(), records };
        tasks.spawn(sending.run(stop.clone(), finish));
        let finished = Mutex::new(Some(finished));
        let _ = self.running.set(Running { stop, finished });
    }

    /// Sends the remaining records and stops, by `deadline`.
    pub(crate) async fn stop(&self, deadline: Instant) {
        let Some(Running { stop, finished }) = self.running.get() else { return };
        stop.notify_one();
        let finished = finished.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(finished) = finished {
            let _ = timeout_at(deadline, finished).await;
        }
    }
}

/// The group of an inner producer. In Java it may be too long for a start; here it is cut.
pub(crate) fn inner_group(group: &str, kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let tail = format!("-{kind}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut name = format!("{INNER_GROUP}{group}");
    // The cut is at a character: group names are ASCII.
    name.truncate(GROUP_CHARS - tail.len());
    name + &tail
}

/// Whether an inner producer sends for this group.
pub(crate) fn is_inner_group(group: &str) -> bool {
    group.starts_with(INNER_GROUP)
}

/// What sends the messages of a trace: a producer that is not traced itself.
pub(crate) trait TraceSender: Send + Sync + 'static {
    /// Sends a message. Resolves once the message is admitted, so that records queue up while too many messages are on
    /// their way; `done` gets the outcome.
    fn send_trace(
        &self,
        message: Message,
        done: impl FnOnce(Result<SendResult, MQClientError>) + Send + 'static,
    ) -> impl Future<Output = Result<(), MQClientError>> + Send;
}

/// The sending task.
struct Sending<S> {
    topic: String,
    sender: S,
    dropped: Arc<AtomicU64>,
    records: mpsc::Receiver<TraceRecord>,
}

impl<S: TraceSender> Sending<S> {
    async fn run(mut self, stop: Arc<Notify>, _finish: oneshot::Sender<()>) {
        let mut bundle = Bundle::default();
        let mut flush_at = Instant::now();
        let mut stopping = false;
        loop {
            let flush = tokio::time::sleep_until(flush_at);
            tokio::select! {
                () = stop.notified(), if !stopping => {
                    // Records in the queue are still received; then the channel ends.
                    self.records.close();
                    stopping = true;
                }
                () = flush, if !bundle.is_empty() => self.send(&mut bundle).await,
                record = self.records.recv() => match record {
                    None => break,
                    Some(record) => {
                        if bundle.is_empty() {
                            flush_at = Instant::now() + FLUSH_EVERY;
                        }
                        if bundle.push(record) {
                            self.send(&mut bundle).await;
                        }
                    }
                },
            }
        }
        if !bundle.is_empty() {
            self.send(&mut bundle).await;
        }
    }

    /// Returns once the message is admitted: while too many trace messages are in flight, the queue fills up.
    async fn send(&self, bundle: &mut Bundle) {
        let (message, records) = bundle.take(&self.topic);
        let lost = self.dropped.clone();
        let count_lost = move |error: &MQClientError| {
            lost.fetch_add(records as u64, Ordering::Relaxed);
            tracing::warn!(records, error = with_causes(error), "trace records could not be sent");
        };
        let count_failed = count_lost.clone();
        let admitted = self.sender.send_trace(message, move |sent| {
            if let Err(error) = sent {
                count_failed(&error);
            }
        });
        if let Err(error) = Box::pin(admitted).await {
            count_lost(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> TraceRecord {
        TraceRecord::of_recall("g", "t", "id", true)
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let dispatcher = TraceDispatcher::new("Trace");
        (0..QUEUE + 3).for_each(|_| dispatcher.append(record()));
        assert_eq!(dispatcher.dropped(), 3);
    }

    #[test]
    fn the_inner_group_is_a_legal_name_for_any_group() {
        for group in ["g", &"g".repeat(GROUP_CHARS)] {
            let name = inner_group(group, "PRODUCE");
            assert!(name.starts_with(&format!("_INNER_TRACE_PRODUCER-{}", &group[..1])), "{name}");
            assert!(rocketmq_common::validators::check_group(&name).is_ok(), "{name}");
        }
    }
}
