//! The end of a transaction, and the broker's question about it: 37, 39.

use super::macros::headers;
use crate::protocol::NoHeader;
use bytestring::ByteString;

headers! {
    /// Ends a transaction; one way. Java `EndTransactionRequestHeader`; `END_TRANSACTION` 37.
    ///
    /// The remark of the command says why it is rolled back. A broker does not notice a transaction that is
    /// ended twice: each commit makes a message.
    pub struct EndTransactionRequestHeader(END_TRANSACTION -> NoHeader) as EndTransactionFields {
        /// The topic of the message, not that of the half message.
        "topic" topic: Option<ByteString>,
        /// The producer's group; it must be the half message's.
        "producerGroup" producer_group: ByteString,
        /// Offset of the half message in its queue.
        "tranStateTableOffset" tran_state_table_offset: i64,
        /// Physical offset of the half message.
        "commitLogOffset" commit_log_offset: i64,
        /// 8 commits, 12 rolls back, 0 is not known yet; Java `MessageSysFlag`.
        "commitOrRollback" commit_or_rollback: i32,
        /// Whether this answers a question of the broker.
        "fromTransactionCheck" from_transaction_check: bool = false,
        /// The unique id of the message.
        "msgId" msg_id: ByteString,
        /// The transaction's id: the unique id again.
        "transactionId" transaction_id: Option<ByteString>,
        /// The broker's name.
        "bname" broker_name: Option<ByteString>,
    }

    /// Broker to producer, one way: what became of this transaction? The body is the half message.
    ///
    /// Java `CheckTransactionStateRequestHeader`; `CHECK_TRANSACTION_STATE` 39. The answer is an
    /// [`EndTransactionRequestHeader`] on the same connection.
    pub struct CheckTransactionStateRequestHeader(CHECK_TRANSACTION_STATE -> NoHeader) {
        /// The topic of half messages; the body has the real one.
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
