//! Locks of queues, for orderly consumers: 41, 42. Java: `RebalanceLockManager`.

use rocketmq_remoting::protocol::body::{
    LockBatchRequestBody, LockBatchResponseBody, UnlockBatchRequestBody,
};

use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, json_answer, json_body};

/// 41.
pub(crate) fn lock(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let body: LockBatchRequestBody = json_body(request.command, "requestBody")?;
    let now_ms = broker.now_ms();
    let locks = &mut broker.lock().locks;
    let mut lock_ok_mq_set = body.mq_set;
    lock_ok_mq_set.retain(|queue| locks.lock(&body.consumer_group, queue, &body.client_id, now_ms));
    json_answer(&LockBatchResponseBody { lock_ok_mq_set })
}

/// 42. It never fails, not even for locks of another client.
pub(crate) fn unlock(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let body: UnlockBatchRequestBody = json_body(request.command, "requestBody")?;
    broker.lock().locks.unlock(&body.consumer_group, &body.mq_set, &body.client_id);
    Ok(Answer::success())
}
