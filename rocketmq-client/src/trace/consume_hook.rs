use std::sync::Arc;

use rocketmq_common::UniqueIdGenerator;
use rocketmq_common::message_const::{PROPERTY_MSG_REGION, PROPERTY_TRACE_SWITCH};

use super::TraceDispatcher;
use super::record::{SubAfter, SubBefore, TraceRecord};
use crate::clock::now_ms;
use crate::hook::{ConsumeMessageContext, ConsumeMessageHook, ConsumeMessageOutcome};
use crate::model::MessageExt;

/// The entry of the extensions that joins the records before and after.
const REQUEST_ID: &str = "trace_request_id";

/// Makes a trace record of each message before and after it is handled. Java: `ConsumeMessageTraceHookImpl`.
#[derive(Debug)]
pub(crate) struct ConsumeMessageTraceHook {
    dispatcher: Arc<TraceDispatcher>,
    ids: &'static UniqueIdGenerator,
}

impl ConsumeMessageTraceHook {
    pub(crate) fn new(dispatcher: Arc<TraceDispatcher>, ids: &'static UniqueIdGenerator) -> Self {
        Self { dispatcher, ids }
    }

    /// Whether a message is recorded. Its broker may forbid that, and records of trace messages would never end.
    fn wants(&self, message: &MessageExt) -> bool {
        message.property(PROPERTY_TRACE_SWITCH) != Some("false") && message.topic() != self.dispatcher.topic()
    }
}

impl ConsumeMessageHook for ConsumeMessageTraceHook {
    fn consume_message_before(&self, context: &mut ConsumeMessageContext<'_>) {
        let (request_id, now_ms) = (self.ids.next(now_ms()).as_str().to_owned(), now_ms());
        for message in context.messages.iter().filter(|message| self.wants(message)) {
            self.dispatcher.append(TraceRecord::of_sub_before(&SubBefore {
                now_ms,
                // The broker sets it for each message, but not for the messages of a batch.
                region_id: message.property(PROPERTY_MSG_REGION),
                group: context.consumer_group,
                request_id: &request_id,
                msg_id: message.msg_id(),
                retry_times: message.reconsume_times(),
                keys: message.keys(),
            }));
        }
        context.extensions.insert(REQUEST_ID, request_id);
    }

    fn consume_message_after(
        &self,
        context: &ConsumeMessageContext<'_>,
        outcome: &ConsumeMessageOutcome<'_>,
    ) {
        let Some(request_id) = context.extensions.get(REQUEST_ID) else { return };
        let cost = outcome.took / u32::try_from(context.messages.len().max(1)).unwrap_or(u32::MAX);
        for (message, success) in context.messages.iter().zip(outcome.succeeded) {
            if self.wants(message) {
                self.dispatcher.append(TraceRecord::of_sub_after(&SubAfter {
                    request_id,
                    msg_id: message.msg_id(),
                    cost,
                    success: *success,
                    keys: message.keys(),
                    status: outcome.status,
                    now_ms: now_ms(),
                    group: context.consumer_group,
                }));
            }
        }
    }
}
