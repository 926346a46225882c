use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::runtime::{Ending, Runtime};
use super::watch::{ConsumerError, ConsumerEvent, Health, ShutdownReport};
use crate::error::LONGEST;

/// A running member of a group: [`Bus::consumer`](crate::Bus::consumer).
///
/// Dropping it ends its handlers at their next `await` and gives back what they had: [`shutdown`](Self::shutdown) lets them finish.
#[derive(Debug)]
#[must_use = "a consumer that is dropped ends"]
pub struct MessageConsumer {
    runtime: Arc<Runtime>,
    task: JoinSet<Ending>,
}

impl MessageConsumer {
    pub(super) fn start(runtime: Runtime) -> Self {
        let runtime = Arc::new(runtime);
        let mut task = JoinSet::new();
        task.spawn(runtime.clone().run());
        Self { runtime, task }
    }

    /// Takes no further events. Handlers that run go on, and so do events that wait for their turn or for a retry in place.
    pub fn pause(&self) {
        self.runtime.pause(true);
    }

    /// Takes events again.
    pub fn resume(&self) {
        self.runtime.pause(false);
    }

    /// How the consumer is doing.
    pub fn health(&self) -> Health {
        self.runtime.health()
    }

    /// Events of the consumer from now on. The stream ends with the consumer.
    pub fn events(&self) -> impl Stream<Item = ConsumerEvent> + Send + use<> {
        let listening = self.runtime.listen();
        futures_util::stream::unfold(listening, |(mut receiver, over)| async move {
            let received = tokio::select! {
                biased;
                received = receiver.recv() => received,
                () = over.cancelled() => return None,
            };
            match received {
                Ok(event) => Some((event, (receiver, over))),
                Err(RecvError::Lagged(missed)) => Some((ConsumerEvent::Missed(missed), (receiver, over))),
                Err(RecvError::Closed) => None,
            }
        })
    }

    /// Waits until the consumer ends by itself: `Ok` when the bus was closed. Nothing changes when the future is dropped.
    ///
    /// # Errors
    /// Why it ended: a handler or the policy stopped it, or the backend cannot go on.
    pub async fn wait(&self) -> Result<(), ConsumerError> {
        self.runtime.wait().await
    }

    /// Stops taking events, lets handlers that run finish until the deadline, gives back everything else, and leaves the group.
    /// Shortly before the deadline [`Context::cancelled`](super::Context::cancelled) resolves in handlers that still run; at the deadline they
    /// are ended, and their events come again. When the future is dropped, all ends at once.
    ///
    /// # Errors
    /// Why the consumer had ended by itself before, if it had; or that the broker may not know of the last acknowledgements.
    pub async fn shutdown(mut self, deadline: Duration) -> Result<ShutdownReport, ConsumerError> {
        let started = Instant::now();
        self.runtime.stop(started + deadline.min(LONGEST));
        let ending = self.task.join_next().await.and_then(Result::ok).unwrap_or_default();
        match ending.error {
            Some(error) => Err(error),
            None => Ok(ShutdownReport {
                finished: ending.finished,
                released: ending.released,
                left: ending.left,
                took: started.elapsed(),
            }),
        }
    }
}
