//! Popping messages (5.0): 200050–200055, 200151. None of these codes fits into the binary header.

use super::macros::{bare_requests, headers};
use crate::protocol::fields::HeaderField;
use crate::protocol::{FieldsView, NoHeader};
use bytestring::ByteString;

bare_requests! {
    /// Acknowledges several popped messages (5.1). Java sends no header; `BATCH_ACK_MESSAGE` 200151. The body is
    /// a [`BatchAckMessageRequestBody`](crate::protocol::body::BatchAckMessageRequestBody).
    pub struct BatchAckMessageRequest (BATCH_ACK_MESSAGE -> NoHeader);
}

headers! {
    /// Reads messages and hides them for a while. Java `PopMessageRequestHeader`; `POP_MESSAGE` 200050.
    pub struct PopMessageRequestHeader(POP_MESSAGE -> PopMessageResponseHeader) as PopMessageFields {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
        /// The queue; −1 for any.
        "queueId" queue_id: i32,
        /// The largest number of messages; more than 32 is refused.
        "maxMsgNums" max_msg_nums: i32,
        /// How long the messages stay hidden, in milliseconds.
        "invisibleTime" invisible_time: i64,
        /// How long to wait for new messages, in milliseconds.
        "pollTime" poll_time: i64,
        /// When the request was made, in milliseconds since 1970; 0 means now.
        "bornTime" born_time: i64,
        /// Where a new group starts: 0 at the first message, 1 at the last.
        "initMode" init_mode: i32,
        /// `TAG` or `SQL92`.
        "expType" exp_type: Option<ByteString>,
        /// The filter expression.
        "exp" exp: Option<ByteString>,
        /// Pops in order: nothing more from a queue until the popped messages are acknowledged.
        "order" order: Option<bool>,
        /// Identifies one attempt of an ordered pop, so that it can be repeated (5.1).
        "attemptId" attempt_id: Option<ByteString>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// The parts of the handles for acknowledging, sent with code 0 and with errors. Java `PopMessageResponseHeader`.
    pub struct PopMessageResponseHeader {
        /// When the messages were popped, in milliseconds since 1970.
        "popTime" pop_time: i64,
        /// How long the messages stay hidden, in milliseconds.
        "invisibleTime" invisible_time: i64,
        /// The queue of the broker's pop records; 999 for an ordered pop.
        "reviveQid" revive_qid: i32,
        /// How many messages are left, roughly.
        "restNum" rest_num: i64,
        /// First offset per queue: `mark queue offset`, joined by `;`.
        "startOffsetInfo" start_offset_info: Option<ByteString>,
        /// Offsets per queue: `mark queue o1,o2`, joined by `;`.
        "msgOffsetInfo" msg_offset_info: Option<ByteString>,
        /// Deliveries so far, of an ordered pop: `mark queue count` or `mark qo<queue>%<offset> count`.
        "orderCountInfo" order_count_info: Option<ByteString>,
    }

    /// Acknowledges a popped message. Java `AckMessageRequestHeader`; `ACK_MESSAGE` 200051.
    pub struct AckMessageRequestHeader(ACK_MESSAGE -> NoHeader) {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The topic of the pop request.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The message's handle: the eight words of `POP_CK`.
        "extraInfo" extra_info: ByteString,
        /// The message's offset in its queue.
        "offset" offset: i64,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Hides a popped message for longer. Java `ChangeInvisibleTimeRequestHeader`;
    /// `CHANGE_MESSAGE_INVISIBLETIME` 200053.
    pub struct ChangeInvisibleTimeRequestHeader(
        CHANGE_MESSAGE_INVISIBLETIME -> ChangeInvisibleTimeResponseHeader
    ) as ChangeInvisibleTimeFields {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The topic of the pop request.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The message's handle: the eight words of `POP_CK`.
        "extraInfo" extra_info: ByteString,
        /// The message's offset in its queue.
        "offset" offset: i64,
        /// How long the message stays hidden from now on, in milliseconds.
        "invisibleTime" invisible_time: i64,
        /// Whether the delivery does not count when the message comes again (5.4).
        "suspend" suspend: Option<bool>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Parts of the new handle. Java `ChangeInvisibleTimeResponseHeader`.
    pub struct ChangeInvisibleTimeResponseHeader {
        /// The new pop time, in milliseconds since 1970.
        "popTime" pop_time: i64,
        /// How long the message stays hidden, in milliseconds.
        "invisibleTime" invisible_time: i64,
        /// The queue of the broker's pop records.
        "reviveQid" revive_qid: i32,
    }

    /// Looks at messages without hiding them. Java `PeekMessageRequestHeader`; `PEEK_MESSAGE` 200052.
    pub struct PeekMessageRequestHeader(PEEK_MESSAGE -> PopMessageResponseHeader) {
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The largest number of messages.
        "maxMsgNums" max_msg_nums: i32,
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Waits until there is something to pop. Java `NotificationRequestHeader`; `NOTIFICATION` 200054.
    pub struct NotificationRequestHeader(NOTIFICATION -> NotificationResponseHeader) {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
        /// The queue; −1 for any.
        "queueId" queue_id: i32,
        /// How long to wait, in milliseconds.
        "pollTime" poll_time: i64,
        /// When the request was made, in milliseconds since 1970.
        "bornTime" born_time: i64,
        /// For an ordered pop.
        "order" order: Option<bool>,
        /// Identifies one attempt of an ordered pop (5.1).
        "attemptId" attempt_id: Option<ByteString>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `NotificationResponseHeader`.
    pub struct NotificationResponseHeader {
        /// Whether there is something to pop.
        "hasMsg" has_msg: bool,
        /// Whether the broker refused to wait because too many requests wait already.
        "pollingFull" polling_full: bool = false,
    }

    /// The number of waiting pops. Java `PollingInfoRequestHeader`; `POLLING_INFO` 200055.
    pub struct PollingInfoRequestHeader(POLLING_INFO -> PollingInfoResponseHeader) {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `PollingInfoResponseHeader`.
    pub struct PollingInfoResponseHeader {
        /// The number of waiting requests.
        "pollingNum" polling_num: i32,
    }
}

/// Reads the answer to a pop where it lies. A number that is missing or cannot be read is 0.
impl From<FieldsView<'_>> for PopMessageResponseHeader {
    fn from(fields: FieldsView<'_>) -> Self {
        let mut header = Self::default();
        fields.each(|name, value| {
            let number = || value.as_ref().and_then(|value| i64::decode(*value)).unwrap_or_default();
            let text = || value.as_ref().and_then(|value| ByteString::decode(*value));
            match name {
                "popTime" => header.pop_time = number(),
                "invisibleTime" => header.invisible_time = number(),
                "reviveQid" => header.revive_qid = i32::try_from(number()).unwrap_or_default(),
                "restNum" => header.rest_num = number(),
                "startOffsetInfo" => header.start_offset_info = text(),
                "msgOffsetInfo" => header.msg_offset_info = text(),
                "orderCountInfo" => header.order_count_info = text(),
                _ => {}
            }
        });
        header
    }
}
