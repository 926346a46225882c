use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::default_mq_producer_impl::{DefaultMQProducerImpl, Outgoing};
use super::permits::Permit;
use super::sending::SendPlan;
use crate::error::{MQClientError, SendReport};
use crate::model::SendResult;

/// Calls back exactly once: with the result, or, when the send is dropped on the way, with an error.
pub(super) struct Callback<F: FnOnce(Result<SendResult, MQClientError>)> {
    producer: Arc<DefaultMQProducerImpl>,
    callback: Option<F>,
}

impl<F: FnOnce(Result<SendResult, MQClientError>)> Callback<F> {
    pub(super) fn new(producer: Arc<DefaultMQProducerImpl>, callback: F) -> Self {
        Self { producer, callback: Some(callback) }
    }

    /// Sends, then calls back. The permit is given back before, so that a callback can send again.
    pub(super) async fn send(
        mut self,
        outgoing: Outgoing,
        plan: SendPlan,
        permit: Permit,
        report: SendReport,
    ) {
        let sent = match self.producer.started() {
            Some(running) => {
                let sending = self.producer.send_admitted(running, outgoing, &plan, permit, report);
                sending.await.and_then(|sent| sent.ok_or(MQClientError::NotStarted { client: "producer" }))
            }
            None => Err(MQClientError::NotStarted { client: "producer" }),
        };
        self.call(sent);
    }

    fn call(&mut self, sent: Result<SendResult, MQClientError>) {
        let Some(callback) = self.callback.take() else { return };
        if catch_unwind(AssertUnwindSafe(|| callback(sent))).is_err() {
            self.producer.callback_panicked();
            tracing::error!("a send callback panicked");
        }
    }
}

impl<F: FnOnce(Result<SendResult, MQClientError>)> Drop for Callback<F> {
    fn drop(&mut self) {
        // The task was stopped, by a shutdown whose time was over or with its runtime.
        self.call(Err(MQClientError::Abandoned {
            report: Box::new(SendReport { given_up: true, ..SendReport::default() }),
        }));
    }
}
