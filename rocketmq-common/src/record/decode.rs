//! Reads records, like a consumer.

use bytes::Bytes;
use bytestring::ByteString;

use super::layout::Layout;
use super::{RecordError, RecordProblem};
use crate::compression::{DEFAULT_MAX_INFLATED, decompress};
use crate::crc32::crc32;
use crate::message::Message;
use crate::message_batch::{BatchDecoder, BatchEntry};
use crate::message_ext::MessageExt;
use crate::properties::MessageProperties;
use crate::reader::{Reader, text};
use crate::record_error::RecordPlace;
use crate::sysflag::MessageSysFlag;

/// The smallest record: size and magic.
const LEAST_BYTES: usize = 8;

/// How records are read, with limits.
///
/// ```
/// use bytes::Bytes;
/// use rocketmq_common::record::{RecordDecoder, RecordOptions};
///
/// let headers_alone = RecordOptions { read_body: false, ..RecordOptions::default() };
/// assert_eq!(RecordDecoder::with_options(Bytes::new(), headers_alone).count(), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordOptions {
    /// Whether bodies are read at all (Java: `com.rocketmq.read.body`). Without it, bodies are empty, and are neither
    /// checked nor inflated nor unwrapped.
    pub read_body: bool,
    /// Whether a wrong checksum of a body is an error. Java's clients do not check it.
    pub check_crc: bool,
    /// Whether compressed bodies are inflated (Java: `com.rocketmq.decompress.body`).
    pub decompress: bool,
    /// Whether a record that holds a batch is unwrapped into its messages.
    pub unwrap_inner_batch: bool,
    /// The limit to which one body is inflated, in bytes.
    pub max_inflated: usize,
    /// The largest number of messages to read.
    pub max_messages: usize,
}

impl Default for RecordOptions {
    /// Reads and checks everything. Inflates a body to at most 16 MiB and reads at most 262,144 messages.
    fn default() -> Self {
        Self {
            read_body: true,
            check_crc: true,
            decompress: true,
            unwrap_inner_batch: true,
            max_inflated: DEFAULT_MAX_INFLATED,
            max_messages: 1 << 18,
        }
    }
}

/// Reads the messages of a buffer of records, one after the other. They share bodies and properties with the buffer.
///
/// An unreadable record gives an error in its place, and reading continues after it. If the size of a record is
/// impossible, its error is the last item ([`RecordError::is_last`]). Fillers at the end of a commit log file are
/// skipped.
///
/// ```
/// use bytes::Bytes;
/// use rocketmq_common::record::RecordDecoder;
///
/// let mut records = RecordDecoder::new(Bytes::from_static(b"no records at all"));
/// let error = records.next().and_then(Result::err);
/// assert!(error.is_some_and(|error| error.is_last()));
/// assert!(records.next().is_none());
/// ```
#[derive(Debug)]
pub struct RecordDecoder {
    records: Bytes,
    at: usize,
    options: RecordOptions,
    count: usize,
    batch: Option<InnerBatch>,
    /// The topic of the previous record: the next record usually has it too, and shares it.
    topic: ByteString,
}

#[derive(Debug)]
struct InnerBatch {
    position: usize,
    outer: Box<MessageExt>,
    entries: BatchDecoder,
    index: usize,
}

impl RecordDecoder {
    /// Reads these records with the usual options.
    pub fn new(records: Bytes) -> Self {
        Self::with_options(records, RecordOptions::default())
    }

    /// Reads these records.
    pub fn with_options(records: Bytes, options: RecordOptions) -> Self {
        Self { records, at: 0, options, count: 0, batch: None, topic: ByteString::new() }
    }

    /// Expects that the records have this topic: messages share it instead of a copy. Records of other topics are read, too.
    pub fn with_topic(self, topic: ByteString) -> Self {
        Self { topic, ..self }
    }

    /// Reads the next message to the end of a list: it is not moved then. Errors are those of [`next`](Self::next).
    pub fn next_into(&mut self, messages: &mut Vec<MessageExt>) -> Option<Result<(), RecordError>> {
        if self.count == self.options.max_messages {
            return self.one_too_many();
        }
        self.count += 1;
        self.next_message(|message| messages.push(message))
    }

    /// Reads the next record, or the next message of a batch that is being unwrapped. The message is made where `keep` has it.
    #[inline(always)]
    fn next_message<T>(&mut self, keep: impl FnOnce(MessageExt) -> T) -> Option<Result<T, RecordError>> {
        loop {
            if let Some(batch) = &mut self.batch {
                match batch.next() {
                    Some(message) => return Some(message.map(keep)),
                    None => self.batch = None,
                }
            }
            let start = self.at;
            if start == self.records.len() {
                return None;
            }
            let reader = match Reader::enter(&self.records, start, LEAST_BYTES) {
                Ok(reader) => reader,
                Err(problem) => {
                    self.at = self.records.len();
                    return Some(Err(RecordError::new(start, problem)));
                }
            };
            self.at = reader.end();
            let size = reader.remaining();
            let mut layout = match Layout::read(reader.clone()) {
                Ok(Some(layout)) => layout,
                Ok(None) => continue,
                Err(problem) => return Some(Err(broken(start, problem, reader))),
            };
            let (body, properties) = match self.options.read_parts(&mut layout, &mut self.topic) {
                Ok(parts) => parts,
                Err(problem) => return Some(Err(broken(start, problem, reader))),
            };
            let topic = self.topic.clone();
            let mut properties = MessageProperties::from_wire(properties);
            properties.mark_received();
            let message = Message::from_parts(topic, layout.flag, properties, body);
            if self.options.unwraps(layout.header.sys_flag) {
                let outer = MessageExt::from_record(message, layout.header, layout.body_crc, size as u32);
                self.batch = Some(InnerBatch::new(start, outer));
                continue;
            }
            let message = MessageExt::from_record(message, layout.header, layout.body_crc, size as u32);
            return Some(Ok(keep(message)));
        }
    }
}

impl RecordDecoder {
    /// At the limit: the end, or the error that more messages follow.
    #[cold]
    fn one_too_many<T>(&mut self) -> Option<Result<T, RecordError>> {
        let start = self.at;
        self.next_message(drop).map(|_| {
            self.at = self.records.len();
            self.batch = None;
            Err(RecordError::new(start, RecordProblem::TooMany { limit: self.count }))
        })
    }
}

#[cold]
fn broken(start: usize, problem: RecordProblem, reader: Reader<'_>) -> RecordError {
    RecordError::at_place(start, problem, RecordPlace::guess(reader))
}

impl RecordOptions {
    /// Body and properties in the form that the message gets. `topic` holds the previous record's topic and becomes
    /// this record's.
    #[inline(always)]
    fn read_parts(
        &self,
        layout: &mut Layout<'_>,
        topic: &mut ByteString,
    ) -> Result<(Bytes, ByteString), RecordProblem> {
        if topic.as_bytes() != layout.topic {
            *topic = text("topic", Bytes::copy_from_slice(layout.topic))?;
        }
        let body = std::mem::take(&mut layout.body);
        let body = if self.read_body {
            self.stored_body(body, layout.body_crc, &mut layout.header.sys_flag)?
        } else {
            Bytes::new()
        };
        Ok((body, text("properties", std::mem::take(&mut layout.properties))?))
    }

    #[inline]
    fn stored_body(
        &self,
        body: Bytes,
        expected: u32,
        flag: &mut MessageSysFlag,
    ) -> Result<Bytes, RecordProblem> {
        if self.check_crc {
            let actual = crc32(&body);
            if actual != expected {
                return Err(RecordProblem::Checksum { expected, actual });
            }
        }
        if !(self.decompress && flag.is_compressed()) {
            return Ok(body);
        }
        let compression = flag.compression_type().map_err(RecordProblem::CompressionType)?;
        let inflated =
            decompress(compression, &body, self.max_inflated).map_err(RecordProblem::Decompress)?;
        *flag = flag.without(MessageSysFlag::COMPRESSED);
        Ok(inflated)
    }

    /// Whether a message with these flags is a batch to unwrap.
    #[inline]
    fn unwraps(&self, flag: MessageSysFlag) -> bool {
        self.unwrap_inner_batch && self.read_body && flag.is_inner_batch() && !flag.is_compressed()
    }
}

impl Iterator for RecordDecoder {
    type Item = Result<MessageExt, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.count == self.options.max_messages {
            return self.one_too_many();
        }
        self.count += 1;
        self.next_message(|message| message)
    }
}

impl Iterator for InnerBatch {
    type Item = Result<MessageExt, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.index;
        let entry = self.entries.next()?;
        self.index += 1;
        Some(match entry {
            Ok(entry) => Ok(self.message(index, entry)),
            Err(error) => Err(error.in_batch(index, self.position, self.place(index))),
        })
    }
}

impl InnerBatch {
    fn new(position: usize, outer: MessageExt) -> Self {
        let entries = BatchDecoder::new(outer.body().clone());
        Self { position, outer: Box::new(outer), entries, index: 0 }
    }

    /// Makes a message of a batch entry. It takes missing fields from the batch's record; its queue offset counts up.
    fn message(&self, index: usize, entry: BatchEntry) -> MessageExt {
        let mut header = self.outer.header();
        header.queue_offset = self.queue_offset(index);
        let size = entry.size as u32;
        let message = entry.into_message(self.outer.shared_topic().clone());
        MessageExt::from_record(message, header.into(), 0, size)
    }

    fn place(&self, index: usize) -> RecordPlace {
        RecordPlace {
            topic: Some(self.outer.topic().to_owned()),
            queue_id: Some(self.outer.queue_id()),
            queue_offset: Some(self.queue_offset(index)),
            commit_log_offset: Some(self.outer.commit_log_offset()),
        }
    }

    fn queue_offset(&self, index: usize) -> i64 {
        self.outer.queue_offset().saturating_add(i64::try_from(index).unwrap_or(i64::MAX))
    }
}
