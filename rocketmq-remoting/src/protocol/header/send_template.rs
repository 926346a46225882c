//! Sends whose header is mostly encoded in advance.

use super::{SendMessageRequestHeaderV2, SendMessageResponseHeader, SendRequestKind};
use crate::protocol::{EncodeError, EncodeHeader, EncodedFields, FieldSink, RequestCode, RequestHeader};

/// The fields that all plain messages to one queue share: those of `SEND_MESSAGE_V2` (310) without time and properties.
#[derive(Clone, Debug)]
pub struct SendTemplate(EncodedFields);

/// A send of a plain message. Java `SendMessageRequestHeaderV2`.
#[derive(Clone, Copy, Debug)]
pub struct TemplatedSend<'a> {
    template: &'a SendTemplate,
    born_timestamp: i64,
    properties: &'a [&'a str],
}

impl SendTemplate {
    /// Encodes the shared fields of messages with this header. `None` for a batch, a reply, or a message with flags.
    ///
    /// # Errors
    ///
    /// A field is too long for the wire.
    pub fn new(header: &SendMessageRequestHeaderV2<'_>) -> Result<Option<Self>, EncodeError> {
        let is_plain = header.kind == SendRequestKind::Message && (header.sys_flag, header.flag) == (0, 0);
        is_plain.then(|| EncodedFields::new(&Fixed(header)).map(Self)).transpose()
    }

    /// The header of one message; its properties may come in parts.
    #[inline]
    pub fn send<'a>(&'a self, born_timestamp: i64, properties: &'a [&'a str]) -> TemplatedSend<'a> {
        TemplatedSend { template: self, born_timestamp, properties }
    }
}

impl EncodeHeader for TemplatedSend<'_> {
    #[inline]
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        sink.encoded(&self.template.0);
        sink.int("g", self.born_timestamp);
        sink.joined("i", self.properties);
    }
}

impl RequestHeader for TemplatedSend<'_> {
    type Response = SendMessageResponseHeader;

    #[inline]
    fn code(&self) -> RequestCode {
        RequestCode::SEND_MESSAGE_V2
    }
}

/// All fields without time and properties.
struct Fixed<'a>(&'a SendMessageRequestHeaderV2<'a>);

impl EncodeHeader for Fixed<'_> {
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        let mut others = Others(sink);
        self.0.encode_fields(&mut others);
    }
}

/// Passes on the fields that are equal in all messages.
struct Others<'a, S: ?Sized>(&'a mut S);

impl<S: FieldSink + ?Sized> FieldSink for Others<'_, S> {
    fn text(&mut self, name: &str, value: &str) {
        if name != "i" {
            self.0.text(name, value);
        }
    }

    fn int(&mut self, name: &str, value: i64) {
        if name != "g" {
            self.0.int(name, value);
        }
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.0.flag(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        CommandRef, FrameLimits, RemotingCommand, RequestHeader, SerializeType, decode_frame,
    };
    use bytes::BytesMut;

    fn header<'a>() -> SendMessageRequestHeaderV2<'a> {
        SendMessageRequestHeaderV2 {
            producer_group: "group \"quoted\"",
            topic: "T",
            default_topic: "TBW102",
            default_topic_queue_nums: 4,
            queue_id: 3,
            born_timestamp: 1_700_000_000_000,
            properties: Some("A\u{1}b\u{2}UNIQ_KEY\u{1}\"7F\"\u{2}"),
            reconsume_times: Some(0),
            unit_mode: Some(true),
            broker_name: Some("broker-a"),
            ..SendMessageRequestHeaderV2::default()
        }
    }

    #[test]
    fn a_templated_send_has_the_fields_of_the_whole_header() {
        let whole = header();
        let template = SendTemplate::new(&whole).unwrap().unwrap();
        let parts = ["A\u{1}b\u{2}", "", "UNIQ_KEY\u{1}", "\"7F\"\u{2}"];
        let templated = template.send(whole.born_timestamp, &parts);
        let expected = RemotingCommand::request_with(&whole).ext_fields;
        for serialize_type in [SerializeType::RocketMq, SerializeType::Json] {
            let mut command = RemotingCommand::request_with(&templated);
            assert_eq!(command.ext_fields, expected);
            command.serialize_type = serialize_type;
            let mut frame = BytesMut::new();
            let head = crate::protocol::FrameHead { serialize_type, ..Default::default() };
            let request = CommandRef::request(templated.code(), &templated);
            crate::protocol::encode_frame(&mut frame, &head, None, request.header, request.fields, 0)
                .unwrap();
            let read = decode_frame(&mut frame, &FrameLimits::default()).unwrap().unwrap();
            assert_eq!(read.ext_fields, expected, "{serialize_type:?}");
        }
    }

    #[test]
    fn messages_with_flags_batches_and_replies_have_no_template() {
        for other in [
            SendMessageRequestHeaderV2 { sys_flag: 1, ..header() },
            SendMessageRequestHeaderV2 { flag: 7, ..header() },
            SendMessageRequestHeaderV2 { kind: SendRequestKind::Batch, ..header() },
            SendMessageRequestHeaderV2 { kind: SendRequestKind::Reply, ..header() },
        ] {
            assert!(SendTemplate::new(&other).unwrap().is_none());
        }
    }
}
