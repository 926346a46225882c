use std::sync::Arc;

use bytestring::ByteString;

use crate::net::{CallError, DialError};
use crate::protocol::{HeaderError, RemotingCommand, ResponseCode};

/// Why a request has no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RemotingError {
    /// No connection to the peer could be opened. Nothing was sent.
    #[error(transparent)]
    Connect(#[from] DialError),
    /// The connection gave no answer. [`CallError`] tells whether the peer may have acted on the request.
    #[error("no answer from {address}")]
    Call {
        /// The peer.
        address: Arc<str>,
        /// How the request ended.
        #[source]
        source: CallError,
    },
    /// The peer answered with another code than success.
    #[error("{address} answered {code}: {}", remark.as_deref().unwrap_or("(no remark)"))]
    Refused {
        /// The peer.
        address: Arc<str>,
        /// The response code of the answer.
        code: ResponseCode,
        /// The peer's explanation, if it gave one.
        remark: Option<ByteString>,
    },
    /// The answer says success, but its header or body cannot be read.
    #[error("the answer from {address} cannot be read")]
    BadAnswer {
        /// The peer.
        address: Arc<str>,
        /// The fault in the answer.
        #[source]
        source: Box<HeaderError>,
    },
}

impl RemotingError {
    /// The error for an answer with another code than success.
    pub fn refused(address: &str, answer: &RemotingCommand) -> Self {
        RemotingError::Refused {
            address: address.into(),
            code: ResponseCode(answer.code),
            remark: answer.remark.clone(),
        }
    }

    /// The error for a request without an answer.
    pub fn call(address: &str, source: CallError) -> Self {
        RemotingError::Call { address: address.into(), source }
    }

    /// Whether the peer cannot have seen the request: sending it again can duplicate nothing.
    pub fn is_unsent(&self) -> bool {
        match self {
            RemotingError::Connect(_) => true,
            RemotingError::Call { source, .. } => source.is_unsent(),
            RemotingError::Refused { .. } | RemotingError::BadAnswer { .. } => false,
        }
    }

    /// The response code, if the peer answered and refused.
    pub fn response_code(&self) -> Option<ResponseCode> {
        match self {
            RemotingError::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}
