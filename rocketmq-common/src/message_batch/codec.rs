//! The encoding of a batch: the body of a batch request, and of a record that holds a batch.

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::BatchError;
use crate::message::Message;
use crate::properties::{MAX_PROPERTIES_BYTES, MessageProperties};
use crate::reader::{Reader, text};
use crate::record_error::{RecordError, RecordProblem};

/// Size, magic, checksum, flag, length of the body, length of the properties.
const FIXED_BYTES: usize = 22;

/// The size of a message in the body of a batch, in bytes.
pub fn encoded_len(message: &Message) -> usize {
    FIXED_BYTES + message.body().len() + message.properties().len_bytes()
}

/// Appends a message. Magic and checksum stay 0: the broker fills them in.
pub(super) fn encode(index: usize, message: &Message, out: &mut BytesMut) -> Result<(), BatchError> {
    let (body, properties) = (message.body(), message.properties().as_wire());
    let too_long = |what, length, limit| BatchError::TooLong { index, what, length, limit };
    let size = i32::try_from(encoded_len(message))
        .map_err(|_| too_long("the encoded message", encoded_len(message), i32::MAX as usize))?;
    if properties.len() > MAX_PROPERTIES_BYTES {
        return Err(too_long("properties", properties.len(), MAX_PROPERTIES_BYTES));
    }
    out.put_i32(size);
    out.put_i32(0);
    out.put_i32(0);
    out.put_i32(message.flag());
    out.put_u32(body.len() as u32);
    out.put_slice(body);
    out.put_u16(properties.len() as u16);
    out.put_slice(properties.as_bytes());
    Ok(())
}

/// One message of a batch. Its topic and all other fields come from the request or the record around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchEntry {
    /// The user's number.
    pub flag: i32,
    /// The body, shared with the batch.
    pub body: Bytes,
    /// The properties, shared with the batch.
    pub properties: MessageProperties,
    /// The bytes that the entry takes in the batch.
    pub size: usize,
}

impl BatchEntry {
    /// The message of this entry.
    pub fn into_message(self, topic: impl Into<ByteString>) -> Message {
        Message::from_parts(topic, self.flag, self.properties, self.body)
    }
}

/// Reads the messages of an encoded batch, one after the other (Java: `MessageDecoder.decodeMessages`).
///
/// A broken entry gives an error in its place, and reading continues after it. If the size of an entry is impossible,
/// its error is the last item.
#[derive(Debug)]
pub struct BatchDecoder {
    batch: Bytes,
    at: usize,
}

impl BatchDecoder {
    /// Reads this batch.
    pub fn new(batch: Bytes) -> Self {
        Self { batch, at: 0 }
    }
}

impl Iterator for BatchDecoder {
    type Item = Result<BatchEntry, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        if start == self.batch.len() {
            return None;
        }
        match Reader::enter(&self.batch, start, FIXED_BYTES) {
            Ok(reader) => {
                self.at = reader.end();
                Some(entry(reader).map_err(|problem| RecordError::new(start, problem)))
            }
            Err(problem) => {
                self.at = self.batch.len();
                Some(Err(RecordError::new(start, problem)))
            }
        }
    }
}

fn entry(mut reader: Reader<'_>) -> Result<BatchEntry, RecordProblem> {
    let size = reader.remaining();
    let [_size, _magic, _crc] = [reader.u32("size")?, reader.u32("magic")?, reader.u32("body checksum")?];
    let flag = reader.i32("flag")?;
    let body_len = reader.u32("body length")?;
    let body = reader.bytes("body", body_len)?;
    let properties_len = u32::from(reader.u16("properties length")?);
    let properties = text("properties", reader.bytes("properties", properties_len)?)?;
    reader.finish()?;
    let mut properties = MessageProperties::from_wire(properties);
    properties.mark_received();
    Ok(BatchEntry { flag, body, properties, size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::MessageBatch;
    use super::*;
    use crate::message_const::UNIQ_KEY;
    use crate::testdata;

    fn golden() -> Bytes {
        testdata::parse(include_str!("../../testdata/verified-5.5.0.hex"))["batch_body"].clone().into()
    }

    fn messages(batch: Bytes) -> Vec<Message> {
        BatchDecoder::new(batch).map(|entry| entry.unwrap().into_message("GoldTopic")).collect()
    }

    #[test]
    fn a_batch_that_a_broker_accepted_is_read_and_written_again() {
        let messages = messages(golden());
        let key = |last| format!("7F0000010001251A69D7000000000{last}");
        for (message, (flag, body, id)) in messages.iter().zip([(0, "b0", "0B0"), (1, "b1", "0B1")]) {
            assert_eq!((message.flag(), &message.body()[..]), (flag, body.as_bytes()));
            assert_eq!(message.unique_key(), Some(&*key(id)));
            assert_eq!((message.tags(), message.wait_store_msg_ok()), (Some("A"), true));
            assert_eq!(message.properties().iter().count(), 3);
        }
        assert_eq!(messages.len(), 2);
        assert_eq!(MessageBatch::new(messages).unwrap().encode().unwrap(), golden());
    }

    #[test]
    fn a_message_built_by_a_user_gives_the_same_bytes() {
        let message = |body: &'static str, flag, id: &str| {
            let mut message = Message::new("GoldTopic", body).with_flag(flag);
            message.properties_mut().put_reserved(UNIQ_KEY, id);
            message.with_tags("A").with_wait_store_msg_ok(true)
        };
        let first = message("b0", 0, "7F0000010001251A69D70000000000B0");
        let second = message("b1", 1, "7F0000010001251A69D70000000000B1");
        assert_eq!(MessageBatch::new(vec![first, second]).unwrap().encode().unwrap(), golden());
    }

    #[test]
    fn a_broken_entry_costs_no_other() {
        let mut batch = golden().to_vec();
        batch[16..20].copy_from_slice(&0xFFFF_FFFFu32.to_be_bytes());
        let read: Vec<_> = BatchDecoder::new(batch.clone().into()).collect();
        let error = read[0].as_ref().unwrap_err();
        assert_eq!((error.position(), error.is_last()), (0, false));
        assert_eq!(read[1].as_ref().unwrap().body, "b1");

        batch[..4].copy_from_slice(&0x7FFF_FFFFu32.to_be_bytes());
        let read: Vec<_> = BatchDecoder::new(batch.into()).collect();
        assert_eq!(read.len(), 1);
        assert!(read[0].as_ref().unwrap_err().is_last());
    }

    proptest! {
        #[test]
        fn a_batch_survives(
            entries in prop::collection::vec((any::<i32>(), any::<Vec<u8>>(), "[a-z]{1,9}"), 1..6)
        ) {
            let messages = entries.iter().map(|(flag, body, tag)| {
                Message::new("T", body.clone()).with_flag(*flag).with_tags(tag)
            });
            let batch = MessageBatch::try_from_iter(messages).unwrap();
            let bytes = batch.encode().unwrap();
            prop_assert_eq!(bytes.len(), batch.encoded_len());
            let read: Vec<_> = BatchDecoder::new(bytes).map(|entry| entry.unwrap().into_message("T")).collect();
            prop_assert_eq!(&read[..], batch.messages());
        }

        #[test]
        fn any_bytes_are_a_batch_or_errors(noise: Vec<u8>, at: prop::sample::Index, byte: u8) {
            let mut changed = golden().to_vec();
            let at = at.index(changed.len());
            changed[at] = byte;
            for bytes in [noise, changed] {
                let length = bytes.len();
                prop_assert!(BatchDecoder::new(bytes.into()).count() <= length / 4 + 1);
            }
        }
    }
}
