//! The way back for one request.

use bytes::Bytes;
use rocketmq_remoting::net::{Connection, Responder};
use rocketmq_remoting::protocol::{EncodeHeader, ExtFields, RemotingCommand, ResponseCode};

/// Takes the answer to one request back to its client, unless a fault is to change it.
#[derive(Debug)]
pub(crate) struct Reply {
    responder: Responder,
    fault: Option<ReplyFault>,
}

/// What becomes of an answer.
#[derive(Debug)]
pub(crate) enum ReplyFault {
    /// It is lost.
    Drop,
    /// It has another code and remark.
    Change(ResponseCode, String),
    /// It is lost, and the connection ends.
    Close,
}

impl Reply {
    pub(crate) fn new(responder: Responder) -> Self {
        Self { responder, fault: None }
    }

    pub(crate) fn with_fault(responder: Responder, fault: ReplyFault) -> Self {
        Self { responder, fault: Some(fault) }
    }

    /// The connection that the request came on.
    pub(crate) fn connection(&self) -> &Connection {
        self.responder.connection()
    }

    /// Answers with a typed header, without a map in between.
    pub(crate) fn answer<H: EncodeHeader + ?Sized>(
        self,
        code: ResponseCode,
        remark: Option<&str>,
        header: &H,
        extra: &ExtFields,
        body: &Bytes,
    ) {
        match self.fault {
            None => self.responder.answer(code, remark, header, extra, body),
            Some(ReplyFault::Change(code, remark)) => {
                self.responder.answer(code, Some(&remark), header, extra, body);
            }
            Some(ReplyFault::Drop) => {}
            Some(ReplyFault::Close) => self.responder.connection().close(),
        }
    }

    /// Answers that this request code is not supported.
    pub(crate) fn not_supported(self, request: &RemotingCommand) {
        self.responder.not_supported(request);
    }
}
