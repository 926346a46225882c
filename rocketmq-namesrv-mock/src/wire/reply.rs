//! The way back for the answer to one request.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rocketmq_remoting::net::{Connection, Responder, TaskOwner};
use rocketmq_remoting::protocol::{
    CommandFlag, EncodeHeader, ExtFields, FrameHead, LanguageCode, NoHeader, RemotingCommand, ResponseCode,
    SerializeType, encode_frame,
};

use super::answer_frames;
use crate::capture::Noted;
use crate::changes::Changes;
use crate::faults::FaultAction;
use crate::lines::Line;

/// Takes the answer to one request back to its client; a fault may change it.
#[derive(Debug)]
pub(crate) struct Reply {
    responder: Responder,
    noted: Option<Noted>,
    changes: Arc<Changes>,
    fault: Option<Box<AnswerFault>>,
}

/// A fault that changes an answer.
#[derive(Debug)]
pub(crate) struct AnswerFault {
    pub(crate) action: FaultAction,
    /// The id of the request.
    pub(crate) opaque: i32,
    /// The connection of the request; `None` if it is gone.
    pub(crate) line: Option<Arc<Line>>,
    pub(crate) serialize_type: SerializeType,
    /// Runs delayed writes.
    pub(crate) tasks: TaskOwner,
}

impl Reply {
    pub(crate) fn new(responder: Responder, noted: Option<Noted>, changes: Arc<Changes>) -> Self {
        Self { responder, noted, changes, fault: None }
    }

    pub(crate) fn with_fault(self, fault: AnswerFault) -> Self {
        Self { fault: Some(Box::new(fault)), ..self }
    }

    /// The connection on which the request came.
    pub(crate) fn connection(&self) -> &Connection {
        self.responder.connection()
    }

    /// The client's end of the connection.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.connection().accepted().map(|ends| ends.remote)
    }

    /// Answers with a typed header, which is encoded directly: no map of fields is built.
    pub(crate) fn answer<H: EncodeHeader + ?Sized>(
        self,
        code: ResponseCode,
        remark: Option<&str>,
        header: &H,
        extra: &ExtFields,
        body: &Bytes,
    ) {
        let Self { responder, noted, changes, fault } = self;
        let told = match &fault {
            _ if responder.is_oneway() => None,
            Some(fault) => fault.action.told(code),
            None => Some(code),
        };
        // Record it before the client can see the answer: a test may look at once.
        if let (Some(noted), Some(code)) = (noted, told) {
            noted.answered(code);
        }
        match fault {
            None => responder.answer(code, remark, header, extra, body),
            Some(fault) => match &fault.action {
                FaultAction::AnswerWith { code, remark } => {
                    responder.answer(*code, Some(remark), header, extra, body);
                }
                FaultAction::ChangeAnswer(change) => {
                    let mut answer =
                        RemotingCommand::response(code).with_header(header).with_body(body.clone());
                    answer.remark = remark.map(Into::into);
                    for (name, value) in extra {
                        answer.ext_fields.insert(name.into_owned(), value.into_owned());
                    }
                    responder.answer_with(change.apply(answer));
                }
                FaultAction::ReadOnly(_) => responder.answer(code, remark, header, extra, body),
                _ if responder.is_oneway() => {}
                _ => fault.write(code, remark, header, extra, body),
            },
        }
        // The request has made its changes: let waiting tests look.
        changes.tell();
    }

    /// Passes on an answer of another peer with its language and version. With a fault it becomes an answer of this
    /// server.
    pub(crate) fn forward(self, answer: &RemotingCommand) {
        if self.fault.is_some() {
            let remark = answer.remark.as_deref();
            return self.answer(
                ResponseCode(answer.code),
                remark,
                &NoHeader,
                &answer.ext_fields,
                &answer.body,
            );
        }
        if let Some(noted) = self.noted.filter(|_| !self.responder.is_oneway()) {
            noted.answered(ResponseCode(answer.code));
        }
        self.responder.forward(answer);
        self.changes.tell();
    }

    /// Answers that this request code is not supported.
    pub(crate) fn not_supported(self, request: &RemotingCommand) {
        let remark = format!(" request type {} not supported", request.code);
        let code = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
        let (none, no_body) = (ExtFields::absent(), Bytes::new());
        self.answer(code, Some(&remark), &NoHeader, &none, &no_body);
    }
}

impl AnswerFault {
    /// Writes the answer with its fault.
    fn write<H: EncodeHeader + ?Sized>(
        &self,
        code: ResponseCode,
        remark: Option<&str>,
        header: &H,
        extra: &ExtFields,
        body: &Bytes,
    ) {
        let encode = |opaque| -> Option<Bytes> {
            let head = answer_head(self.serialize_type, code, opaque);
            let mut frame = BytesMut::new();
            encode_frame(&mut frame, &head, remark, header, extra, body.len()).ok()?;
            frame.extend_from_slice(body);
            Some(frame.freeze())
        };
        // A closed connection needs no answer.
        let (Some(line), Some(frame)) = (&self.line, encode(self.opaque)) else { return };
        let stray = match self.action {
            FaultAction::StrayAnswer => encode(answer_frames::stray_opaque(self.opaque)),
            _ => None,
        };
        answer_frames::write(&self.action, frame, stray, line, &self.tasks);
    }
}

/// The fixed fields of an answer that is written around its connection.
fn answer_head(serialize_type: SerializeType, code: ResponseCode, opaque: i32) -> FrameHead {
    FrameHead {
        serialize_type,
        code: code.0,
        language: LanguageCode::JAVA,
        opaque,
        flag: CommandFlag::RESPONSE,
        ..FrameHead::default()
    }
}
