use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{EncodeError, FrameError};
use crate::session::CallEnd;

/// Why a connection ended.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// This side closed it.
    #[error("closed by this side")]
    ClosedHere,
    /// The peer closed it.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// Reading or writing failed.
    #[error("the socket failed")]
    Io(#[source] Arc<io::Error>),
    /// The peer sent something that is no frame of this protocol.
    #[error("the peer sent something that is no valid frame")]
    BadFrame(#[source] Arc<FrameError>),
    /// There was no traffic, and nothing was outstanding.
    #[error("idle for {0:?}")]
    Idle(Duration),
    /// Requests were outstanding, and the peer was silent.
    #[error("requests outstanding, but not one byte from the peer for {0:?}")]
    Silent(Duration),
    /// A frame from the peer began and was not complete in time.
    #[error("a frame from the peer was not complete after {0:?}")]
    SlowFrame(Duration),
    /// The task of the connection was stopped, by the owner's shutdown or the end of its runtime.
    #[error("stopped with its client or runtime")]
    Stopped,
}

/// Why a request on a connection has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The deadline passed while the answer was awaited. The peer may have acted on the request.
    #[error("no answer before the deadline")]
    TimedOut,
    /// The deadline passed while the write buffer was full: the peer does not read. Nothing was sent.
    #[error("the write buffer had no room before the deadline: the peer does not read fast enough")]
    NoRoom,
    /// The connection ended.
    #[error("the connection ended")]
    Ended {
        /// Whether the request's first byte had been written: if so, the peer may have acted on it.
        written: bool,
        /// Why it ended.
        #[source]
        end: ConnectionEnd,
    },
    /// The answer cannot be read. The peer has acted on the request, or refused to.
    #[error("the answer cannot be read")]
    BadAnswer(#[source] Arc<FrameError>),
    /// The request cannot be put into a frame. Nothing was sent.
    #[error("the request cannot be encoded")]
    Encode(#[from] EncodeError),
}

impl CallError {
    /// What the end of an entry means for its caller. `reason`: why the connection ended, if it did.
    pub(super) fn new(end: CallEnd, reason: impl FnOnce() -> ConnectionEnd) -> Self {
        match end {
            CallEnd::DeadlinePassed => CallError::TimedOut,
            CallEnd::ConnectionEnded { written } => CallError::Ended { written, end: reason() },
        }
    }

    /// Whether the request itself is at fault, so that it fails everywhere.
    pub fn is_local(&self) -> bool {
        matches!(self, CallError::Encode(_))
    }

    /// Whether the peer cannot have seen the request.
    pub fn is_unsent(&self) -> bool {
        match self {
            CallError::TimedOut | CallError::BadAnswer(_) | CallError::Ended { written: true, .. } => false,
            CallError::NoRoom | CallError::Ended { written: false, .. } | CallError::Encode(_) => true,
        }
    }
}

/// Why there is no connection to an address.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name cannot be resolved, or no address behind it accepted the connection.
    #[error("cannot connect to {address}")]
    Failed {
        /// The address that was dialled.
        address: Arc<str>,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The dial took longer than the connect time-out.
    #[error("cannot connect to {address}: no connection after {after:?}")]
    TimedOut {
        /// The address that was dialled.
        address: Arc<str>,
        /// How long the dial was given.
        after: Duration,
    },
    /// The deadline of the request, or its wait for a dial that another caller began, was over first.
    #[error("gave up waiting for the connection to {address}")]
    GaveUp {
        /// The address that is being dialled.
        address: Arc<str>,
    },
    /// The last dial failed a moment ago, and the next one is not due.
    #[error("not dialling {address} again for {wait:?}")]
    BackingOff {
        /// The address.
        address: Arc<str>,
        /// When the next dial may begin, from now.
        wait: Duration,
        /// How the last dial failed.
        #[source]
        last: Box<DialError>,
    },
    /// The client is shut down, or the runtime that it was started on is gone.
    #[error("cannot connect to {address}: the client, or the runtime that it was started on, has shut down")]
    Stopped {
        /// The address.
        address: Arc<str>,
    },
}
