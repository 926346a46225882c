use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::lanes::Lanes;
use super::{Ending, Runtime};
use crate::backend::Tag;
use crate::consume::watch::{ConsumerError, ConsumerEvent};

/// Handlers are told to end when less than this of a shutdown's time is left, or less than a fifth of it.
const LAST_CALL: Duration = Duration::from_secs(5);
/// The time for giving back and leaving, beyond the deadline of the handlers.
const LEAVING: Duration = Duration::from_secs(5);

/// The deliveries that have a task.
#[derive(Debug, Default)]
struct Running {
    tasks: JoinSet<()>,
    of: HashMap<Id, (Tag, Option<ByteString>)>,
}

impl Running {
    /// The delivery whose task ended.
    fn ended(&mut self, joined: Result<(Id, ()), JoinError>) -> Option<(Tag, Option<ByteString>)> {
        let id = joined.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        self.of.remove(&id)
    }
}

impl Runtime {
    /// Takes deliveries until the consumer is stopped or cannot go on, then shuts down.
    pub(in crate::consume) async fn run(self: Arc<Self>) -> Ending {
        let mut lanes = Lanes::new(self.settings.order);
        let mut running = Running::default();
        let mut paused = self.paused.subscribe();
        let mut notices = self.spec.notices.listen();
        loop {
            while let Some(incoming) = lanes.pop() {
                let (tag, key) = (incoming.tag, incoming.envelope.key.clone());
                let task = running.tasks.spawn(self.clone().deliver(incoming));
                running.of.insert(task.id(), (tag, key));
            }
            let in_hand = lanes.len() + running.of.len();
            let takes_more = !*paused.borrow_and_update() && in_hand < self.settings.in_hand();
            tokio::select! {
                biased;
                () = self.stopped() => break,
                Some(joined) = running.tasks.join_next_with_id(), if !running.of.is_empty() => {
                    if let Some((tag, key)) = running.ended(joined) {
                        self.give_back(tag).await;
                        lanes.settled(key.as_ref());
                    }
                }
                _ = paused.changed() => {}
                notice = notices.recv() => match notice {
                    Ok(notice) => self.tell(ConsumerEvent::Connection(notice)),
                    Err(RecvError::Lagged(missed)) => self.tell(ConsumerEvent::Missed(missed)),
                    // This consumer holds a sender.
                    Err(RecvError::Closed) => {}
                },
                next = self.source.next(), if takes_more => match next {
                    Ok(Some(incoming)) => {
                        self.in_hand.insert(incoming.tag);
                        lanes.push(incoming);
                    }
                    // The bus was closed before the consumer.
                    Ok(None) => break,
                    Err(source) => {
                        self.end(ConsumerError::Backend { group: self.spec.group.to_string(), source });
                        break;
                    }
                },
            }
        }
        self.wind_up(lanes, running).await
    }

    async fn wind_up(&self, mut lanes: Lanes, mut running: Running) -> Ending {
        let mut ending = Ending::default();
        for incoming in lanes.drain() {
            self.give_back(incoming.tag).await;
            ending.released += 1;
        }
        // A consumer that ends by itself has no deadline: its handlers finish as in a shutdown, unless one is called meanwhile.
        let mut deadline = self.stopping.borrow().unwrap_or_else(|| Instant::now() + Duration::from_secs(30));
        let left = deadline.saturating_duration_since(Instant::now());
        let notice = LAST_CALL.min(left / 5);
        let last_call = deadline - notice;
        loop {
            tokio::select! {
                joined = running.tasks.join_next_with_id() => {
                    let Some(joined) = joined else { break };
                    if let Some((tag, _)) = running.ended(joined) {
                        if self.give_back(tag).await { ending.released += 1 } else { ending.finished += 1 }
                    }
                }
                () = sleep_until(last_call), if !self.cancelled.is_cancelled() => {
                    self.cancelled.cancel();
                    // On a busy machine the call comes late: the handlers have their time all the same.
                    deadline = deadline.max(Instant::now() + notice);
                }
                () = sleep_until(deadline), if self.cancelled.is_cancelled() => break,
            }
        }
        running.tasks.shutdown().await;
        for tag in self.in_hand.drain() {
            ending.left += 1;
            _ = timeout_at(deadline + LEAVING, self.source.release(tag)).await;
        }
        let closed = self.source.close(LEAVING.max(deadline.saturating_duration_since(Instant::now()))).await;
        let group = self.spec.group.to_string();
        let known = self.ended.borrow().clone();
        ending.error = known.or_else(|| closed.err().map(|source| ConsumerError::Backend { group, source }));
        ending
    }

    /// Gives a delivery back that its task did not settle. True: it did not.
    async fn give_back(&self, tag: Tag) -> bool {
        let is_unsettled = self.in_hand.remove(tag);
        if is_unsettled && let Err(error) = self.source.release(tag).await {
            tracing::warn!(group = %self.spec.group, "a delivery was not given back: {error}");
        }
        is_unsettled
    }
}
