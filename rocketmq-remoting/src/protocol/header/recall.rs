//! Taking back a delayed message: 370.

use super::macros::headers;
use bytestring::ByteString;

headers! {
    /// Takes back a timer message that is not yet due (5.3.1). Java `RecallMessageRequestHeader`;
    /// `RECALL_MESSAGE` 370.
    pub struct RecallMessageRequestHeader(RECALL_MESSAGE -> RecallMessageResponseHeader)
        as RecallMessageFields {
        /// The producer's group.
        "producerGroup" producer_group: Option<ByteString>,
        /// The topic of the message.
        "topic" topic: ByteString,
        /// What the answer to the send gave.
        "recallHandle" recall_handle: ByteString,
        /// The broker's name, as the handle has it.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `RecallMessageResponseHeader`. A message that was taken back before, or never was, gives the
    /// same answer.
    pub struct RecallMessageResponseHeader {
        /// The unique id of the message.
        "msgId" msg_id: ByteString,
    }
}
