use std::fmt;

use bytes::Bytes;

use super::{CallError, Connection, ConnectionEnd};
use crate::protocol::{CommandRef, EncodeHeader, ExtFields, NoHeader, RemotingCommand, ResponseCode};

/// Handles requests from the peer of a connection. A server handles all requests; a client handles the few that
/// brokers send (39, 40, 326 …). Java: `NettyRequestProcessor`.
pub trait RequestHandler: Send + Sync + 'static {
    /// Handles one request. It runs on the connection's task, so it must not block or compute for long: answer at
    /// once, or keep the responder and answer later from another task.
    fn handle(&self, request: RemotingCommand, responder: Responder);

    /// Runs when a connection was opened.
    fn connected(&self, connection: &Connection) {
        let _ = connection;
    }

    /// Runs when a connection ended.
    fn disconnected(&self, connection: &Connection, end: &ConnectionEnd) {
        let _ = (connection, end);
    }
}

/// Refuses every request with code 3, like Java when no processor is registered.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRequests;

impl RequestHandler for NoRequests {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        responder.not_supported(&request);
    }
}

/// Answers one request. Dropping it leaves the request without an answer: the peer's deadline passes.
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

    /// The connection on which the request came.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the peer expects no answer. Answers to a one-way request are dropped.
    pub fn is_oneway(&self) -> bool {
        self.oneway
    }

    /// Answers with a typed header, which is encoded directly: no map of fields is built.
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

    /// Answers with a command. The connection sets its opaque, flag, language, version and header encoding.
    pub fn answer_with(self, response: RemotingCommand) {
        let RemotingCommand { code, remark, ext_fields, body, .. } = response;
        self.answer(ResponseCode(code), remark.as_deref(), &NoHeader, &ext_fields, &body);
    }

    /// Passes on an answer of another peer. Unlike [`answer_with`](Self::answer_with), it keeps the answer's language
    /// and version.
    pub fn forward(self, answer: &RemotingCommand) {
        if self.oneway {
            return;
        }
        if let Err(error) = self.connection.forward(self.opaque, answer) {
            self.note_lost(&error);
        }
    }

    /// Answers code 3 (`REQUEST_CODE_NOT_SUPPORTED`) with Java's text.
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
