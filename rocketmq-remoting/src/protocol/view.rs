//! A command where it lies: in the bytes of its frame.

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

/// One request or one answer that is borrowed from its frame: nothing is copied, shared or allocated.
///
/// Its fixed fields are read, its ext fields are where they came.
#[derive(Clone, Copy, Debug)]
pub struct CommandView<'a> {
    frame: &'a [u8],
    layout: Layout,
    /// The memory that the frame lies in, if it can be shared.
    owner: Option<&'a ReadBytes>,
}

/// The same with its frame, to be kept.
#[derive(Clone, Debug)]
pub struct ReceivedFrame {
    frame: ReadBytes,
    layout: Layout,
}

/// The fixed fields of a frame, and where the others are. Places count from the beginning of the header. Its texts are not
/// looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) code: i32,
    pub(crate) language: LanguageCode,
    pub(crate) version: i32,
    pub(crate) opaque: i32,
    pub(crate) flag: CommandFlag,
    pub(crate) serialize_type: SerializeType,
    pub(crate) remark: Option<Span>,
    /// The remark has escapes.
    pub(crate) is_escaped: bool,
    pub(crate) fields: Option<Span>,
    /// How long the header is.
    pub(crate) header: u32,
}

/// From here to there. A header's length has 24 bits.
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
    /// Looks at the first whole frame of `bytes`, and returns what is behind it, too. `None` if it is not all there yet.
    ///
    /// # Errors
    ///
    /// When the bytes are no frame, see [`FrameError`].
    pub fn first(bytes: &'a [u8], limits: &FrameLimits) -> Result<Option<(Self, &'a [u8])>, FrameError> {
        let Some(outline) = frame::outline(bytes, limits)? else { return Ok(None) };
        let (frame, rest) = bytes.split_at(outline.length);
        Ok(Some((Self { frame, layout: Layout::read(frame, &outline)?, owner: None }, rest)))
    }

    /// A frame that was looked at before, by its place in the bytes.
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

    /// Tells which answer belongs to which request on one connection.
    pub fn opaque(&self) -> i32 {
        self.layout.opaque
    }

    /// Whether this is an answer.
    pub fn is_response(&self) -> bool {
        self.layout.flag.is_response()
    }

    /// A text for people.
    pub fn remark(&self) -> Option<Cow<'a, str>> {
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

    /// The body to be kept, mostly without a copy; see [`KeptBody`].
    pub fn keep_body(&self) -> KeptBody {
        KeptBody::new(self.body(), self.owner.map(|owner| (&owner.bytes, owner.memory)))
    }

    /// The command with its frame, which shares the memory that it lies in, or is copied if that cannot be shared.
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
        // How much memory the caller's buffer has is not known.
        Ok(Self { frame: ReadBytes { bytes: frame, memory: usize::MAX }, layout })
    }

    /// The command.
    pub fn view(&self) -> CommandView<'_> {
        CommandView { frame: &self.frame.bytes, layout: self.layout, owner: Some(&self.frame) }
    }

    /// The command with parts of its own, which share the memory of the frame.
    ///
    /// # Errors
    ///
    /// When one of its texts is no UTF-8.
    pub fn into_command(self) -> Result<RemotingCommand, FrameError> {
        let Self { frame: ReadBytes { bytes: mut frame, .. }, layout } = self;
        frame.advance(PREFIX);
        let header_length = layout.header as usize;
        // Most answers have no body, which then need not share the memory.
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
    /// Looks at one whole frame.
    pub(crate) fn read(frame: &[u8], outline: &Outline) -> Result<Self, FrameError> {
        let header = frame.get(PREFIX..PREFIX + outline.header).unwrap_or_default();
        match outline.serialize_type {
            SerializeType::Json => json_reader::read_layout(header),
            SerializeType::RocketMq => binary::read_layout(header),
        }
    }
}
