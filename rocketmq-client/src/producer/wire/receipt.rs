//! The answer to a send.

use std::borrow::Cow;
use std::sync::Arc;

use bytestring::ByteString;
use rocketmq_common::mix_all::DEFAULT_TRACE_REGION_ID;
use rocketmq_common::{MessageQueue, namespace};
use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::protocol::header::SendMessageAnswer;
use rocketmq_remoting::protocol::{CommandView, FieldsView, RemotingCommand, ResponseCode};

use super::{MessageId, Prepared};
use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::model::{SendResult, SendStatus};

/// The answer of a broker about a message that it stored.
///
/// It is read on the task of a connection while other answers wait, so it keeps only the parts that differ from
/// message to message. The texts of a [`SendResult`] are made later, where the result is handed out.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) status: SendStatus,
    /// The queue that the broker chose, under its name at brokers.
    queue: MessageQueue,
    queue_offset: i64,
    offset_msg_id: MessageId,
    trace_on: bool,
    /// Whether there is a transaction id. It equals the message's id, unless it is in `Unusual`.
    has_transaction_id: bool,
    /// Whether there is a region. It is the default region, unless it is in `Unusual`.
    has_region_id: bool,
    unusual: Option<Box<Unusual>>,
}

/// Parts that few answers have.
#[derive(Debug, Clone, Default)]
struct Unusual {
    /// The id of a batch that is stored as one message.
    msg_id: Option<Box<str>>,
    transaction_id: Option<Box<str>>,
    region_id: Option<Box<str>>,
    recall_handle: Option<Box<str>>,
}

/// An answer, in its frame or decoded. Its remark is read only for a refusal.
#[derive(Clone, Copy)]
pub(crate) enum SendAnswer<'a> {
    Framed(&'a CommandView<'a>),
    Apart(&'a RemotingCommand),
}

impl<'a> SendAnswer<'a> {
    fn code(self) -> ResponseCode {
        match self {
            Self::Framed(answer) => answer.response_code(),
            Self::Apart(answer) => ResponseCode(answer.code),
        }
    }

    fn fields(self) -> FieldsView<'a> {
        match self {
            Self::Framed(answer) => answer.fields(),
            Self::Apart(answer) => answer.ext_fields.view(),
        }
    }

    fn remark(self) -> Option<ByteString> {
        match self {
            Self::Framed(answer) => answer.remark().map(|remark| ByteString::from(&*remark)),
            Self::Apart(answer) => answer.remark.clone(),
        }
    }
}

impl Receipt {
    /// Reads the answer of the broker of `queue`, at this address, about the message. Java:
    /// `MQClientAPIImpl.processSendResponse`.
    pub(crate) fn read(
        answer: SendAnswer<'_>,
        prepared: &Prepared,
        queue: &MessageQueue,
        address: &str,
    ) -> Result<Self, MQClientError> {
        let status = match answer.code() {
            ResponseCode::SUCCESS => SendStatus::SendOk,
            ResponseCode::FLUSH_DISK_TIMEOUT => SendStatus::FlushDiskTimeout,
            ResponseCode::FLUSH_SLAVE_TIMEOUT => SendStatus::FlushSlaveTimeout,
            ResponseCode::SLAVE_NOT_AVAILABLE => SendStatus::SlaveNotAvailable,
            _ => return Err(refusal(answer, queue, address)),
        };
        // From here on the message is stored: an unreadable answer means *maybe stored*, never *not stored*.
        let stored = SendMessageAnswer::read(answer.fields())
            .map_err(|source| MQClientError::bad_answer(queue.shared_broker_name().clone(), source))?;
        let (has_transaction_id, has_region_id) =
            (stored.transaction_id.is_some(), stored.msg_region.is_some());
        let (queue_id, queue_offset) = (stored.queue_id, stored.queue_offset);
        let (offset_msg_id, trace_on) = (MessageId::from(&*stored.msg_id), stored.trace_on.unwrap_or(true));
        // Usually the broker repeats values that are known here: then nothing is copied.
        let is_usual = stored.batch_uniq_id.is_none()
            && stored.recall_handle.is_none()
            && stored.transaction_id.as_deref().is_none_or(|id| prepared.has_msg_id(id))
            && stored.msg_region.as_deref().is_none_or(|region| region == DEFAULT_TRACE_REGION_ID);
        let unusual = if is_usual { None } else { Some(Unusual::copied(stored)) };
        Ok(Self {
            status,
            // A clone counts a reference; only a queue that the broker changed allocates.
            queue: if queue_id == queue.queue_id() { queue.clone() } else { queue.with_queue_id(queue_id) },
            queue_offset,
            offset_msg_id,
            trace_on,
            has_transaction_id,
            has_region_id,
            unusual,
        })
    }

    /// The result for the user, under names without the namespace.
    pub(crate) fn into_result(self, option: &ProducerOption, prepared: &Prepared) -> SendResult {
        let Unusual { msg_id, transaction_id, region_id, recall_handle } =
            self.unusual.map_or_else(Unusual::default, |unusual| *unusual);
        let own_id = prepared.msg_id();
        let transaction_id = transaction_id.map_or_else(|| own_id.to_owned(), String::from);
        let region_id = region_id.map_or(Cow::Borrowed(DEFAULT_TRACE_REGION_ID), |id| Cow::Owned(id.into()));
        SendResult {
            send_status: self.status,
            msg_id: msg_id.map_or_else(|| own_id.to_owned(), String::from),
            offset_msg_id: self.offset_msg_id.to_string(),
            message_queue: without_namespace(self.queue, option),
            queue_offset: self.queue_offset,
            transaction_id: self.has_transaction_id.then_some(transaction_id),
            recall_handle: recall_handle.map(String::from),
            region_id: self.has_region_id.then_some(region_id),
            trace_on: self.trace_on,
        }
    }
}

impl Unusual {
    #[cold]
    fn copied(stored: SendMessageAnswer<'_>) -> Box<Self> {
        let copy = |text: Option<Cow<'_, str>>| text.map(|text| Box::from(&*text));
        Box::new(Self {
            msg_id: copy(stored.batch_uniq_id),
            transaction_id: copy(stored.transaction_id),
            region_id: copy(stored.msg_region),
            recall_handle: copy(stored.recall_handle),
        })
    }
}

#[cold]
fn refusal(answer: SendAnswer<'_>, queue: &MessageQueue, address: &str) -> MQClientError {
    let (code, remark) = (answer.code(), answer.remark());
    let refused = RemotingError::Refused { address: Arc::from(address), code, remark };
    MQClientError::from_remoting(queue.broker_name(), refused)
}

fn without_namespace(queue: MessageQueue, option: &ProducerOption) -> MessageQueue {
    let Some(namespace) = option.namespace() else { return queue };
    let topic = namespace::without_namespace(queue.topic(), namespace);
    MessageQueue::new(&*topic, queue.shared_broker_name().clone(), queue.queue_id())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rocketmq_remoting::protocol::{FrameLimits, SerializeType};

    use super::*;
    use crate::model::Message;

    const ID: &str = "7F0000010001000000000000000000FF";
    const LEAST: [(&str, &str); 3] =
        [("msgId", "7F00000100002A9F00000000000004D2"), ("queueId", "1"), ("queueOffset", "5")];

    /// Reads an answer with these fields, in either form of a header.
    fn read(code: ResponseCode, fields: &[(&str, &str)]) -> Result<SendResult, MQClientError> {
        let (prepared, queue) =
            (Prepared::with_id(Message::new("T", "x"), ID), MessageQueue::new("T", "broker-a", 1));
        let [json, binary] = [SerializeType::Json, SerializeType::RocketMq].map(|form| {
            let mut answer = RemotingCommand::response(code);
            answer.serialize_type = form;
            answer.ext_fields.extend(fields.iter().copied());
            let mut frame = BytesMut::new();
            answer.encode(&mut frame).unwrap();
            let (view, _) = CommandView::first(&frame, &FrameLimits::default()).unwrap().unwrap();
            let receipt = Receipt::read(SendAnswer::Framed(&view), &prepared, &queue, "broker:1")?;
            Ok(receipt.into_result(&ProducerOption::default(), &prepared))
        });
        assert_eq!(json.as_ref().ok(), binary.as_ref().ok());
        binary
    }

    fn stored_with(more: (&str, &str)) -> SendResult {
        read(ResponseCode::SUCCESS, &[&LEAST[..], &[more]].concat()).unwrap()
    }

    #[test]
    fn a_result_has_what_the_answer_says_and_the_rest_is_known() {
        let least = read(ResponseCode::SUCCESS, &LEAST).unwrap();
        let expected = SendResult {
            send_status: SendStatus::SendOk,
            msg_id: ID.to_owned(),
            offset_msg_id: LEAST[0].1.to_owned(),
            message_queue: MessageQueue::new("T", "broker-a", 1),
            queue_offset: 5,
            transaction_id: None,
            recall_handle: None,
            region_id: None,
            trace_on: true,
        };
        assert_eq!(least, expected);
        assert_eq!(
            stored_with(("queueId", "3")).message_queue.queue_id(),
            3,
            "the broker chose another queue"
        );
        assert!(!stored_with(("TRACE_ON", "false")).trace_on);
    }

    #[test]
    fn usual_and_unusual_texts_come_out_as_they_came_in() {
        for id in [ID, "another"] {
            assert_eq!(stored_with(("transactionId", id)).transaction_id.as_deref(), Some(id));
            assert_eq!(stored_with(("batchUniqId", id)).msg_id, id);
        }
        for region in ["DefaultRegion", "elsewhere"] {
            assert_eq!(stored_with(("MSG_REGION", region)).region_id.as_deref(), Some(region));
        }
        assert_eq!(stored_with(("recallHandle", "handle")).recall_handle.as_deref(), Some("handle"));
        let long = "7F".repeat(40);
        assert_eq!(stored_with(("msgId", &long)).offset_msg_id, long);
    }

    #[test]
    fn weak_answers_are_results_and_refusals_or_unreadable_ones_are_errors() {
        let weak = read(ResponseCode::FLUSH_DISK_TIMEOUT, &LEAST).unwrap();
        assert_eq!(weak.send_status, SendStatus::FlushDiskTimeout);
        let refused = read(ResponseCode::SYSTEM_ERROR, &LEAST).unwrap_err();
        assert_eq!(refused.response_code(), Some(ResponseCode::SYSTEM_ERROR));
        let unreadable = read(ResponseCode::SUCCESS, &LEAST[1..]).unwrap_err();
        assert!(matches!(unreadable, MQClientError::BadAnswer { .. }), "{unreadable}");
    }
}
