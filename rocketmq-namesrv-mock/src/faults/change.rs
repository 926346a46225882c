//! Changes to parts of a true answer.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use rocketmq_common::compression::CompressionType;
use rocketmq_common::record::{RecordDecoder, RecordFields, RecordOptions, encode_record};
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};

/// Positions in a record: magic number, checksum of the body.
const MAGIC_AT: usize = 4;
const CRC_AT: usize = 8;

/// Changes to a true answer; all other parts stay. See [`FaultAction::ChangeAnswer`](super::FaultAction::ChangeAnswer).
///
/// ```
/// use rocketmq_namesrv_mock::{AnswerChange, Fault, FaultAction, RecordDamage};
/// use rocketmq_remoting::protocol::RequestCode;
///
/// let change = AnswerChange::new().field("nextBeginOffset", "7").damage(-1, RecordDamage::Crc);
/// let rule = Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(change)).times(1);
/// let line = "on=PULL_MESSAGE times=1 do=change_answer fields=nextBeginOffset:7 record=-1 damage=crc";
/// assert_eq!(line.parse::<Fault>()?, rule);
/// # Ok::<(), rocketmq_namesrv_mock::FaultError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerChange {
    /// The code.
    pub code: Option<ResponseCode>,
    /// The remark.
    pub remark: Option<String>,
    /// Fields of the header to replace or to add.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Option<Bytes>,
    /// The record of the body to damage, by its index from 0; −1 is the last one. A body without such a record stays
    /// unchanged.
    pub damage: Option<(i32, RecordDamage)>,
}

/// The damage to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordDamage {
    /// The checksum does not match the body.
    Crc,
    /// The bits of the first byte of the body are flipped. An empty body stays unchanged.
    Body,
    /// The magic number is unknown; the size is right.
    Magic,
    /// The size reaches beyond the end of the answer.
    Size,
    /// The body takes 32 KiB, has the right checksum and inflates to 1 GiB (zstd).
    Bomb,
}

impl AnswerChange {
    /// Changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the code.
    #[must_use]
    pub fn code(self, code: ResponseCode) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Replaces the remark.
    #[must_use]
    pub fn remark(self, remark: impl Into<String>) -> Self {
        Self { remark: Some(remark.into()), ..self }
    }

    /// Replaces or adds a field.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Replaces the body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// Damages a record, see [`damage`](Self::damage).
    #[must_use]
    pub fn damage(self, record: i32, damage: RecordDamage) -> Self {
        Self { damage: Some((record, damage)), ..self }
    }

    /// Applies the changes to an answer.
    pub(crate) fn apply(&self, mut answer: RemotingCommand) -> RemotingCommand {
        answer.code = self.code.map_or(answer.code, |code| code.0);
        if let Some(remark) = &self.remark {
            answer.remark = Some(remark.as_str().into());
        }
        for (name, value) in &self.fields {
            answer.ext_fields.insert(name.as_str(), value.as_str());
        }
        if let Some(body) = &self.body {
            answer.body = body.clone();
        }
        if let Some((record, damage)) = self.damage {
            answer.body = damage.inflict(&answer.body, record).unwrap_or(answer.body);
        }
        answer
    }
}

impl RecordDamage {
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Crc, "crc"),
        (Self::Body, "body"),
        (Self::Magic, "magic"),
        (Self::Size, "size"),
        (Self::Bomb, "bomb"),
    ];

    /// The body with one damaged record; `None` if it has no such record.
    pub(crate) fn inflict(self, body: &Bytes, record: i32) -> Option<Bytes> {
        let records = ranges(body);
        let index = usize::try_from(record)
            .ok()
            .or_else(|| records.len().checked_sub(record.unsigned_abs() as usize));
        let range = records.get(index?)?.clone();
        let mut damaged = BytesMut::from(&body[range.clone()]);
        match self {
            Self::Crc => damaged[CRC_AT] = !damaged[CRC_AT],
            Self::Magic => damaged[MAGIC_AT] = !damaged[MAGIC_AT],
            Self::Size => damaged.as_mut().put_i32(i32::MAX),
            Self::Body => {
                let mut other = rewritten(body.slice(range.clone()), |_, body| {
                    body.iter_mut().take(1).for_each(|first| *first = !*first);
                })?;
                other[CRC_AT..CRC_AT + 4].copy_from_slice(&damaged[CRC_AT..CRC_AT + 4]);
                damaged = other;
            }
            Self::Bomb => {
                damaged = rewritten(body.slice(range.clone()), |fields, body| {
                    fields.header.sys_flag = fields.header.sys_flag.with_compression(CompressionType::Zstd);
                    *body = bomb();
                })?;
            }
        }
        Some([&body[..range.start], &damaged, &body[range.end..]].concat().into())
    }
}

/// The ranges of the records in a body.
fn ranges(body: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(size) = body.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let end = at.saturating_add(u32::from_be_bytes(*size) as usize);
        // A record is longer than its size, magic number and checksum.
        if end > body.len() || end - at <= CRC_AT + 4 {
            break;
        }
        ranges.push(at..end);
        at = end;
    }
    ranges
}

/// A record with a changed body and the matching checksum.
fn rewritten(record: Bytes, change: impl FnOnce(&mut RecordFields<'_>, &mut Vec<u8>)) -> Option<BytesMut> {
    let options = RecordOptions { decompress: false, check_crc: false, ..RecordOptions::default() };
    let message = RecordDecoder::with_options(record, options).next()?.ok()?;
    let (mut fields, mut body) = (RecordFields::from(&message), message.body().to_vec());
    change(&mut fields, &mut body);
    let mut out = BytesMut::new();
    encode_record(&RecordFields { body: &body, ..fields }, &mut out).ok()?;
    Some(out)
}

/// A body that inflates to 1 GiB.
fn bomb() -> Vec<u8> {
    const BLOCK: u32 = 128 * 1024;
    const BLOCKS: u32 = 8192;
    // RFC 8878: magic number, no content size, a window of 2 MiB, then blocks of one repeated byte.
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58];
    for block in 1..=BLOCKS {
        let header = u32::from(block == BLOCKS) | 1 << 1 | BLOCK << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b'x');
    }
    frame
}
