//! Reading one message at its place in the commit log: 33.

use rocketmq_remoting::protocol::ResponseCode;

use crate::broker::state::Broker;
use crate::wire::{Answer, NumberPolicy, Refusal, Request, read_fields, request_fields, required};

request_fields! {
    /// Java: `ViewMessageRequestHeader`. The topic is there, but nobody looks at it.
    ViewFields {
        "topic" _topic: std::borrow::Cow<'a, str>,
        "offset" offset: i64,
    }
}

/// 33.
pub(crate) fn by_id(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ViewFields<'_> = read_fields(&request.command.ext_fields, NumberPolicy::Ignore)?;
    let offset = required(fields.offset, "offset")?;
    match broker.lock().log.record_at(offset) {
        Some(record) => Ok(Answer::success().with_body(record.clone())),
        None => {
            let remark = format!("can not find message by the offset, {offset}");
            Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark))
        }
    }
}
