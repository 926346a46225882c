//! Recalling a delayed message: 370.

use super::macros::headers;
use bytestring::ByteString;

headers! {
    /// Recalls a timer message that is not due yet (5.3.1). Java `RecallMessageRequestHeader`; `RECALL_MESSAGE` 370.
    pub struct RecallMessageRequestHeader(RECALL_MESSAGE -> RecallMessageResponseHeader)
        as RecallMessageFields {
        /// The producer's group.
        "producerGroup" producer_group: Option<ByteString>,
        /// The topic of the message.
        "topic" topic: ByteString,
        /// The handle from the answer to the send.
        "recallHandle" recall_handle: ByteString,
        /// The broker's name in the handle.
        "bname" broker_name: Option<ByteString>,
    }

    /// Java `RecallMessageResponseHeader`. A message that was recalled before, or that never existed, gives the same
    /// answer.
    pub struct RecallMessageResponseHeader {
        /// The unique id of the message.
        "msgId" msg_id: ByteString,
    }
}
