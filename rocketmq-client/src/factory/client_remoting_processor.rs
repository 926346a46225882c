use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rocketmq_common::MessageProperties;
use rocketmq_common::message_const::PROPERTY_CORRELATION_ID;
use rocketmq_remoting::net::{Connection, RequestHandler, Responder};
use rocketmq_remoting::protocol::header::ReplyMessageRequestHeader;
use rocketmq_remoting::protocol::{ExtFields, NoHeader, RemotingCommand, RequestCode, ResponseCode};
use tokio::sync::{Notify, mpsc};

use super::pending_replies::{PendingReplies, PushedReply};

/// What this client does with requests from brokers. Java: `ClientRemotingProcessor`.
///
/// It runs on the tasks of the connections, so it only hands things over: a reply to the request that waits for it, a
/// question about a transaction to the queue of the transaction producer.
#[derive(Debug)]
pub(super) struct ClientRemotingProcessor {
    pub(super) heartbeat_wanted: Arc<Notify>,
    pub(super) replies: Arc<PendingReplies>,
    /// Where questions about transactions go, if this client answers any.
    pub(super) checks: Option<mpsc::Sender<TransactionCheck>>,
}

/// A broker's question what became of a transaction (39), not looked at yet.
#[derive(Debug)]
pub(crate) struct TransactionCheck {
    pub(crate) request: RemotingCommand,
    /// Where the answer goes.
    pub(crate) connection: Connection,
}

impl RequestHandler for ClientRemotingProcessor {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        match (request.request_code(), &self.checks) {
            (RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT, _) => self.receive_reply_message(request, responder),
            (RequestCode::CHECK_TRANSACTION_STATE, Some(checks)) => {
                check_transaction_state(checks, request, &responder);
            }
            _ => responder.not_supported(&request),
        }
    }

    /// A broker forgets its clients when their connections end: tell it again who is there.
    fn connected(&self, _: &Connection) {
        self.heartbeat_wanted.notify_one();
    }
}

impl ClientRemotingProcessor {
    /// A reply for which nobody waits any more is fine: its request timed out or was given up.
    fn receive_reply_message(&self, request: RemotingCommand, responder: Responder) {
        let peer = responder.connection().peer().clone();
        let header: ReplyMessageRequestHeader = match request.header() {
            Ok(header) => header,
            Err(error) => {
                tracing::warn!(broker = %peer, %error, "a reply message cannot be read");
                let remark = Some("process reply message fail");
                let (fields, code) = (ExtFields::default(), ResponseCode::SYSTEM_ERROR);
                return responder.answer(code, remark, &NoHeader, &fields, &Bytes::new());
            }
        };
        let (fields, code) = (ExtFields::default(), ResponseCode::SUCCESS);
        responder.answer(code, None, &NoHeader, &fields, &Bytes::new());
        let properties = MessageProperties::from_wire(header.properties.clone().unwrap_or_default());
        let correlation_id = properties.get(PROPERTY_CORRELATION_ID).unwrap_or_default();
        let reply = PushedReply { header, body: request.body, arrived: now_ms() };
        if !self.replies.arrived(correlation_id, reply) {
            tracing::debug!(broker = %peer, correlation_id, "a reply for which nobody waits");
        }
    }
}

/// While too many of them wait, more are dropped: the broker asks again.
fn check_transaction_state(
    checks: &mpsc::Sender<TransactionCheck>,
    request: RemotingCommand,
    responder: &Responder,
) {
    let connection = responder.connection().clone();
    if let Err(error) = checks.try_send(TransactionCheck { request, connection }) {
        let broker = responder.connection().peer();
        let reason = match error {
            mpsc::error::TrySendError::Full(_) => "too many wait: see check_request_hold_max",
            mpsc::error::TrySendError::Closed(_) => "the producer is not ready, or shut down",
        };
        tracing::warn!(%broker, reason, "a question about a transaction is dropped; the broker asks again");
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
