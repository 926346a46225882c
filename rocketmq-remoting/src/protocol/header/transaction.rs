//! The end of a transaction, and the broker's check of it: 37, 39.

use super::macros::headers;
use crate::protocol::NoHeader;
use bytestring::ByteString;

headers! {
    /// Ends a transaction; one way. Java `EndTransactionRequestHeader`; `END_TRANSACTION` 37.
    ///
    /// The command's remark gives the reason for a rollback. A broker does not notice that a transaction is ended
    /// twice: each commit makes a message.
    pub struct EndTransactionRequestHeader(END_TRANSACTION -> NoHeader) as EndTransactionFields {
        /// The topic of the message, not that of the half message.
        "topic" topic: Option<ByteString>,
        /// The producer's group; must equal the half message's.
        "producerGroup" producer_group: ByteString,
        /// Offset of the half message in its queue.
        "tranStateTableOffset" tran_state_table_offset: i64,
        /// Physical offset of the half message.
        "commitLogOffset" commit_log_offset: i64,
        /// 8 commits, 12 rolls back, 0 means unknown; Java `MessageSysFlag`.
        "commitOrRollback" commit_or_rollback: i32,
        /// Whether this answers a broker's check.
        "fromTransactionCheck" from_transaction_check: bool = false,
        /// The unique id of the message.
        "msgId" msg_id: ByteString,
        /// The transaction's id: the unique id again.
        "transactionId" transaction_id: Option<ByteString>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Broker to producer, one way: what is the state of this transaction? The body is the half message.
    ///
    /// Java `CheckTransactionStateRequestHeader`; `CHECK_TRANSACTION_STATE` 39. The producer answers with an
    /// [`EndTransactionRequestHeader`] on the same connection.
    pub struct CheckTransactionStateRequestHeader(CHECK_TRANSACTION_STATE -> NoHeader) {
        /// The topic of half messages; the body has the message's own topic.
        "topic" topic: Option<ByteString>,
        /// Offset of the half message in its queue.
        "tranStateTableOffset" tran_state_table_offset: i64,
        /// Physical offset of the half message.
        "commitLogOffset" commit_log_offset: i64,
        /// The unique id of the message.
        "msgId" msg_id: Option<ByteString>,
        /// The transaction's id: the unique id again.
        "transactionId" transaction_id: Option<ByteString>,
        /// Store address and physical offset in hexadecimal.
        "offsetMsgId" offset_msg_id: Option<ByteString>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }
}
