//! Sends: 10, 310, 320. Java: `SendMessageProcessor`.
//!
//! [`request`] reads the header, [`checks`] turns down what Apache's broker turns down, in its order, [`single`] and
//! [`batch`] store, [`answer`] says where.

mod answer;
mod batch;
mod checks;
mod discard;
mod request;
mod single;

use crate::wire::Reply;
use bytes::Bytes;
use rocketmq_common::UniqueId;
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};

use super::Broker;
use super::pull::HeldPull;
use crate::wire::Refusal;
pub(super) use answer::MsgId;
use answer::SendAnswer;
pub(super) use checks::{Target, check};
pub(crate) use discard::Discarding;
pub(crate) use request::SendRequest;

/// The longest body, as it is transmitted. Java: `maxMessageSize`.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Whether the broker wants messages to be traced, which messages and answers carry.
pub(super) const TRACE_ON: &str = "true";

/// What was stored.
struct Stored<'a> {
    /// As it was asked for, or as the broker chose.
    queue_id: i32,
    /// Of the first message.
    queue_offset: i64,
    msg_id: MsgId,
    transaction_id: Option<TransactionId<'a>>,
    /// What takes back a timer message.
    recall_handle: Option<String>,
    /// Pulls that waited for it.
    woken: Vec<HeldPull>,
}

/// The unique key of the message.
enum TransactionId<'a> {
    Sent(&'a str),
    Made(UniqueId),
}

/// 10, 310, 320.
pub(super) fn send(broker: &Broker, command: RemotingCommand, responder: Reply) {
    let peer = responder.peer();
    let request = match SendRequest::read(&command, peer) {
        Ok(request) => request,
        Err(refusal) => return refusal.send(responder),
    };
    // The flag in the header decides, not the code.
    let stored = if request.batch { batch::store(broker, &request) } else { single::store(broker, &request) };
    match stored {
        Ok(stored) => {
            let answer = SendAnswer {
                queue_id: stored.queue_id,
                queue_offset: stored.queue_offset,
                msg_id: stored.msg_id.as_str(),
                transaction_id: stored.transaction_id.as_ref().map(TransactionId::as_str),
                recall_handle: stored.recall_handle.as_deref(),
            };
            let code = broker.replicated(&request);
            responder.answer(code, None, &answer, &broker.send_fields, &Bytes::new());
            for pull in stored.woken {
                pull.wake(broker);
            }
        }
        Err(refusal) => refusal.with_fields(broker.send_fields.clone()).send(responder),
    }
}

impl TransactionId<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Sent(id) => id,
            Self::Made(id) => id,
        }
    }
}

/// What is wrong with the message itself: too long, or with flags and properties that do not go together.
pub(super) fn message_illegal() -> Refusal {
    const REMARK: &str = "the message is illegal, maybe msg body or properties length not matched. \
        msg body length limit 4194304B, msg properties length limit 32KB.";
    Refusal::new(ResponseCode::MESSAGE_ILLEGAL, REMARK)
}
