//! Commands that are read where they lie: in the bytes of their frame.

use super::codec::json_scan::RawText;
use super::codec::{binary, json_reader};
use super::ext_fields::FieldsView;
use super::frame::{self, Outline, PREFIX};
use super::{
    CommandFlag, FrameError, FrameLimits, KeptBody, LanguageCode, ReadBytes, RemotingCommand, ResponseCode,
    SerializeType,
};
use bytes::{Buf, Bytes};
use std::borrow::Cow;
use std::ops::Range;

/// One request or one answer, borrowed from its frame: nothing is copied, shared or allocated.
///
/// Its fixed fields have been read; its ext fields are still in the form of the wire.
#[derive(Clone, Copy, Debug)]
pub struct CommandView<'a> {
    frame: &'a [u8],
    layout: Layout,
    /// The memory in which the frame lies, if it can be shared.
    owner: Option<&'a ReadBytes>,
}

/// An owned command, still in the form of its frame: the caller decodes it, not the connection's task.
#[derive(Clone, Debug)]
pub struct ReceivedFrame {
    frame: ReadBytes,
    layout: Layout,
}

/// The fixed fields of a frame and the positions of its texts, counted from the start of the header. The texts are not
/// checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) code: i32,
    pub(crate) language: LanguageCode,
    pub(crate) version: i32,
    pub(crate) opaque: i32,
    pub(crate) flag: CommandFlag,
    pub(crate) serialize_type: SerializeType,
    pub(crate) remark: Option<Span>,
    /// Whether the remark has escapes.
    pub(crate) is_escaped: bool,
    pub(crate) fields: Option<Span>,
    /// Length of the header in bytes.
    pub(crate) header: u32,
}

/// A range of the header. 32 bits are enough: a header's length has 24.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl<'a> CommandView<'a> {
    /// Reads the first whole frame of `bytes` and returns it with the bytes after it. `None` if the frame has not
    /// arrived completely.
    ///
    /// # Errors
    ///
    /// The bytes are no frame, see [`FrameError`].
    pub fn first(bytes: &'a [u8], limits: &FrameLimits) -> Result<Option<(Self, &'a [u8])>, FrameError> {
        let Some(outline) = frame::outline(bytes, limits)? else { return Ok(None) };
        let (frame, rest) = bytes.split_at(outline.length);
        Ok(Some((Self { frame, layout: Layout::read(frame, &outline)?, owner: None }, rest)))
    }

    /// A frame whose layout was read before, at its place in the bytes.
    pub(crate) fn new(owner: &'a ReadBytes, place: Range<usize>, layout: Layout) -> Self {
        Self { frame: owner.bytes.get(place).unwrap_or_default(), layout, owner: Some(owner) }
    }

    /// Request or response code.
    pub fn code(&self) -> i32 {
        self.layout.code
    }

    /// The code of an answer.
    pub fn response_code(&self) -> ResponseCode {
        ResponseCode(self.layout.code)
    }

    /// Pairs a request with its answer; unique on one connection.
    pub fn opaque(&self) -> i32 {
        self.layout.opaque
    }

    /// Whether this is an answer.
    pub fn is_response(&self) -> bool {
        self.layout.flag.is_response()
    }

    /// A text for people.
    pub fn remark(&self) -> Option<Cow<'a, str>> {
        // The fast path of the reader does not check UTF-8; a remark is for people, so replace bad bytes.
        let raw = String::from_utf8_lossy(self.header_part(self.layout.remark?));
        Some(match self.layout.is_escaped {
            true => Cow::Owned(RawText { raw: &raw, escaped: true }.text().into_owned()),
            false => raw,
        })
    }

    /// The ext fields.
    pub fn fields(&self) -> FieldsView<'a> {
        let Some(span) = self.layout.fields else { return FieldsView::Absent };
        let fields = self.header_part(span);
        match self.layout.serialize_type {
            SerializeType::Json => FieldsView::Json(fields),
            SerializeType::RocketMq => FieldsView::Binary(fields),
        }
    }

    /// JSON, messages or nothing, depending on the code.
    pub fn body(&self) -> &'a [u8] {
        self.frame.get(PREFIX + self.layout.header as usize..).unwrap_or_default()
    }

    /// Keeps the body after the frame is gone, usually without a copy; see [`KeptBody`].
    pub fn keep_body(&self) -> KeptBody {
        KeptBody::new(self.body(), self.owner.map(|owner| (&owner.bytes, owner.memory)))
    }

    /// An owned form of the command. Shares the frame's memory, or copies the frame if its memory cannot be shared.
    pub(crate) fn received(&self) -> ReceivedFrame {
        let (bytes, memory) = match self.owner {
            Some(owner) => (owner.bytes.slice_ref(self.frame), owner.memory),
            None => (Bytes::copy_from_slice(self.frame), self.frame.len()),
        };
        ReceivedFrame { frame: ReadBytes { bytes, memory }, layout: self.layout }
    }

    fn header_part(&self, span: Span) -> &'a [u8] {
        self.frame.get(PREFIX..).and_then(|header| header.get(span.range())).unwrap_or_default()
    }
}

impl ReceivedFrame {
    /// One whole frame.
    pub(super) fn read(frame: Bytes, outline: &Outline) -> Result<Self, FrameError> {
        let layout = Layout::read(&frame, outline)?;
        // The size of the caller's buffer is unknown: assume the worst, so that kept bodies are copied.
        Ok(Self { frame: ReadBytes { bytes: frame, memory: usize::MAX }, layout })
    }

    /// Borrows the command.
    pub fn view(&self) -> CommandView<'_> {
        CommandView { frame: &self.frame.bytes, layout: self.layout, owner: Some(&self.frame) }
    }

    /// Decodes the command; its parts share the memory of the frame.
    ///
    /// # Errors
    ///
    /// One of its texts is not UTF-8.
    pub fn into_command(self) -> Result<RemotingCommand, FrameError> {
        let Self { frame: ReadBytes { bytes: mut frame, .. }, layout } = self;
        frame.advance(PREFIX);
        let header_length = layout.header as usize;
        // Most answers have no body: leave the frame unsplit, which saves a reference count.
        let (header, body) = match header_length == frame.len() {
            true => (frame, Bytes::new()),
            false => (frame.split_to(header_length), frame),
        };
        let (remark, ext_fields) = match layout.serialize_type {
            SerializeType::Json => json_reader::texts(header, &layout),
            SerializeType::RocketMq => binary::texts(&header, &layout),
        }?;
        Ok(RemotingCommand {
            code: layout.code,
            language: layout.language,
            version: layout.version,
            opaque: layout.opaque,
            flag: layout.flag,
            remark,
            ext_fields,
            body,
            serialize_type: layout.serialize_type,
        })
    }
}

impl Layout {
    /// Reads the layout of one whole frame.
    pub(crate) fn read(frame: &[u8], outline: &Outline) -> Result<Self, FrameError> {
        let header = frame.get(PREFIX..PREFIX + outline.header).unwrap_or_default();
        match outline.serialize_type {
            SerializeType::Json => json_reader::read_layout(header),
            SerializeType::RocketMq => binary::read_layout(header),
        }
    }
}
