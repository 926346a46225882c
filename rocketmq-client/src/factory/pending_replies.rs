use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rocketmq_common::MessageProperties;
use rocketmq_common::message_const::PROPERTY_CORRELATION_ID;
use rocketmq_remoting::net::Responder;
use rocketmq_remoting::protocol::header::ReplyMessageRequestHeader;
use rocketmq_remoting::protocol::{ExtFields, NoHeader, RemotingCommand, ResponseCode};
use tokio::sync::oneshot;

use super::groups::BrokerRequestHandler;
use crate::clock::now_ms;

/// The requests that wait for their replies, by correlation id. Java: `RequestFutureHolder`.
///
/// Its size is bounded by the permits of the producers: dropping a request removes its entry.
#[derive(Debug, Default)]
pub(crate) struct PendingReplies {
    /// `None` once the client is shut down.
    waiting: Mutex<Option<HashMap<Arc<str>, oneshot::Sender<PushedReply>>>>,
}

/// A reply that a broker pushed (326), not inflated yet.
#[derive(Debug)]
pub(crate) struct PushedReply {
    pub(crate) header: ReplyMessageRequestHeader,
    pub(crate) body: Bytes,
    /// When it arrived, in milliseconds since the epoch.
    pub(crate) arrived: i64,
}

/// A waiting request. Dropping it removes its entry from the table.
#[derive(Debug)]
pub(crate) struct PendingReply {
    replies: Arc<PendingReplies>,
    correlation_id: Arc<str>,
    receiver: oneshot::Receiver<PushedReply>,
}

impl PendingReplies {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::new(Some(HashMap::new())) }
    }

    /// Registers a request; its id must be new. After [`close`](Self::close) no reply comes.
    pub(crate) fn wait_for(self: &Arc<Self>, correlation_id: Arc<str>) -> PendingReply {
        let (sender, receiver) = oneshot::channel();
        if let Some(waiting) = &mut *self.lock() {
            waiting.insert(correlation_id.clone(), sender);
        }
        PendingReply { replies: self.clone(), correlation_id, receiver }
    }

    /// Passes a reply to its request. Returns false if no request waits for it.
    pub(crate) fn arrived(&self, correlation_id: &str, reply: PushedReply) -> bool {
        let sender = self.lock().as_mut().and_then(|waiting| waiting.remove(correlation_id));
        sender.is_some_and(|sender| sender.send(reply).is_ok())
    }

    /// Ends all waiting requests, present and future ones.
    pub(crate) fn close(&self) {
        let waiting = self.lock().take();
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<Arc<str>, oneshot::Sender<PushedReply>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes and acknowledges pushed replies (326). A reply without a waiting request is acknowledged too: its request
/// timed out or was given up, and the broker must not count that as a failure.
impl BrokerRequestHandler for PendingReplies {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let peer = responder.connection().peer().clone();
        let fields = ExtFields::default();
        let header: ReplyMessageRequestHeader = match request.header() {
            Ok(header) => header,
            Err(error) => {
                tracing::warn!(broker = %peer, %error, "a reply message cannot be read");
                let remark = Some("process reply message fail");
                let code = ResponseCode::SYSTEM_ERROR;
                return responder.answer(code, remark, &NoHeader, &fields, &Bytes::new());
            }
        };
        responder.answer(ResponseCode::SUCCESS, None, &NoHeader, &fields, &Bytes::new());
        let properties = MessageProperties::from_wire(header.properties.clone().unwrap_or_default());
        let correlation_id = properties.get(PROPERTY_CORRELATION_ID).unwrap_or_default();
        let reply = PushedReply { header, body: request.body, arrived: now_ms() };
        if !self.arrived(correlation_id, reply) {
            tracing::debug!(broker = %peer, correlation_id, "a reply without a waiting request");
        }
    }
}

impl PendingReply {
    /// The reply; `None` when the client was shut down.
    pub(crate) async fn reply(&mut self) -> Option<PushedReply> {
        (&mut self.receiver).await.ok()
    }

    /// The reply, if it has arrived already.
    pub(crate) fn try_reply(&mut self) -> Option<PushedReply> {
        self.receiver.try_recv().ok()
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        if let Some(waiting) = &mut *self.replies.lock() {
            waiting.remove(&self.correlation_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &'static [u8]) -> PushedReply {
        let header = ReplyMessageRequestHeader::default();
        PushedReply { header, body: Bytes::from_static(body), arrived: 1 }
    }

    fn len(replies: &PendingReplies) -> usize {
        replies.lock().as_ref().map_or(0, HashMap::len)
    }

    #[tokio::test]
    async fn a_reply_goes_to_its_request_and_others_to_nobody() {
        let replies = Arc::new(PendingReplies::new());
        let (mut one, mut two) = (replies.wait_for("1".into()), replies.wait_for("2".into()));
        assert!(replies.arrived("2", reply(b"two")));
        assert!(!replies.arrived("2", reply(b"again")));
        assert!(!replies.arrived("3", reply(b"late")));
        assert!(one.try_reply().is_none());
        assert_eq!(two.reply().await.unwrap().body, "two");
    }

    #[tokio::test]
    async fn an_entry_goes_with_whoever_waits_for_it() {
        let replies = Arc::new(PendingReplies::new());
        let waiting = replies.wait_for("1".into());
        assert_eq!(len(&replies), 1);
        drop(waiting);
        assert_eq!(len(&replies), 0);
        assert!(!replies.arrived("1", reply(b"late")));
    }

    #[tokio::test]
    async fn a_shutdown_ends_all_waiting() {
        let replies = Arc::new(PendingReplies::new());
        let mut before = replies.wait_for("1".into());
        replies.close();
        assert!(before.reply().await.is_none());
        assert!(replies.wait_for("2".into()).reply().await.is_none());
    }
}
