//! Acknowledges popped messages: 200051, 200151. Java: `AckMessageProcessor`.

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{BatchAck, BatchAckMessageRequestBody};
use rocketmq_remoting::protocol::header::ChangeInvisibleTimeFields;

use super::checks::{illegal_queue, known_topic};
use super::handle::{ORDERED, PopHandle, real_topic};
use super::take::queue;
use crate::broker::state::pops::{CheckpointKey, Committed, QueueKey, WaitKind};
use crate::broker::state::{Broker, HeldRequest, State};
use crate::history::BrokerEvent;
use crate::wire::{Answer, Refusal, Request, decode_json, peer_with_slash, required};

/// A message of an existing queue.
pub(crate) struct Named {
    pub(crate) key: QueueKey,
    pub(crate) offset: i64,
}

impl Named {
    /// The message that a request names. Its topic and queue must exist.
    pub(crate) fn of(
        fields: &ChangeInvisibleTimeFields<'_>,
        state: &State,
        request: &Request<'_>,
    ) -> Result<Self, Refusal> {
        let topic = required(fields.topic.as_deref(), "topic")?;
        let queues = known_topic(state, topic)?.read_queue_nums;
        let queue_id = required(fields.queue_id, "queueId")?;
        if !(0..queues).contains(&queue_id) {
            let remark = illegal_queue(topic, queue_id, queues, request.responder);
            return Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark));
        }
        let group = fields.consumer_group.as_deref().unwrap_or("null");
        let offset = required(fields.offset, "offset")?;
        Ok(Self { key: QueueKey::new(topic, group, queue_id), offset })
    }
}

/// 200051. Accepts messages that are not hidden any more, or are hidden again.
pub(crate) fn ack(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ChangeInvisibleTimeFields<'_> = request.fields()?;
    let mut woken = Vec::new();
    {
        let state = &mut *broker.lock();
        let Named { key, offset } = Named::of(&fields, state, request)?;
        let (min, max) = queue(state, &key).range();
        if !(min..=max).contains(&offset) {
            let QueueKey { topic, queue_id, .. } = &key;
            let remark =
                format!("offset is illegal, key:{topic}@{queue_id}, commit:{offset}, store:{min}~{max}");
            return Err(Refusal::new(ResponseCode::NO_MESSAGE, remark));
        }
        let handle = PopHandle::read(fields.extra_info.as_deref())?;
        let broker_name = handle.broker_name()?;
        let point = handle.checkpoint(key)?;
        note(broker, &point.queue, offset);
        if handle.revive_queue_id()? == ORDERED {
            ack_in_order(broker, state, &point, offset, request, &mut woken)?;
        } else if broker_name.trim().is_empty() || *broker_name == **broker.name() {
            state.pops.checkpoints.ack(&point, offset);
            state.figures.ack(broker.now_ms(), &point.queue.topic, &point.queue.group);
        }
    }
    HeldRequest::wake_all(woken, broker);
    Ok(Answer::success())
}

/// 200151. Ignores unknown messages; an empty list gives `NO_MESSAGE`.
pub(crate) fn batch_ack(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let body = request.command.body.trim_ascii();
    let nothing = Answer { code: ResponseCode::NO_MESSAGE, ..Answer::success() };
    if body.is_empty() {
        return Ok(nothing);
    }
    let body: BatchAckMessageRequestBody = decode_json(body)?;
    if body.acks.is_empty() {
        return Ok(nothing);
    }
    let mut woken = Vec::new();
    let mut state = broker.lock();
    let is_ours = body.broker_name.trim().is_empty() || *body.broker_name == **broker.name();
    let done =
        body.acks.iter().try_for_each(|acks| ack_all(broker, &mut state, acks, is_ours, request, &mut woken));
    drop(state);
    HeldRequest::wake_all(woken, broker);
    done.map(|()| Answer::success())
}

fn ack_all(
    broker: &Broker,
    state: &mut State,
    acks: &BatchAck,
    is_ours: bool,
    request: &Request<'_>,
    woken: &mut Vec<HeldRequest>,
) -> Result<(), Refusal> {
    let topic = real_topic(&acks.topic, &acks.consumer_group, &acks.retry)?;
    let key = QueueKey::new(&topic, &acks.consumer_group, acks.queue_id);
    let (min, max) = queue(state, &key).range();
    let BatchAck { start_offset, pop_time, invisible_time, .. } = *acks;
    let point = CheckpointKey { queue: key.clone(), start_offset, pop_time, invisible_time };
    for distance in acks.bit_set.iter() {
        let offset = acks.start_offset.saturating_add(i64::from(distance));
        if !(min..=max).contains(&offset) {
            continue;
        }
        note(broker, &point.queue, offset);
        if acks.revive_queue_id == ORDERED {
            ack_in_order(broker, state, &point, offset, request, woken)?;
        } else if is_ours {
            state.pops.checkpoints.ack(&point, offset);
            state.figures.ack(broker.now_ms(), &topic, &acks.consumer_group);
        }
    }
    Ok(())
}

fn note(broker: &Broker, key: &QueueKey, offset: i64) {
    broker.recorder.note(|| BrokerEvent::Acknowledged {
        group: key.group.as_str().into(),
        queue: broker.queue(&key.topic, key.queue_id),
        offset,
    });
}

/// Acknowledges in order: commits behind all acknowledged messages, and frees the queue after the last one.
fn ack_in_order(
    broker: &Broker,
    state: &mut State,
    point: &CheckpointKey,
    offset: i64,
    request: &Request<'_>,
    woken: &mut Vec<HeldRequest>,
) -> Result<(), Refusal> {
    let key = &point.queue;
    let QueueKey { topic, group, queue_id } = key;
    let old = state.offsets.get(topic, group, *queue_id).unwrap_or(-1);
    if offset < old {
        return Ok(());
    }
    match state.pops.orders.commit(key, offset, point.pop_time) {
        Committed::Next(next) => {
            state.offsets.commit(topic, group, *queue_id, next);
            if !state.pops.orders.is_blocked(key, None, 0, broker.now_ms()) {
                state.pops.held.wake_one(WaitKind::Pop, key.clone(), woken);
            }
            Ok(())
        }
        Committed::Late => Ok(()),
        Committed::Unknown => {
            let peer = request.responder.peer().map(peer_with_slash);
            let remark = format!(
                "offset is illegal, key:{topic}@{group}@{queue_id}, old:{old}, commit:{offset}, next:-1, {}",
                peer.unwrap_or_default()
            );
            Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark))
        }
    }
}
