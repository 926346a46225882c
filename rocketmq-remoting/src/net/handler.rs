use std::fmt;

use bytes::Bytes;

use super::{CallError, Connection, ConnectionEnd};
use crate::protocol::{CommandRef, EncodeHeader, ExtFields, NoHeader, RemotingCommand, ResponseCode};

/// What a connection does with requests from its peer: all of them on the serving side, a few (40, 39, 326 …)
/// on the client's. Java: `NettyRequestProcessor`.
pub trait RequestHandler: Send + Sync + 'static {
    /// Handles one request. It runs on the connection's task, so it must not block or compute for long:
    /// either it answers at once, or it keeps the responder and answers later from elsewhere.
    fn handle(&self, request: RemotingCommand, responder: Responder);

    /// A connection was opened.
    fn connected(&self, connection: &Connection) {
        let _ = connection;
    }

    /// A connection ended.
    fn disconnected(&self, connection: &Connection, end: &ConnectionEnd) {
        let _ = (connection, end);
    }
}

/// Refuses every request with code 3, as Java does where no processor is registered.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRequests;

impl RequestHandler for NoRequests {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        responder.not_supported(&request);
    }
}

/// The way back for one request. Dropping it leaves the request without an answer.
#[derive(Debug)]
pub struct Responder {
    connection: Connection,
    opaque: i32,
    oneway: bool,
}

impl Responder {
    pub(super) fn new(connection: Connection, request: &RemotingCommand) -> Self {
        Self { connection, opaque: request.opaque, oneway: request.is_oneway() }
    }

    /// The connection that the request came on.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the peer expects no answer. Answers to such a request go nowhere.
    pub fn is_oneway(&self) -> bool {
        self.oneway
    }

    /// Answers with a typed header, without a map in between.
    pub fn answer<H: EncodeHeader + ?Sized>(
        self,
        code: ResponseCode,
        remark: Option<&str>,
        header: &H,
        extra: &ExtFields,
        body: &Bytes,
    ) {
        if self.oneway {
            return;
        }
        let answer =
            CommandRef::response(code, header).with_remark(remark).with_fields(extra).with_body(body);
        if let Err(error) = self.connection.answer(self.opaque, &answer) {
            self.note_lost(&error);
        }
    }

    /// Answers with a command; its opaque, flag, language, version and header encoding are set here.
    pub fn answer_with(self, response: RemotingCommand) {
        let RemotingCommand { code, remark, ext_fields, body, .. } = response;
        self.answer(ResponseCode(code), remark.as_deref(), &NoHeader, &ext_fields, &body);
    }

    /// Passes on the answer of another peer: unlike those of [`answer_with`](Self::answer_with), its language and version
    /// stay what they are.
    pub fn forward(self, answer: &RemotingCommand) {
        if self.oneway {
            return;
        }
        if let Err(error) = self.connection.forward(self.opaque, answer) {
            self.note_lost(&error);
        }
    }

    /// Answers that this request code is not supported (code 3), in Java's words.
    pub fn not_supported(self, request: &RemotingCommand) {
        let remark = format!(" request type {} not supported", request.code);
        let code = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
        self.answer(code, Some(&remark), &NoHeader, &ExtFields::default(), &Bytes::new());
    }

    fn note_lost(&self, error: &CallError) {
        tracing::debug!(peer = %self.connection.peer(), opaque = self.opaque, %error, "answer not sent");
    }
}

impl fmt::Debug for dyn RequestHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestHandler")
    }
}
