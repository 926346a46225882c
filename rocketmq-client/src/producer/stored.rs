use std::borrow::Cow;
use std::sync::Arc;

use bytestring::ByteString;
use rocketmq_common::mix_all::DEFAULT_TRACE_REGION_ID;
use rocketmq_common::{MessageQueue, UniqueId, namespace};
use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::protocol::header::SendMessageAnswer;
use rocketmq_remoting::protocol::{CommandView, FieldsView, RemotingCommand, ResponseCode};

use super::prepared::Prepared;
use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::model::{SendResult, SendStatus};

/// What the answer to a plain message says that was stored as it should be: all that its result needs besides what is known
/// here. The texts of a result are made when somebody is about to get it.
#[derive(Debug)]
pub(super) struct Stored {
    offset_msg_id: UniqueId,
    queue_id: i32,
    queue_offset: i64,
    /// It is the id of the message.
    has_transaction_id: bool,
    /// It is the default one.
    has_region_id: bool,
    trace_on: bool,
}

impl Stored {
    /// `None` for any other answer, good or bad.
    pub(super) fn of(answer: &CommandView<'_>, prepared: &Prepared) -> Option<Self> {
        if answer.response_code() != ResponseCode::SUCCESS {
            return None;
        }
        let stored = SendMessageAnswer::read(answer.fields()).ok()?;
        let is_plain = stored.batch_uniq_id.is_none()
            && stored.recall_handle.is_none()
            && stored.msg_region.as_deref().is_none_or(|region| region == DEFAULT_TRACE_REGION_ID)
            && stored.transaction_id.as_deref().is_none_or(|id| id == prepared.msg_id());
        if !is_plain {
            return None;
        }
        Some(Self {
            offset_msg_id: UniqueId::copied(&stored.msg_id)?,
            queue_id: stored.queue_id,
            queue_offset: stored.queue_offset,
            has_transaction_id: stored.transaction_id.is_some(),
            has_region_id: stored.msg_region.is_some(),
            trace_on: stored.trace_on.unwrap_or(true),
        })
    }

    /// The result of a message that was sent to this queue.
    pub(super) fn result(
        &self,
        option: &ProducerOption,
        prepared: &Prepared,
        queue: &MessageQueue,
    ) -> SendResult {
        let msg_id = prepared.msg_id();
        SendResult {
            send_status: SendStatus::SendOk,
            msg_id: msg_id.to_owned(),
            offset_msg_id: self.offset_msg_id.as_str().to_owned(),
            message_queue: stored_queue(option, queue, self.queue_id),
            queue_offset: self.queue_offset,
            transaction_id: self.has_transaction_id.then(|| msg_id.to_owned()),
            recall_handle: None,
            region_id: self.has_region_id.then_some(Cow::Borrowed(DEFAULT_TRACE_REGION_ID)),
            trace_on: self.trace_on,
        }
    }
}

/// What any answer says.
pub(super) struct SendAnswer<'a> {
    code: i32,
    remark: Option<Cow<'a, str>>,
    fields: FieldsView<'a>,
}

impl<'a> From<CommandView<'a>> for SendAnswer<'a> {
    fn from(answer: CommandView<'a>) -> Self {
        Self { code: answer.code(), remark: answer.remark(), fields: answer.fields() }
    }
}

impl<'a> From<&'a RemotingCommand> for SendAnswer<'a> {
    fn from(answer: &'a RemotingCommand) -> Self {
        let remark = answer.remark.as_deref().map(Cow::Borrowed);
        Self { code: answer.code, remark, fields: answer.ext_fields.view() }
    }
}

/// What the answer of a queue's broker, at this address, says of the message. Java: `MQClientAPIImpl.processSendResponse`.
pub(super) fn send_result(
    option: &ProducerOption,
    prepared: &Prepared,
    (queue, address): (&MessageQueue, &str),
    answer: SendAnswer<'_>,
) -> Result<SendResult, MQClientError> {
    let broker = queue.shared_broker_name();
    let code = ResponseCode(answer.code);
    let send_status = match code {
        ResponseCode::SUCCESS => SendStatus::SendOk,
        ResponseCode::FLUSH_DISK_TIMEOUT => SendStatus::FlushDiskTimeout,
        ResponseCode::FLUSH_SLAVE_TIMEOUT => SendStatus::FlushSlaveTimeout,
        ResponseCode::SLAVE_NOT_AVAILABLE => SendStatus::SlaveNotAvailable,
        _ => {
            let (address, remark) =
                (Arc::from(address), answer.remark.map(|remark| ByteString::from(&*remark)));
            return Err(MQClientError::from_remoting(
                broker,
                RemotingError::Refused { address, code, remark },
            ));
        }
    };
    let stored = SendMessageAnswer::read(answer.fields)
        .map_err(|source| MQClientError::bad_answer(broker.clone(), source))?;
    let region_id = stored.msg_region.map(|region| match &*region {
        DEFAULT_TRACE_REGION_ID => Cow::Borrowed(DEFAULT_TRACE_REGION_ID),
        other => Cow::Owned(other.to_owned()),
    });
    // A batch that is stored as one message has one id.
    let msg_id = stored.batch_uniq_id.map_or_else(|| prepared.msg_id().to_owned(), Cow::into_owned);
    Ok(SendResult {
        send_status,
        msg_id,
        offset_msg_id: stored.msg_id.into_owned(),
        message_queue: stored_queue(option, queue, stored.queue_id),
        queue_offset: stored.queue_offset,
        transaction_id: stored.transaction_id.map(Cow::into_owned),
        recall_handle: stored.recall_handle.map(Cow::into_owned),
        region_id,
        trace_on: stored.trace_on.unwrap_or(true),
    })
}

/// The queue as the user knows it: the one that the broker chose, without the namespace.
fn stored_queue(option: &ProducerOption, queue: &MessageQueue, queue_id: i32) -> MessageQueue {
    let broker = queue.shared_broker_name();
    match option.namespace() {
        None if queue_id == queue.queue_id() => queue.clone(),
        None => queue.with_queue_id(queue_id),
        Some(ns) => {
            MessageQueue::new(&*namespace::without_namespace(queue.topic(), ns), broker.clone(), queue_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rocketmq_remoting::protocol::{FrameLimits, SerializeType};

    use super::*;
    use crate::model::Message;

    const ID: &str = "7F0000010001000000000000000000FF";

    fn prepared() -> Prepared {
        Prepared::with_id(Message::new("T", "x"), ID)
    }

    /// Whether an answer with these fields is plain; the result is then the same as that of any answer.
    fn is_plain(code: ResponseCode, fields: &[(&str, &str)]) -> bool {
        let (option, prepared, queue) =
            (ProducerOption::default(), prepared(), MessageQueue::new("T", "broker-a", 1));
        let mut verdicts = Vec::new();
        for form in [SerializeType::Json, SerializeType::RocketMq] {
            let mut answer = RemotingCommand::response(code);
            answer.serialize_type = form;
            answer.ext_fields.extend(fields.iter().copied());
            let mut frame = BytesMut::new();
            answer.encode(&mut frame).unwrap();
            let (view, _) = CommandView::first(&frame, &FrameLimits::default()).unwrap().unwrap();
            let any = send_result(&option, &prepared, (&queue, "broker:1"), SendAnswer::from(view)).ok();
            let plain = Stored::of(&view, &prepared);
            if let Some(plain) = &plain {
                assert_eq!(Some(plain.result(&option, &prepared, &queue)), any);
            }
            verdicts.push(plain.is_some());
        }
        assert_eq!(verdicts[0], verdicts[1]);
        verdicts[0]
    }

    #[test]
    fn a_plain_answer_gives_the_result_of_any_and_no_other_is_plain() {
        let least = [("msgId", "7F00000100002A9F00000000000004D2"), ("queueId", "1"), ("queueOffset", "5")];
        let with = |more: &[(&str, &str)]| is_plain(ResponseCode::SUCCESS, &[&least, more].concat());
        assert!(with(&[]));
        assert!(with(&[("transactionId", ID), ("MSG_REGION", "DefaultRegion"), ("TRACE_ON", "false")]));
        assert!(with(&[("queueId", "3")]), "the broker chose another queue");
        for more in [
            ("transactionId", "another"),
            ("MSG_REGION", "elsewhere"),
            ("batchUniqId", ID),
            ("recallHandle", "handle"),
            ("msgId", &"7F".repeat(40)),
            ("queueOffset", "none"),
        ] {
            assert!(!with(&[more]), "{more:?}");
        }
        assert!(!is_plain(ResponseCode::FLUSH_DISK_TIMEOUT, &least));
        assert!(!is_plain(ResponseCode::SYSTEM_ERROR, &least));
        assert!(!is_plain(ResponseCode::SUCCESS, &least[1..]));
    }
}
