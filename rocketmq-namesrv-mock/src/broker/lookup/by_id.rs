//! Reads a message at its position in the commit log: 33.

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::ViewMessageFields;

use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, required};

/// 33.
pub(crate) fn by_id(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ViewMessageFields<'_> = request.fields()?;
    let offset = required(fields.offset, "offset")?;
    match broker.lock().log.record_at(offset) {
        Some(record) => Ok(Answer::success().with_body(record.clone())),
        None => {
            let remark = format!("can not find message by the offset, {offset}");
            Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark))
        }
    }
}
