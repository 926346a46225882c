use super::bit_set;
use crate::compression::{CompressionType, UnknownCompressionType};

bit_set! {
    /// Properties of a stored or sent message (Java: `MessageSysFlag`).
    MessageSysFlag {
        /// The body is compressed; [`MessageSysFlag::compression_type`] says how.
        COMPRESSED = 0x1;
        /// The message has more than one tag.
        MULTI_TAGS = 0x2;
        /// A half message. This bit and the next two constants form one field of two bits: read it with
        /// [`MessageSysFlag::transaction_type`].
        TRANSACTION_PREPARED = 0x4;
        /// The committed form of a half message.
        TRANSACTION_COMMIT = 0x8;
        /// The end of a half message that was rolled back.
        TRANSACTION_ROLLBACK = 0xC;
        /// The address of the sender has 16 bytes.
        BORNHOST_V6 = 0x10;
        /// The address of the broker has 16 bytes.
        STOREHOSTADDRESS_V6 = 0x20;
        /// Together with [`MessageSysFlag::INNER_BATCH`]: the body holds several messages.
        NEED_UNWRAP = 0x40;
        /// The record is a batch, from a queue that stores a batch as one record.
        INNER_BATCH = 0x80;
    }
}

const TRANSACTION_MASK: i32 = 0xC;
const COMPRESSION_SHIFT: u32 = 8;
const COMPRESSION_MASK: i32 = 0x700;

/// The role of a message in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionType {
    /// No part of a transaction.
    NotTransaction,
    /// A half message.
    Prepared,
    /// A committed message.
    Commit,
    /// The end of a message that was rolled back.
    Rollback,
}

impl MessageSysFlag {
    /// Whether the body is compressed.
    pub const fn is_compressed(self) -> bool {
        self.contains(Self::COMPRESSED)
    }

    /// Whether the body holds several messages: queues of type `BatchCQ` store a batch as one record.
    pub const fn is_inner_batch(self) -> bool {
        self.contains(Self::NEED_UNWRAP.with(Self::INNER_BATCH))
    }

    /// The kind of compression. 0 means zlib: older clients wrote no type.
    ///
    /// # Errors
    /// The three bits hold no known type.
    pub const fn compression_type(self) -> Result<CompressionType, UnknownCompressionType> {
        match (self.bits() & COMPRESSION_MASK) >> COMPRESSION_SHIFT {
            1 => Ok(CompressionType::Lz4),
            2 => Ok(CompressionType::Zstd),
            0 | 3 => Ok(CompressionType::Zlib),
            other => Err(UnknownCompressionType(other)),
        }
    }

    /// Marks a body as compressed with `compression`.
    ///
    /// ```
    /// use rocketmq_common::{CompressionType, MessageSysFlag};
    ///
    /// let flag = MessageSysFlag::default().with_compression(CompressionType::Zlib);
    /// assert_eq!((flag.is_compressed(), flag.compression_type()), (true, Ok(CompressionType::Zlib)));
    /// ```
    #[must_use]
    pub const fn with_compression(self, compression: CompressionType) -> Self {
        let kind = match compression {
            CompressionType::Lz4 => 1,
            CompressionType::Zstd => 2,
            CompressionType::Zlib => 3,
        };
        let rest = self.bits() & !COMPRESSION_MASK;
        Self::from_bits(rest | kind << COMPRESSION_SHIFT).with(Self::COMPRESSED)
    }

    /// The role of the message in a transaction.
    ///
    /// ```
    /// use rocketmq_common::MessageSysFlag;
    /// use rocketmq_common::sysflag::TransactionType;
    ///
    /// assert_eq!(MessageSysFlag::from_bits(0x8).transaction_type(), TransactionType::Commit);
    /// assert_eq!(MessageSysFlag::from_bits(0xC).transaction_type(), TransactionType::Rollback);
    /// ```
    pub const fn transaction_type(self) -> TransactionType {
        match self.bits() & TRANSACTION_MASK {
            0 => TransactionType::NotTransaction,
            0x4 => TransactionType::Prepared,
            0x8 => TransactionType::Commit,
            _ => TransactionType::Rollback,
        }
    }

    /// Replaces the role in a transaction.
    #[must_use]
    pub const fn with_transaction_type(self, kind: TransactionType) -> Self {
        let bits = match kind {
            TransactionType::NotTransaction => 0,
            TransactionType::Prepared => Self::TRANSACTION_PREPARED.bits(),
            TransactionType::Commit => Self::TRANSACTION_COMMIT.bits(),
            TransactionType::Rollback => Self::TRANSACTION_ROLLBACK.bits(),
        };
        Self::from_bits(self.bits() & !TRANSACTION_MASK | bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_types_are_the_broker_s() {
        let kind = |bits| MessageSysFlag::from_bits(bits).compression_type();
        assert_eq!(kind(0x301), Ok(CompressionType::Zlib));
        assert_eq!(kind(0x001), Ok(CompressionType::Zlib));
        assert_eq!(kind(0x101), Ok(CompressionType::Lz4));
        assert_eq!(kind(0x201), Ok(CompressionType::Zstd));
        assert_eq!(kind(0x401), Err(UnknownCompressionType(4)));
        assert_eq!(kind(0x701), Err(UnknownCompressionType(7)));
        for compression in [CompressionType::Lz4, CompressionType::Zstd, CompressionType::Zlib] {
            let flag = MessageSysFlag::from_bits(0x782).with_compression(compression);
            assert_eq!(flag.compression_type(), Ok(compression));
            assert_eq!(flag.bits() & !0x700, 0x83);
        }
        assert_eq!(MessageSysFlag::default().with_compression(CompressionType::Zlib).bits(), 0x301);
    }

    #[test]
    fn the_transaction_is_a_field_not_two_bits() {
        use TransactionType::{Commit, NotTransaction, Prepared, Rollback};
        for (bits, kind) in [(0, NotTransaction), (4, Prepared), (8, Commit), (12, Rollback)] {
            assert_eq!(MessageSysFlag::from_bits(bits | 0x301).transaction_type(), kind);
            assert_eq!(MessageSysFlag::from_bits(0x30D).with_transaction_type(kind).bits(), bits | 0x301);
        }
    }

    #[test]
    fn unknown_bits_survive() {
        let flag = MessageSysFlag::from_bits(i32::MIN | 0x4000).with(MessageSysFlag::COMPRESSED);
        assert_eq!(flag.without(MessageSysFlag::COMPRESSED).bits(), i32::MIN | 0x4000);
        assert_eq!(format!("{:?}", MessageSysFlag::from_bits(0x301)), "MessageSysFlag(0x301)");
    }

    #[test]
    fn an_inner_batch_has_both_bits() {
        assert!(MessageSysFlag::from_bits(0xC0).is_inner_batch());
        assert!(!MessageSysFlag::from_bits(0x80).is_inner_batch());
        assert!(!MessageSysFlag::from_bits(0x40).is_inner_batch());
    }
}
