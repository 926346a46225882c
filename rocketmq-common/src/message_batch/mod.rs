//! Several messages that are sent as one request (Java: `MessageBatch`).

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use crate::message::Message;
use crate::message_const as names;
use crate::mix_all::is_retry_topic;
use crate::shorten::Shorten;

mod codec;

pub use codec::{BatchDecoder, BatchEntry, encoded_len};

/// The most messages that a batch can hold on its way to a broker. Brokers count a batch in 16 signed bits; a larger
/// batch makes the offsets of its queue go backwards, so that what follows is lost.
pub const MAX_BATCH_MESSAGES: usize = i16::MAX as usize;

/// Messages of one topic that go to one queue together. Either all are stored or none.
///
/// All messages have one topic and one setting of `wait_store_msg_ok`. A batch holds no delayed, timer or half message,
/// and no message for a retry topic: brokers ignore or refuse them, and a timer in a batch stops all timers. What is sent
/// holds at most [`MAX_BATCH_MESSAGES`]; [`split`](Self::split) makes batches of that size.
///
/// A received message that is sent on loses what its broker wrote into it; see
/// [`MessageProperties::take_off_received`](crate::MessageProperties::take_off_received).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageBatch {
    messages: Vec<Message>,
}

/// Why messages cannot form a batch. `index` is the position of the faulty message, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// There is no message.
    #[error("a batch needs at least one message")]
    Empty,
    /// There are more messages than a broker can count.
    #[error(
        "a batch of {count} messages is over the limit of {MAX_BATCH_MESSAGES}, beyond which brokers lose messages: split it"
    )]
    TooMany {
        /// The number of messages.
        count: usize,
    },
    /// A message has another topic than the first one.
    #[error("message {index} is for topic `{}`, the first one for `{}`; a batch has one topic", Shorten(.topic), Shorten(.first))]
    Topic {
        /// The position of the message.
        index: usize,
        /// The topic of the message.
        topic: String,
        /// The topic of the first message.
        first: String,
    },
    /// A message is for the retry topic of a group.
    #[error("message {index} is for a retry topic, which takes no batches")]
    RetryTopic {
        /// The position of the message.
        index: usize,
    },
    /// A message has a delay level.
    #[error("message {index} has a delay level, which a batch cannot have; send it alone")]
    Delayed {
        /// The position of the message.
        index: usize,
    },
    /// A message is a timer message.
    #[error("message {index} is a timer message, which a batch cannot have; send it alone")]
    Timer {
        /// The position of the message.
        index: usize,
    },
    /// A message is a half message.
    #[error("message {index} is part of a transaction, which a batch cannot be")]
    Transaction {
        /// The position of the message.
        index: usize,
    },
    /// A message has another setting of `wait_store_msg_ok` than the first.
    #[error("message {index} differs from the first one in whether it waits for being stored (WAIT)")]
    Wait {
        /// The position of the message.
        index: usize,
    },
    /// A message is longer than the format allows.
    #[error("message {index}: {what} of {length} bytes are over the limit of {limit}")]
    TooLong {
        /// The position of the message.
        index: usize,
        /// The part that is too long.
        what: &'static str,
        /// Length of the part in bytes.
        length: usize,
        /// The largest allowed length in bytes.
        limit: usize,
    },
}

impl MessageBatch {
    /// Makes a batch of `messages`.
    ///
    /// ```
    /// use rocketmq_common::message_batch::BatchError;
    /// use rocketmq_common::{Message, MessageBatch};
    ///
    /// let batch = MessageBatch::new(vec![Message::new("Orders", "1"), Message::new("Orders", "2")])?;
    /// assert_eq!((batch.topic(), batch.message_count()), ("Orders", 2));
    ///
    /// let timer = Message::new("Orders", "later").with_delay_time_sec(10);
    /// assert_eq!(MessageBatch::new(vec![timer]), Err(BatchError::Timer { index: 0 }));
    /// # Ok::<(), BatchError>(())
    /// ```
    ///
    /// # Errors
    /// There is no message, or a message breaks a rule of batches; the error names the message.
    pub fn new(mut messages: Vec<Message>) -> Result<Self, BatchError> {
        messages.iter_mut().for_each(|message| message.properties_mut().take_off_received());
        let first = messages.first().ok_or(BatchError::Empty)?;
        for (index, message) in messages.iter().enumerate() {
            check(index, message, first)?;
        }
        Ok(Self { messages })
    }

    /// Makes a batch of the messages that an iterator yields.
    ///
    /// ```
    /// use rocketmq_common::{Message, MessageBatch};
    ///
    /// let batch = MessageBatch::try_from_iter((0..10).map(|n| Message::new("Orders", n.to_string())))?;
    /// assert_eq!(&batch.messages()[9].body()[..], b"9");
    /// # Ok::<(), rocketmq_common::message_batch::BatchError>(())
    /// ```
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    pub fn try_from_iter(messages: impl IntoIterator<Item = Message>) -> Result<Self, BatchError> {
        Self::new(messages.into_iter().collect())
    }

    /// The topic of all messages.
    pub fn topic(&self) -> &str {
        self.messages.first().map_or("", Message::topic)
    }

    /// Whether the broker answers only after it has flushed and replicated all messages as its settings ask.
    pub fn wait_store_msg_ok(&self) -> bool {
        self.messages.first().is_none_or(Message::wait_store_msg_ok)
    }

    /// The messages.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The number of messages; at least 1.
    pub fn message_count(&self) -> usize {
        self.messages.len()
    }

    /// Returns the messages.
    pub fn into_messages(self) -> Vec<Message> {
        self.messages
    }

    /// Gives an id to each message that has none.
    ///
    /// ```
    /// use rocketmq_common::{Message, MessageBatch};
    ///
    /// let mut batch = MessageBatch::new(vec![Message::new("Orders", "1"), Message::new("Orders", "2")])?;
    /// let mut count = 0;
    /// batch.assign_unique_keys(|| {
    ///     count += 1;
    ///     format!("id-{count}")
    /// });
    /// assert_eq!(batch.messages()[1].unique_key(), Some("id-2"));
    /// # Ok::<(), rocketmq_common::message_batch::BatchError>(())
    /// ```
    pub fn assign_unique_keys<Id: AsRef<str>>(&mut self, mut next_id: impl FnMut() -> Id) {
        for message in &mut self.messages {
            if message.unique_key().is_none() {
                message.properties_mut().put_reserved(names::UNIQ_KEY, next_id().as_ref());
            }
        }
    }

    /// The length of the [encoded](Self::encode) batch, in bytes.
    pub fn encoded_len(&self) -> usize {
        self.messages.iter().map(encoded_len).sum()
    }

    /// The body of the request that sends the batch.
    ///
    /// ```
    /// use rocketmq_common::message_batch::BatchDecoder;
    /// use rocketmq_common::{Message, MessageBatch};
    ///
    /// let batch = MessageBatch::new(vec![Message::new("Orders", "1"), Message::new("Orders", "2")])?;
    /// let bytes = batch.encode()?;
    /// assert_eq!(bytes.len(), batch.encoded_len());
    /// assert_eq!(BatchDecoder::new(bytes).count(), 2);
    /// # Ok::<(), rocketmq_common::message_batch::BatchError>(())
    /// ```
    ///
    /// # Errors
    /// There are more than [`MAX_BATCH_MESSAGES`], the properties of a message exceed 32,767 bytes, or a body is
    /// longer than 32 bits can count.
    pub fn encode(&self) -> Result<Bytes, BatchError> {
        let count = self.messages.len();
        if count > MAX_BATCH_MESSAGES {
            return Err(BatchError::TooMany { count });
        }
        let mut out = BytesMut::with_capacity(self.encoded_len());
        for (index, message) in self.messages.iter().enumerate() {
            codec::encode(index, message, &mut out)?;
        }
        Ok(out.freeze())
    }

    /// Splits a batch into batches of at most `limit` encoded bytes and [`MAX_BATCH_MESSAGES`] each, in order. Assign ids first, because they take
    /// bytes too.
    ///
    /// ```
    /// use rocketmq_common::{Message, MessageBatch};
    ///
    /// let batch = MessageBatch::new(vec![Message::new("Orders", vec![0; 1000]); 5])?;
    /// let counts: Vec<usize> = batch.split(2_500)?.iter().map(MessageBatch::message_count).collect();
    /// assert_eq!(counts, [2, 2, 1]);
    /// # Ok::<(), rocketmq_common::message_batch::BatchError>(())
    /// ```
    ///
    /// # Errors
    /// One message alone exceeds the limit.
    pub fn split(self, limit: usize) -> Result<Vec<Self>, BatchError> {
        let mut batches: Vec<Self> = Vec::new();
        let mut room = 0;
        for (index, message) in self.messages.into_iter().enumerate() {
            let length = encoded_len(&message);
            if length > limit {
                return Err(BatchError::TooLong { index, what: "the encoded message", length, limit });
            }
            match batches.last_mut() {
                Some(batch) if length <= room && batch.messages.len() < MAX_BATCH_MESSAGES => {
                    batch.messages.push(message);
                    room -= length;
                }
                _ => {
                    batches.push(Self { messages: vec![message] });
                    room = limit - length;
                }
            }
        }
        Ok(batches)
    }
}

fn check(index: usize, message: &Message, first: &Message) -> Result<(), BatchError> {
    if message.topic() != first.topic() {
        let (topic, first) = (message.topic().to_owned(), first.topic().to_owned());
        return Err(BatchError::Topic { index, topic, first });
    }
    if is_retry_topic(message.topic()) {
        return Err(BatchError::RetryTopic { index });
    }
    if message.delay_time_level() > 0 {
        return Err(BatchError::Delayed { index });
    }
    if message.is_timer() {
        return Err(BatchError::Timer { index });
    }
    if message.properties().contains(names::PROPERTY_TRANSACTION_PREPARED) {
        return Err(BatchError::Transaction { index });
    }
    if message.wait_store_msg_ok() != first.wait_store_msg_ok() {
        return Err(BatchError::Wait { index });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message::new("T", "body")
    }

    fn error(second: Message) -> Option<BatchError> {
        MessageBatch::try_from_iter([message(), second]).err()
    }

    #[test]
    fn a_batch_names_the_message_that_breaks_a_rule() {
        assert_eq!(MessageBatch::new(Vec::new()), Err(BatchError::Empty));
        assert_eq!(error(message()), None);
        let other = BatchError::Topic { index: 1, topic: "S".into(), first: "T".into() };
        assert_eq!(error(message().with_topic("S")), Some(other));
        assert_eq!(error(message().with_delay_time_level(1)), Some(BatchError::Delayed { index: 1 }));
        assert_eq!(error(message().with_delay_time_sec(1)), Some(BatchError::Timer { index: 1 }));
        assert_eq!(error(message().with_delay_time_ms(1)), Some(BatchError::Timer { index: 1 }));
        assert_eq!(error(message().with_deliver_time_ms(1)), Some(BatchError::Timer { index: 1 }));
        assert_eq!(error(message().with_wait_store_msg_ok(false)), Some(BatchError::Wait { index: 1 }));
        assert_eq!(error(message().with_wait_store_msg_ok(true)), None);
        let mut half = message();
        half.properties_mut().put_reserved(names::PROPERTY_TRANSACTION_PREPARED, "true");
        assert_eq!(error(half), Some(BatchError::Transaction { index: 1 }));
        let retry = MessageBatch::new(vec![Message::new("%RETRY%g", "")]);
        assert_eq!(retry, Err(BatchError::RetryTopic { index: 0 }));
    }

    #[test]
    fn ids_are_given_where_there_is_none() {
        let mut batch = MessageBatch::new(vec![message(), message()]).unwrap();
        batch.messages[1].properties_mut().put_reserved(names::UNIQ_KEY, "mine");
        batch.assign_unique_keys(|| "new");
        let keys: Vec<_> = batch.messages().iter().map(Message::unique_key).collect();
        assert_eq!(keys, [Some("new"), Some("mine")]);
    }

    #[test]
    fn a_batch_splits_into_ones_that_fit() {
        let batch = MessageBatch::new(vec![message(); 5]).unwrap();
        assert_eq!(batch.encoded_len(), 5 * 26);
        for limit in [2 * 26, 3 * 26 - 1] {
            let parts = batch.clone().split(limit).unwrap();
            let counts: Vec<_> = parts.iter().map(MessageBatch::message_count).collect();
            assert_eq!(counts, [2, 2, 1]);
            assert!(parts.iter().all(|part| part.encode().unwrap().len() == part.encoded_len()));
        }
        let error = batch.split(25).unwrap_err();
        assert!(matches!(error, BatchError::TooLong { index: 0, length: 26, limit: 25, .. }), "{error}");
    }

    #[test]
    fn more_messages_than_a_broker_counts_are_not_encoded_but_split() {
        let batch = |count| MessageBatch::new(vec![message(); count]).unwrap();
        assert!(batch(MAX_BATCH_MESSAGES).encode().is_ok());
        let error = batch(40_000).encode().unwrap_err();
        assert_eq!(error, BatchError::TooMany { count: 40_000 });
        assert!(error.to_string().contains("32767"), "{error}");
        let counts: Vec<_> =
            batch(70_000).split(usize::MAX).unwrap().iter().map(MessageBatch::message_count).collect();
        assert_eq!(counts, [32_767, 32_767, 4_466]);
    }

    #[test]
    fn a_received_message_can_be_sent_on_in_a_batch() {
        let mut delayed = message().with_delay_time_level(3).with_delay_time_sec(1).with_tags("A");
        delayed.properties_mut().put_reserved(names::PROPERTY_TRANSACTION_PREPARED, "true");
        delayed.properties_mut().mark_received();
        let batch = MessageBatch::new(vec![delayed]).unwrap();
        assert_eq!(batch.messages()[0].properties().as_wire(), "TAGS\u{1}A\u{2}");
    }

    #[test]
    fn properties_that_no_record_holds_are_not_encoded() {
        let batch = MessageBatch::new(vec![message().with_property("k", "v".repeat(32_766))]).unwrap();
        assert!(matches!(batch.encode(), Err(BatchError::TooLong { index: 0, length: 32_769, .. })));
    }
}
