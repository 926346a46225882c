//! Ends a transaction: 37.

use rocketmq_common::MessageExt;
use rocketmq_common::message_const as names;
use rocketmq_common::sysflag::TransactionType;
use rocketmq_remoting::protocol::header::EndTransactionFields;
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};

use crate::broker::later;
use crate::broker::records::{KnownProperties, again, real_place, stored};
use crate::broker::state::{Broker, HeldRequest, State, immunity_ms};
use crate::store::with_properties;
use crate::wire::{Answer, NOT_SET, Refusal, Reply, read_fields, required};

/// 37. It is not noticed that a half message has ended before: each commit makes a message.
pub(crate) fn end_transaction(broker: &Broker, command: RemotingCommand, responder: Reply) {
    let ended = end(broker, &command);
    broker.changes.tell();
    match ended {
        Ok(Some(answer)) => answer.send(responder),
        // The state "unknown" gets no answer, even if the producer asked for one.
        Ok(None) => drop(responder),
        Err(refusal) => refusal.send(responder),
    }
}

fn end(broker: &Broker, command: &RemotingCommand) -> Result<Option<Answer>, Refusal> {
    let fields: EndTransactionFields<'_> = read_fields(&command.ext_fields)?;
    if let Some(offset) = fields.tran_state_table_offset {
        broker.lock().halves.asked.remove(&offset);
    }
    let commits = match required(fields.commit_or_rollback, "commitOrRollback")? {
        0 => return Ok(None),
        8 => true,
        12 => false,
        _ => {
            let class = "org.apache.rocketmq.remoting.exception.RemotingCommandException";
            return Err(Refusal::exception(class, "commitOrRollback field wrong"));
        }
    };
    let at = required(fields.commit_log_offset, "commitLogOffset")?;
    let mut state = broker.lock();
    let Some(half) = stored(&state, at) else {
        return Err(wrong("Find prepared transaction message failed"));
    };
    if !fields.from_transaction_check.unwrap_or(false) {
        check_immunity(broker, &state, &half)?;
    }
    check_half(&half, &fields)?;
    let mut woken = Vec::new();
    if commits {
        commit(broker, &mut state, &half, &mut woken)?;
    }
    state.halves.ended.insert(half.queue_offset());
    drop(state);
    HeldRequest::wake_all(woken, broker);
    Ok(Some(if commits { Answer::success() } else { Answer::success().with_remark(NOT_SET) }))
}

/// After its immunity, only an answer to the broker's check ends a half message.
fn check_immunity(broker: &Broker, state: &State, half: &MessageExt) -> Result<(), Refusal> {
    match immunity_ms(half, broker.obeyed().transactions) {
        Some(limit_ms) if state.halves.age_ms(broker, half) > limit_ms => {
            Err(Refusal::new(ResponseCode::ILLEGAL_OPERATION, NOT_SET))
        }
        _ => Ok(()),
    }
}

/// Checks that the half message is the one that the producer means.
fn check_half(half: &MessageExt, fields: &EndTransactionFields<'_>) -> Result<(), Refusal> {
    let group = required(half.property(names::PROPERTY_PRODUCER_GROUP), "pgroupRead")?;
    if fields.producer_group.as_deref() != Some(group) {
        return Err(wrong("The producer group wrong"));
    }
    if required(fields.tran_state_table_offset, "tranStateTableOffset")? != half.queue_offset() {
        return Err(wrong("The transaction state table offset wrong"));
    }
    Ok(())
}

fn commit(
    broker: &Broker,
    state: &mut State,
    half: &MessageExt,
    woken: &mut Vec<HeldRequest>,
) -> Result<(), Refusal> {
    let place = required(real_place(half), "REAL_TOPIC")?;
    let wire = half.properties().as_wire();
    let left_out = [names::PROPERTY_REAL_TOPIC, names::PROPERTY_REAL_QUEUE_ID];
    let properties = with_properties(wire, std::iter::empty(), &left_out);
    let mut record = again(half, place, &properties, broker.now_ms());
    record.sys_flag = record.sys_flag.with_transaction_type(TransactionType::Commit);
    record.prepared_transaction_offset = half.commit_log_offset();
    // A committed message is no half message any more, but it may have to wait for its time.
    let known = KnownProperties { transaction: None, ..KnownProperties::read(&properties) };
    later::store(broker, state, &record, &known, woken).map(|_| ())
}

fn wrong(remark: &'static str) -> Refusal {
    Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
}
