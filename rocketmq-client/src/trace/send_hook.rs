use std::sync::Arc;

use super::TraceDispatcher;
use super::record::{Pub, TraceRecord};
use crate::clock::now_ms;
use crate::error::MQClientError;
use crate::hook::{CommunicationMode, SendMessageContext, SendMessageHook, SendMessageOutcome};
use crate::model::{SendResult, SendStatus};

/// Makes a trace record of each attempt to send, even if it failed, and of each message of a batch. One-way sends have
/// no outcome to record. Java: `SendMessageTraceHookImpl`.
#[derive(Debug)]
pub(crate) struct SendMessageTraceHook {
    dispatcher: Arc<TraceDispatcher>,
}

impl SendMessageTraceHook {
    pub(crate) fn new(dispatcher: Arc<TraceDispatcher>) -> Self {
        Self { dispatcher }
    }
}

impl SendMessageHook for SendMessageTraceHook {
    fn send_message_before(&self, _: &mut SendMessageContext<'_>) {}

    fn send_message_after(&self, context: &SendMessageContext<'_>, outcome: &SendMessageOutcome<'_>) {
        let result = outcome.result.as_ref().ok().copied().flatten();
        let unwanted = result.is_some_and(|result| !result.trace_on);
        if unwanted
            || context.mode == CommunicationMode::Oneway
            || context.message.topic() == self.dispatcher.topic()
        {
            return;
        }
        self.records(context, outcome, result);
    }
}

impl SendMessageTraceHook {
    fn records(
        &self,
        context: &SendMessageContext<'_>,
        outcome: &SendMessageOutcome<'_>,
        result: Option<&SendResult>,
    ) {
        let began_ms = now_ms().saturating_sub_unsigned(outcome.took.as_millis() as u64);
        let mut offset_ids = result.map(|result| result.offset_msg_id.split(','));
        let mut offset_id = None;
        let alone = context.messages.len() == 1;
        for message in context.messages {
            // Messages that were stored as one record share its id.
            let next = offset_ids.as_mut().and_then(Iterator::next);
            offset_id = next.or(offset_id);
            let sent = Pub {
                began_ms,
                region_id: result.and_then(|result| result.region_id.as_deref()),
                group: context.producer_group,
                topic: context.message.topic(),
                msg_id: message.unique_key().filter(|_| !alone).unwrap_or(context.msg_id),
                tags: message.tags(),
                keys: message.keys(),
                broker_address: context.broker_address,
                body_length: if alone { context.body_length } else { message.body().len() },
                took: outcome.took,
                message_type: context.message_type,
                offset_msg_id: offset_id,
                success: is_success(outcome.result),
            };
            self.dispatcher.append(TraceRecord::of_pub(&sent));
        }
    }
}

fn is_success(result: Result<Option<&SendResult>, &MQClientError>) -> bool {
    matches!(result, Ok(Some(result)) if result.send_status == SendStatus::SendOk)
}
