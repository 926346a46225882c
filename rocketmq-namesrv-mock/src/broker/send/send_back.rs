//! Messages that a consumer returns: 36. Java: `AbstractSendMessageProcessor.consumerSendMsgBack`.

use rocketmq_common::MessageExt;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::{dlq_topic, retry_topic};
use rocketmq_remoting::net::random;
use rocketmq_remoting::protocol::header::ConsumerSendMsgBackFields;
use rocketmq_remoting::protocol::{ResponseCode, mq_version};

use crate::broker::later;
use crate::broker::records::{KnownProperties, NewRecord, again, stored};
use crate::broker::state::{Broker, HeldRequest, State, TopicSettings};
use crate::history::BrokerEvent;
use crate::store::with_properties;
use crate::wire::{Answer, Refusal, Request, SEE_FAQ, required};

/// The delay level of the first retry, if the consumer names none.
const FIRST_LEVEL: i32 = 3;

/// Java: `TopicSysFlag.FLAG_UNIT_SUB`.
const UNIT_SUB: i32 = 2;

/// The destination of a returned message.
struct Way {
    topic: String,
    queue_id: i32,
    /// The delay level; 0 for none.
    delay_level: i32,
}

/// 36. Stores the message in the group's retry topic, or in its dead letters after too many attempts.
pub(crate) fn send_back(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ConsumerSendMsgBackFields<'_> = request.fields()?;
    let mut woken = Vec::new();
    let answer = {
        let mut state = broker.lock();
        run(broker, &mut state, &fields, request, &mut woken)
    };
    HeldRequest::wake_all(woken, broker);
    answer
}

fn run(
    broker: &Broker,
    state: &mut State,
    fields: &ConsumerSendMsgBackFields<'_>,
    request: &Request<'_>,
    woken: &mut Vec<HeldRequest>,
) -> Result<Answer, Refusal> {
    let group = required(fields.group.as_deref(), "group")?;
    let Some(config) = state.groups.find(group) else {
        let remark = format!("subscription group not exist, {group} {SEE_FAQ}");
        return Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    };
    let (retry_queues, group_times) = (config.retry_queue_nums, config.retry_max_times);
    if !broker.permits().is_writable() {
        let remark = format!("the broker[{}] sending message is forbidden", broker.address().ip());
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
    }
    // A group without retry queues gets no retries.
    let Some(queues) = u64::try_from(retry_queues).ok().filter(|queues| *queues > 0) else {
        return Ok(Answer::success());
    };
    let sys_flag = if fields.unit_mode == Some(true) { UNIT_SUB } else { 0 };
    let retry = retry_topic(group);
    broker.ensure_topic(state, TopicSettings { sys_flag, ..TopicSettings::new(&*retry, retry_queues) });
    if state.topics.get(&retry).is_some_and(|topic| !topic.config.perm.is_writable()) {
        let remark = format!("the topic[{retry}] sending message is forbidden");
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
    }
    let offset = required(fields.offset, "offset")?;
    let Some(message) = stored(state, offset) else {
        let remark = format!("look message by offset failed, {offset}");
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    };
    let level = required(fields.delay_level, "delayLevel")?;
    let times = fields
        .max_reconsume_times
        .filter(|_| request.command.version >= mq_version::V3_4_9)
        .unwrap_or(group_times);
    let way = if level < 0 || message.reconsume_times() >= times {
        // Java counts dead letters by the topic that the consumer names, and fails without it.
        required(fields.origin_topic.as_deref(), "originTopic")?;
        broker.ensure_topic(state, TopicSettings::new(dlq_topic(group), 1));
        Way { topic: dlq_topic(group), queue_id: 0, delay_level: 0 }
    } else {
        let delay_level =
            if level == 0 { FIRST_LEVEL.saturating_add(message.reconsume_times()) } else { level };
        // The cast fits: the remainder is less than a 32-bit number.
        Way { topic: retry, queue_id: (random() % queues) as i32, delay_level }
    };
    let answer = store(broker, state, &message, &way, woken)?;
    broker.recorder.note(|| BrokerEvent::SentBack {
        group: group.into(),
        client: state.consumers.client(group, request.responder.connection()),
        queue: broker.queue(message.topic(), message.queue_id()),
        offset: message.queue_offset(),
        to: way.topic.clone(),
    });
    let topic = message.property(names::PROPERTY_RETRY_TOPIC).unwrap_or(message.topic());
    state.figures.send_back(broker.now_ms(), topic, group);
    Ok(answer)
}

fn store(
    broker: &Broker,
    state: &mut State,
    message: &MessageExt,
    way: &Way,
    woken: &mut Vec<HeldRequest>,
) -> Result<Answer, Refusal> {
    let properties = properties(message, way.delay_level);
    // A message of a transaction must not wait for its end again.
    let known = KnownProperties { transaction: None, ..KnownProperties::read(&properties) };
    let record = again(message, (&way.topic, way.queue_id), &properties, broker.now_ms());
    let reconsume_times = record.reconsume_times.saturating_add(1);
    let record = NewRecord { reconsume_times, prepared_transaction_offset: 0, ..record };
    match later::store(broker, state, &record, &known, woken) {
        Ok(_) => Ok(Answer::success()),
        // The refusal of the store becomes a remark.
        Err(refusal) if refusal.code == ResponseCode::MESSAGE_ILLEGAL => {
            Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "MESSAGE_ILLEGAL"))
        }
        Err(refusal) => Err(refusal),
    }
}

/// The properties of the new record. They keep the id of the first copy, however often the message comes back.
fn properties(message: &MessageExt, delay_level: i32) -> String {
    let level = delay_level.to_string();
    let origin = message.property(names::PROPERTY_ORIGIN_MESSAGE_ID).filter(|id| !id.trim().is_empty());
    let added = [
        (
            names::PROPERTY_RETRY_TOPIC,
            message.property(names::PROPERTY_RETRY_TOPIC).unwrap_or(message.topic()),
        ),
        (names::PROPERTY_WAIT_STORE_MSG_OK, "false"),
        (names::PROPERTY_DELAY_TIME_LEVEL, level.as_str()),
        (names::PROPERTY_ORIGIN_MESSAGE_ID, origin.unwrap_or(message.offset_msg_id())),
    ];
    with_properties(message.properties().as_wire(), added.into_iter(), &[])
}
