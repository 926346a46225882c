//! The answer to a send. Every sent message costs one, so it has a fast path.

use crate::protocol::codec::swar::find_quote_or_backslash;
use crate::protocol::ext_fields::FieldValue;
use crate::protocol::fields::{damaged, decode_value, required};
use crate::protocol::{FieldsView, HeaderError};
use std::borrow::Cow;

/// The place where a message was stored, borrowed from the answer. Java `SendMessageResponseHeader`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendMessageAnswer<'a> {
    /// Store address and physical offset in hexadecimal; for a batch several, joined by commas.
    pub msg_id: Cow<'a, str>,
    /// The queue.
    pub queue_id: i32,
    /// The message's offset in the queue; for a batch the first message's.
    pub queue_offset: i64,
    /// The unique id of the message. Missing from replies.
    pub transaction_id: Option<Cow<'a, str>>,
    /// The unique id of a batch that was stored as one record (5.0).
    pub batch_uniq_id: Option<Cow<'a, str>>,
    /// The handle for recalling a delayed message (5.3.1).
    pub recall_handle: Option<Cow<'a, str>>,
    /// The broker's region.
    pub msg_region: Option<Cow<'a, str>>,
    /// Whether the broker asks for traces of messages.
    pub trace_on: Option<bool>,
}

const HEADER: &str = "SendMessageResponseHeader";

impl<'a> SendMessageAnswer<'a> {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// A required field is missing, or a value does not fit its field, like with
    /// [`SendMessageResponseHeader`](super::SendMessageResponseHeader).
    pub fn read(fields: FieldsView<'a>) -> Result<Self, HeaderError> {
        let plain = match fields {
            FieldsView::Json(object) => std::str::from_utf8(object).ok().and_then(Self::read_plain),
            _ => None,
        };
        plain.map_or_else(|| Self::read_any(fields), Ok)
    }

    /// Reads the object that Apache's brokers write for a plain message; its members may come in any order. Returns
    /// `None` for any other object, valid or not.
    fn read_plain(object: &'a str) -> Option<Self> {
        let mut rest = object.strip_prefix('{')?;
        let mut answer = Self::default();
        let (mut has_id, mut has_queue, mut has_offset) = (false, false, false);
        loop {
            // The letter after the quote tells the member; only the two that start with `q` need a second look.
            match rest.as_bytes().get(1)? {
                b'm' => {
                    answer.msg_id = Cow::Borrowed(text("\"msgId\":\"", &mut rest)?);
                    has_id = true;
                }
                b't' => {
                    answer.transaction_id = Some(Cow::Borrowed(text("\"transactionId\":\"", &mut rest)?));
                }
                b'q' if rest.as_bytes().get(6) == Some(&b'I') => {
                    answer.queue_id = text("\"queueId\":\"", &mut rest)?.parse().ok()?;
                    has_queue = true;
                }
                b'q' => {
                    answer.queue_offset = text("\"queueOffset\":\"", &mut rest)?.parse().ok()?;
                    has_offset = true;
                }
                b'T' => {
                    rest = rest.strip_prefix("\"TRACE_ON\":\"true\"")?;
                    answer.trace_on = Some(true);
                }
                b'M' => answer.msg_region = Some(Cow::Borrowed(text("\"MSG_REGION\":\"", &mut rest)?)),
                _ => return None,
            }
            if let Some(behind) = rest.strip_prefix(',') {
                rest = behind;
            } else {
                return (rest == "}" && has_id && has_queue && has_offset).then_some(answer);
            }
        }
    }

    fn read_any(fields: FieldsView<'a>) -> Result<Self, HeaderError> {
        let (mut msg_id, mut queue_id, mut queue_offset) = (None, None, None);
        let (mut answer, mut invalid) = (Self::default(), None);
        let text = FieldValue::text;
        let is_whole = fields.each(|name, value| match name {
            "msgId" => msg_id = value.map(text),
            "queueId" => queue_id = keep(decode_value(HEADER, "queueId", value), &mut invalid),
            "queueOffset" => queue_offset = keep(decode_value(HEADER, "queueOffset", value), &mut invalid),
            "transactionId" => answer.transaction_id = value.map(text),
            "batchUniqId" => answer.batch_uniq_id = value.map(text),
            "recallHandle" => answer.recall_handle = value.map(text),
            "MSG_REGION" => answer.msg_region = value.map(text),
            "TRACE_ON" => answer.trace_on = keep(decode_value(HEADER, "TRACE_ON", value), &mut invalid),
            _ => {}
        });
        match invalid {
            Some(error) => return Err(error),
            None if !is_whole => return Err(damaged(HEADER, fields)),
            None => {}
        }
        Ok(Self {
            msg_id: msg_id.ok_or(HeaderError::Missing { header: HEADER, field: "msgId" })?,
            queue_id: required(HEADER, "queueId", queue_id)?,
            queue_offset: required(HEADER, "queueOffset", queue_offset)?,
            ..answer
        })
    }
}

/// Returns the text between `key` and the next quote and moves `rest` behind that quote. `None` for a text with an
/// escape, or without an end.
#[inline(always)]
fn text<'a>(key: &str, rest: &mut &'a str) -> Option<&'a str> {
    let from = rest.strip_prefix(key)?;
    let end = match from.as_bytes().split_first_chunk::<ID_LENGTH>() {
        // Most texts are ids of this length: check all bytes at once instead of searching for the end.
        Some((id, [b'"', ..])) if !has_quote_or_backslash(id) => ID_LENGTH,
        _ => find_quote_or_backslash(from.as_bytes(), 0)?,
    };
    let (text, behind) = from.split_at(end);
    *rest = behind.strip_prefix('"')?;
    Some(text)
}

/// The length of most ids: unique ids, and message ids with an IPv4 address.
const ID_LENGTH: usize = 32;

#[inline(always)]
fn has_quote_or_backslash(text: &[u8; ID_LENGTH]) -> bool {
    text.iter().fold(false, |found, byte| found | matches!(byte, b'"' | b'\\'))
}

/// The value; an error is stored, to be returned after the walk.
fn keep<T>(decoded: Result<Option<T>, HeaderError>, invalid: &mut Option<HeaderError>) -> Option<T> {
    decoded.unwrap_or_else(|error| {
        *invalid = Some(error);
        None
    })
}

#[cfg(test)]
mod tests {
    use super::super::SendMessageResponseHeader;
    use super::*;
    use crate::protocol::{DecodeHeader, ExtFields};
    use bytestring::ByteString;

    /// Both ways of reading an answer must agree.
    fn read(object: &str) -> Result<SendMessageResponseHeader, HeaderError> {
        let fields = ExtFields::from_json(ByteString::from(object), 0, object.len());
        let text = |text: &Cow<'_, str>| ByteString::from(&**text);
        let borrowed = SendMessageAnswer::read(fields.view()).map(|answer| SendMessageResponseHeader {
            msg_id: text(&answer.msg_id),
            queue_id: answer.queue_id,
            queue_offset: answer.queue_offset,
            transaction_id: answer.transaction_id.as_ref().map(text),
            batch_uniq_id: answer.batch_uniq_id.as_ref().map(text),
            recall_handle: answer.recall_handle.as_ref().map(text),
            msg_region: answer.msg_region.as_ref().map(text),
            trace_on: answer.trace_on,
        });
        assert_eq!(borrowed, SendMessageResponseHeader::decode_fields(&fields), "{object}");
        borrowed
    }

    #[test]
    fn what_brokers_write_is_read_in_any_order_and_form() {
        let plain = r#"{"queueId":"3","transactionId":"0A","msgId":"7F","TRACE_ON":"true","MSG_REGION":"R","queueOffset":"-5"}"#;
        let answer = read(plain).unwrap();
        assert_eq!((&*answer.msg_id, answer.queue_id, answer.queue_offset), ("7F", 3, -5));
        assert_eq!((answer.transaction_id.as_deref(), answer.trace_on), (Some("0A"), Some(true)));
        assert_eq!(read(r#"{"msgId":"7F","queueId":"3","queueOffset":"7"}"#).unwrap().queue_offset, 7);
        for other in [
            r#"{"msgId":"7\u0046","queueId":3,"queueOffset":"7","recallHandle":"h","TRACE_ON":"false"}"#,
            r#"{ "msgId":"7F", "queueId":"3", "queueOffset":"7", "batchUniqId":"b", "new":"x" }"#,
            r#"{"msgId":"7F","queueId":"3","queueOffset":"7","queueOffset":"8","MSG_REGION":null}"#,
        ] {
            assert_eq!(&*read(other).unwrap().msg_id, "7F");
        }
    }

    #[test]
    fn ids_of_any_length_end_where_they_end() {
        for length in 0..60 {
            let id = "0123456789ABCDEF".repeat(4)[..length].to_owned();
            for id in [id.clone(), format!("\\u0041{id}"), format!("{id}\\\"")] {
                let object =
                    format!(r#"{{"msgId":"{id}","queueId":"3","queueOffset":"7","transactionId":"{id}"}}"#);
                let expected = id.replace("\\u0041", "A").replace("\\\"", "\"");
                assert_eq!(&*read(&object).unwrap().msg_id, expected);
            }
        }
    }

    #[test]
    fn what_is_damaged_or_missing_is_an_error() {
        for object in [
            "{}",
            r#"{"msgId":"7F","queueId":"3"}"#,
            r#"{"msgId":"7F","queueId":"x","queueOffset":"7"}"#,
            r#"{"msgId":"7F","queueId":"3","queueOffset":"7""#,
            r#"{"msgId":"7F","queueId":"3","queueOffset":"7"}}"#,
            r#"{"msgId":"7F","queueId":"3","queueOffset":"7",}"#,
            r#"{"msgId":"7F""queueId":"3","queueOffset":"7"}"#,
            r#"{"msgId":"7F","queueId":"3","queueOffset":"7","transactionId":"}"#,
        ] {
            assert!(read(object).is_err(), "{object}");
        }
    }
}
