use std::sync::Arc;

use bytestring::ByteString;

use crate::net::{CallError, DialError};
use crate::protocol::{HeaderError, RemotingCommand, ResponseCode};

/// Why a request has no usable answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RemotingError {
    /// There is no connection to the peer. Nothing was sent.
    #[error(transparent)]
    Connect(#[from] DialError),
    /// The connection gave no answer.
    #[error("no answer from {address}")]
    Call {
        /// The peer.
        address: Arc<str>,
        /// What happened.
        #[source]
        source: CallError,
    },
    /// The peer refused.
    #[error("{address} answered {code}: {}", remark.as_deref().unwrap_or("(no remark)"))]
    Refused {
        /// The peer.
        address: Arc<str>,
        /// Its response code.
        code: ResponseCode,
        /// Its explanation.
        remark: Option<ByteString>,
    },
    /// The answer says success, but cannot be read.
    #[error("the answer from {address} cannot be read")]
    BadAnswer {
        /// The peer.
        address: Arc<str>,
        /// What is wrong with it.
        #[source]
        source: Box<HeaderError>,
    },
}

impl RemotingError {
    /// An answer with another code than success.
    pub fn refused(address: &str, answer: &RemotingCommand) -> Self {
        RemotingError::Refused {
            address: address.into(),
            code: ResponseCode(answer.code),
            remark: answer.remark.clone(),
        }
    }

    /// A request that has no answer.
    pub fn call(address: &str, source: CallError) -> Self {
        RemotingError::Call { address: address.into(), source }
    }

    /// Whether the peer cannot have seen the request.
    pub fn is_unsent(&self) -> bool {
        match self {
            RemotingError::Connect(_) => true,
            RemotingError::Call { source, .. } => source.is_unsent(),
            RemotingError::Refused { .. } | RemotingError::BadAnswer { .. } => false,
        }
    }

    /// The code of an answer that refuses.
    pub fn response_code(&self) -> Option<ResponseCode> {
        match self {
            RemotingError::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}
