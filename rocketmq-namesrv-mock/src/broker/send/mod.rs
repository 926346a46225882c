//! Sends: 10, 310, 320. Java: `SendMessageProcessor`.
//!
//! - [`request`]: the header and the body.
//! - [`checks`]: refuses what Apache's broker refuses, in its order.
//! - [`single`], [`batch`]: store one message, or several of one request.
//! - [`answer`]: the place of the stored message.
//! - [`reply`]: the reply to a request of another client: 324, 325, 326.
//! - [`send_back`]: a message that a consumer could not process: 36.

mod answer;
mod batch;
mod checks;
mod reply;
mod request;
mod send_back;
mod single;

use bytes::Bytes;
use rocketmq_common::UniqueId;
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};

use crate::broker::state::{Broker, HeldRequest};
use crate::wire::Reply;
pub(crate) use answer::MsgId;
use answer::SendAnswer;
pub(crate) use checks::{Target, check};
pub(crate) use reply::reply;
pub(crate) use request::SendRequest;
pub(crate) use send_back::send_back;

/// A stored message or batch.
struct Stored<'a> {
    /// The requested queue, or the broker's choice.
    queue_id: i32,
    /// The offset of the first message.
    queue_offset: i64,
    msg_id: MsgId,
    transaction_id: Option<TransactionId<'a>>,
    /// The handle for recalling a timer message.
    recall_handle: Option<String>,
    /// Whether it is one record of several messages.
    is_inner_batch: bool,
    /// Pulls that waited for the message.
    woken: Vec<HeldRequest>,
}

/// The unique key of the message.
enum TransactionId<'a> {
    Sent(&'a str),
    Made(UniqueId),
}

/// 10, 310, 320.
pub(crate) fn send(broker: &Broker, command: RemotingCommand, responder: Reply) {
    let peer = responder.peer();
    let request = match SendRequest::read(&command, peer) {
        Ok(request) => request,
        Err(refusal) => return refusal.send(responder),
    };
    // Like in Java, the flag in the header decides, not the code.
    let stored = if request.batch { batch::store(broker, &request) } else { single::store(broker, &request) };
    match stored {
        Ok(stored) => {
            let answer = SendAnswer {
                queue_id: stored.queue_id,
                queue_offset: stored.queue_offset,
                msg_id: stored.msg_id.as_str(),
                transaction_id: stored.transaction_id.as_ref().map(TransactionId::as_str),
                recall_handle: stored.recall_handle.as_deref(),
                batch_id: stored
                    .transaction_id
                    .as_ref()
                    .filter(|_| stored.is_inner_batch)
                    .map(TransactionId::as_str),
            };
            let code = replicated(broker, &request);
            responder.answer(code, None, &answer, broker.send_fields(), &Bytes::new());
            HeldRequest::wake_all(stored.woken, broker);
        }
        Err(refusal) => refusal.with_fields(broker.send_fields().clone()).send(responder),
    }
}

/// The code for a stored message. Apache's broker waits for `slaveTimeout` before it reports a missing copy; the mock
/// knows at once.
fn replicated(broker: &Broker, request: &SendRequest<'_>) -> ResponseCode {
    let wanted = broker.obeyed().in_sync_replicas;
    if wanted > 1 && request.waits_until_stored() && broker.role.copies() < wanted {
        return ResponseCode::FLUSH_SLAVE_TIMEOUT;
    }
    ResponseCode::SUCCESS
}

impl TransactionId<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Sent(id) => id,
            Self::Made(id) => id,
        }
    }
}
