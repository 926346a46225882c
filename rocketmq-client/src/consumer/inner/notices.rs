//! Requests of brokers to a consumer. Java: `ClientRemotingProcessor`.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use rocketmq_common::record::RecordDecoder;
use rocketmq_remoting::net::Responder;
use rocketmq_remoting::protocol::body::{GetConsumerStatusBody, ResetOffsetBody, decode_body, encode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};

use super::running_info::running_info;
use crate::consumer::dispatch::Pool;
use crate::consumer::member::Member;
use crate::consumer::pull::reset;
use crate::error::with_causes;
use crate::factory::BrokerRequestHandler;

/// The requests that a consumer answers or obeys.
const CODES: [RequestCode; 5] = [
    RequestCode::NOTIFY_CONSUMER_IDS_CHANGED,
    RequestCode::RESET_CONSUMER_CLIENT_OFFSET,
    RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT,
    RequestCode::GET_CONSUMER_RUNNING_INFO,
    RequestCode::CONSUME_MESSAGE_DIRECTLY,
];

/// Answers brokers for one consumer.
#[derive(Debug)]
struct Notices {
    member: Weak<Member>,
    /// `None`: neither a listener nor a stream reads the messages.
    pool: Option<Weak<Pool>>,
}

impl BrokerRequestHandler for Notices {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let Some(member) = self.member.upgrade() else { return };
        if request.request_code() == RequestCode::NOTIFY_CONSUMER_IDS_CHANGED {
            member.notices.fetch_add(1, Ordering::Release);
            return member.want_rebalance();
        }
        let pool = self.pool.as_ref().and_then(Weak::upgrade);
        // Thousands of queues are moved or described, or a listener runs: not on the task of a connection.
        member.clone().tasks.spawn(async move {
            let answer = match answer(&member, pool, &request).await {
                Ok(body) => RemotingCommand::response(ResponseCode::SUCCESS).with_body(body),
                Err(remark) => RemotingCommand::response(ResponseCode::SYSTEM_ERROR).with_remark(remark),
            };
            responder.answer_with(answer);
        });
    }
}

/// Carries a request out. Returns the body of its answer, or the remark of a refusal.
async fn answer(
    member: &Arc<Member>,
    pool: Option<Arc<Pool>>,
    request: &RemotingCommand,
) -> Result<Bytes, String> {
    let field = |name| request.ext_fields.get(name).unwrap_or_default();
    let body = match request.request_code() {
        RequestCode::RESET_CONSUMER_CLIENT_OFFSET => {
            let targets: ResetOffsetBody = decode_body(&request.body).map_err(|error| with_causes(&error))?;
            let topic = field("topic");
            for (queue, target) in targets.offset_table {
                if queue.topic() == topic && target >= 0 {
                    reset(member, &queue, target);
                }
            }
            return Ok(Bytes::new());
        }
        RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT => {
            let mut status = GetConsumerStatusBody::default();
            let topic = field("topic");
            for owned in member.queues.all().iter().filter(|owned| owned.queue.topic() == topic) {
                let position = owned.lock().window.as_ref().map(|window| window.lowest_unfinished());
                status.message_queue_table.extend(position.map(|offset| (owned.queue.clone(), offset)));
            }
            encode_body(&status)
        }
        RequestCode::GET_CONSUMER_RUNNING_INFO => {
            encode_body(&running_info(member, pool.map_or(0, |pool| pool.wanted())))
        }
        _ => {
            let pool = pool.ok_or("the consumer has no listener")?;
            let record = RecordDecoder::new(request.body.clone()).next();
            let message = record.ok_or("the request has no message")?;
            let mut message = message.map_err(|error| with_causes(&error))?;
            message.set_broker_name(&*field("brokerName"));
            encode_body(&pool.consume_directly(message).await?)
        }
    };
    body.map_err(|error| with_causes(&error))
}

/// The handlers that answer brokers for a consumer.
pub(crate) fn handlers(
    member: &Arc<Member>,
    pool: Option<&Arc<Pool>>,
) -> Vec<(RequestCode, Arc<dyn BrokerRequestHandler>)> {
    let notices = Notices { member: Arc::downgrade(member), pool: pool.map(Arc::downgrade) };
    let notices: Arc<dyn BrokerRequestHandler> = Arc::new(notices);
    CODES.map(|code| (code, notices.clone())).into()
}
