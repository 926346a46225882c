//! Transaction checks: the broker asks a producer for the state of a transaction, 39.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rocketmq_common::MessageExt;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::{RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC, RMQ_SYS_TRANS_HALF_TOPIC};
use rocketmq_common::record::{RecordFields, RecordHeader, encode_record};
use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::header::CheckTransactionStateRequestHeader;
use rocketmq_remoting::protocol::{CommandRef, RequestCode};

use crate::broker::records::{StoredAt, again, append, real_place, stored};
use crate::broker::state::{Broker, HeldRequest, State, TopicSettings, immunity_ms, millis};
use crate::store::with_properties;

/// The longest wait for room in the write buffer.
const WRITE_LIMIT: Duration = Duration::from_secs(3);

/// A check on its way to a producer.
struct Question {
    connection: Connection,
    header: CheckTransactionStateRequestHeader,
    body: Bytes,
}

/// Goes through all half messages that have not ended: asks about old ones, and gives up those that were checked too
/// often. Returns the number of checks that were sent.
pub(crate) async fn check_transactions(broker: &Broker) -> usize {
    let mut woken = Vec::new();
    let questions = questions(broker, &mut broker.lock(), &mut woken);
    HeldRequest::wake_all(woken, broker);
    let mut sent = 0;
    for Question { connection, header, body } in questions {
        let half = header.tran_state_table_offset;
        broker.lock().halves.asked.insert(half);
        let question = CommandRef::request(RequestCode::CHECK_TRANSACTION_STATE, &header).with_body(&body);
        let asked = broker.pushes().oneway(&connection, &question, WRITE_LIMIT).await;
        if asked {
            sent += 1;
        } else {
            broker.lock().halves.asked.remove(&half);
        }
    }
    sent
}

fn questions(broker: &Broker, state: &mut State, woken: &mut Vec<HeldRequest>) -> Vec<Question> {
    let options = broker.obeyed().transactions;
    let end_offset = half_queue_end(state);
    let mut questions = Vec::new();
    let mut offset = state.halves.next_offset;
    // A half message that stays in place keeps all after it from being forgotten.
    let mut all_settled = true;
    // Half messages that are stored again go after the end, and wait for the next round.
    while offset < end_offset {
        let settled = match half_at(state, offset) {
            _ if state.halves.ended.contains(&offset) => true,
            None => true,
            Some(half) if check_times(&half) >= options.check_max => {
                give_up(broker, state, &half, woken);
                true
            }
            Some(half) => {
                let age_ms = state.halves.age_ms(broker, &half);
                let immunity = immunity_ms(&half, options);
                let limit_ms = immunity.unwrap_or(millis(options.timeout));
                // A negative age means that the producer's clock is ahead: ask at once.
                if age_ms >= limit_ms || age_ms < 0 {
                    questions.extend(ask(broker, state, &half, woken));
                    true
                } else if immunity.is_none() {
                    // All half messages after this one are younger.
                    break;
                } else {
                    false
                }
            }
        };
        all_settled &= settled;
        if settled {
            state.halves.ended.insert(offset);
        }
        offset += 1;
        if all_settled {
            state.halves.forget_before(offset);
        }
    }
    questions
}

/// Stores the half message again, and asks the next producer of its group about the new one.
fn ask(
    broker: &Broker,
    state: &mut State,
    half: &MessageExt,
    woken: &mut Vec<HeldRequest>,
) -> Option<Question> {
    let times = (check_times(half) + 1).to_string();
    let checked = [(names::PROPERTY_TRANSACTION_CHECK_TIMES, times.as_str())];
    let wire = half.properties().as_wire();
    let properties = with_properties(wire, checked.into_iter(), &[]);
    let now_ms = broker.now_ms();
    let record = again(half, (half.topic(), half.queue_id()), &properties, now_ms);
    let place = append(broker, state, &record, woken).ok()?;
    let halves = &mut state.halves;
    let first = halves.first_stored.get(&half.queue_offset()).copied().unwrap_or(half.store_timestamp());
    halves.first_stored.insert(place.queue_offset, first);

    let group = half.property(names::PROPERTY_PRODUCER_GROUP)?;
    let connection = state.producers.next(group)?;
    let unique_key = half.unique_key().map(Into::into);
    let header = CheckTransactionStateRequestHeader {
        topic: Some(RMQ_SYS_TRANS_HALF_TOPIC.into()),
        tran_state_table_offset: place.queue_offset,
        commit_log_offset: place.commit_log_offset,
        msg_id: unique_key.clone(),
        transaction_id: unique_key,
        offset_msg_id: Some(broker.offset_msg_id(place.commit_log_offset).to_string().into()),
        broker_name: Some((&*broker.name).into()),
    };
    Some(Question { connection, header, body: body(half, place, &properties)? })
}

/// The half message in the form for its producer: with its real topic and queue, at its new position.
fn body(half: &MessageExt, place: StoredAt, properties: &str) -> Option<Bytes> {
    let (topic, queue_id) = real_place(half)?;
    let not_waited = [(names::PROPERTY_WAIT_STORE_MSG_OK, "false")];
    let properties = with_properties(properties, not_waited.into_iter(), &[]);
    let header = RecordHeader {
        queue_id,
        queue_offset: place.queue_offset,
        commit_log_offset: place.commit_log_offset,
        ..half.header()
    };
    let fields =
        RecordFields { header, flag: half.flag(), topic, body: half.body(), properties: &properties };
    let mut record = BytesMut::new();
    encode_record(&fields, &mut record).ok()?;
    Some(record.freeze())
}

/// Moves a half message whose transaction stayed undecided to its own topic.
fn give_up(broker: &Broker, state: &mut State, half: &MessageExt, woken: &mut Vec<HeldRequest>) {
    let topic = RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC;
    if state.topics.get(topic).is_none() {
        broker.put_topic(state, TopicSettings::new(topic, 1));
    }
    let record = again(half, (topic, 0), half.properties().as_wire(), broker.now_ms());
    // An error (full store) has no receiver: no client waits for an answer.
    let _ = append(broker, state, &record, woken);
}

/// How many times producers were asked about a half message.
fn check_times(half: &MessageExt) -> u32 {
    let times = half.property(names::PROPERTY_TRANSACTION_CHECK_TIMES);
    times.and_then(|times| times.parse().ok()).unwrap_or(0)
}

fn half_at(state: &State, offset: i64) -> Option<MessageExt> {
    let queue = state.topics.get(RMQ_SYS_TRANS_HALF_TOPIC)?.queue(0)?;
    let position = state.log.position_of(queue.entries_from(offset).next()?.record)?;
    stored(state, position)
}

fn half_queue_end(state: &State) -> i64 {
    let queue = state.topics.get(RMQ_SYS_TRANS_HALF_TOPIC).and_then(|topic| topic.queue(0));
    queue.map_or(0, |queue| queue.max_offset())
}
