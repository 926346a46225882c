//! Asking anew about a half that was given up: 323. Java: `AdminBrokerProcessor.resumeCheckHalfMessage`.

use rocketmq_common::OffsetMsgId;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::RMQ_SYS_TRANS_HALF_TOPIC;
use rocketmq_remoting::protocol::ResponseCode;

use crate::broker::records::{again, append, stored};
use crate::broker::state::{Broker, HeldRequest};
use crate::store::with_properties;
use crate::wire::{Answer, Refusal, Request};

/// Request 323: the named message becomes a half message about which no producer was asked yet.
pub(crate) fn resume_check(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let remark = "Exception was thrown when putting message back to RMQ_SYS_TRANS_HALF_TOPIC.";
    let failed = || Refusal::new(ResponseCode::SYSTEM_ERROR, remark);
    let id = request.command.ext_fields.get("msgId").ok_or_else(failed)?;
    let id: OffsetMsgId = id.parse().map_err(|_| failed())?;
    let mut woken = Vec::new();
    {
        let mut state = broker.lock();
        let message = stored(&state, id.commit_log_offset).ok_or_else(failed)?;
        let none = [(names::PROPERTY_TRANSACTION_CHECK_TIMES, "0")];
        let properties = with_properties(message.properties().as_wire(), none.into_iter(), &[]);
        let half = again(&message, (RMQ_SYS_TRANS_HALF_TOPIC, 0), &properties, broker.now_ms());
        append(broker, &mut state, &half, &mut woken)?;
    }
    HeldRequest::wake_all(woken, broker);
    Ok(Answer::success())
}
