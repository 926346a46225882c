use std::fmt;
use std::sync::Arc;

use rocketmq_common::message_const::PROPERTY_PRODUCER_GROUP;
use rocketmq_common::record::RecordDecoder;
use rocketmq_remoting::net::{Connection, RequestHandler, Responder};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};
use tokio::sync::Notify;

use super::groups::{BrokerRequestHandler, Groups, Handlers};

/// The questions to a consumer group: without the group here, the answer is Java's refusal.
const ASK_CONSUMERS: [RequestCode; 3] = [
    RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT,
    RequestCode::GET_CONSUMER_RUNNING_INFO,
    RequestCode::CONSUME_MESSAGE_DIRECTLY,
];

/// Handles requests from brokers. Java: `ClientRemotingProcessor`.
///
/// It runs on the tasks of the connections and must not wait, so it only finds the handler: by the request's code, or
/// by the group that the request names.
pub(super) struct ClientRemotingProcessor {
    pub(super) heartbeat_wanted: Arc<Notify>,
    pub(super) groups: Arc<Groups>,
    /// Handlers that belong to the client as a whole.
    pub(super) of_client: Handlers,
}

impl RequestHandler for ClientRemotingProcessor {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        match self.handler(&request) {
            Some(handler) => handler.handle(request, responder),
            None if ASK_CONSUMERS.contains(&request.request_code()) => {
                let group = group_of(&request).unwrap_or_default();
                let remark = format!("The Consumer Group <{group}> not exist in this consumer");
                let refusal = RemotingCommand::response(ResponseCode::SYSTEM_ERROR);
                responder.answer_with(refusal.with_remark(remark));
            }
            None => {
                let (code, broker) = (request.code, responder.connection().peer());
                tracing::debug!(code, %broker, "a request of a broker that nothing here handles");
                responder.not_supported(&request);
            }
        }
    }

    /// A broker forgets its clients when their connections end: send it a heartbeat on the new connection.
    fn connected(&self, _: &Connection) {
        self.heartbeat_wanted.notify_one();
    }
}

impl ClientRemotingProcessor {
    fn handler(&self, request: &RemotingCommand) -> Option<Arc<dyn BrokerRequestHandler>> {
        let code = request.request_code();
        let of_client = self.of_client.iter().find(|(handled, _)| *handled == code);
        of_client
            .map(|(_, handler)| handler.clone())
            .or_else(|| self.groups.handler(code, &group_of(request)?))
    }
}

/// The group that a request names, for codes that name a group.
fn group_of(request: &RemotingCommand) -> Option<String> {
    let field = match request.request_code() {
        RequestCode::CHECK_TRANSACTION_STATE => return producer_group_of(request),
        RequestCode::NOTIFY_CONSUMER_IDS_CHANGED
        | RequestCode::GET_CONSUMER_RUNNING_INFO
        | RequestCode::CONSUME_MESSAGE_DIRECTLY => "consumerGroup",
        RequestCode::RESET_CONSUMER_CLIENT_OFFSET | RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT => "group",
        _ => return None,
    };
    request.ext_fields.get(field).map(|group| group.into_owned())
}

/// The group of the half message in a transaction check: the header does not name it.
fn producer_group_of(request: &RemotingCommand) -> Option<String> {
    match RecordDecoder::new(request.body.clone()).next() {
        Some(Ok(message)) => message.property(PROPERTY_PRODUCER_GROUP).map(str::to_owned),
        Some(Err(error)) => {
            tracing::warn!(%error, "the half message of a question about a transaction cannot be read");
            None
        }
        None => None,
    }
}

impl fmt::Debug for ClientRemotingProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRemotingProcessor").field("groups", &self.groups).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_the_group_in_its_header() {
        let of = |code, field: &'static str| {
            let mut request = RemotingCommand::request(code);
            request.ext_fields.insert(field, "g");
            group_of(&request)
        };
        assert_eq!(of(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, "consumerGroup").as_deref(), Some("g"));
        assert_eq!(of(RequestCode::RESET_CONSUMER_CLIENT_OFFSET, "group").as_deref(), Some("g"));
        assert_eq!(of(RequestCode::RESET_CONSUMER_CLIENT_OFFSET, "consumerGroup"), None);
        assert_eq!(of(RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT, "consumerGroup"), None);
    }
}
