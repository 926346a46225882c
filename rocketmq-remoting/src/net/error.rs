use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{EncodeError, FrameError};
use crate::session::CallEnd;

/// Why a connection ended.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// This side closed the connection.
    #[error("closed by this side")]
    ClosedHere,
    /// The peer closed the connection.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// Reading from or writing to the socket failed.
    #[error("the socket failed")]
    Io(#[source] Arc<io::Error>),
    /// The peer sent bytes that are no frame of this protocol.
    #[error("the peer sent something that is no valid frame")]
    BadFrame(#[source] Arc<FrameError>),
    /// No bytes in either direction for this long, and nothing was outstanding.
    #[error("idle for {0:?}")]
    Idle(Duration),
    /// Requests were outstanding, and the peer sent nothing for this long.
    #[error("requests outstanding, but not one byte from the peer for {0:?}")]
    Silent(Duration),
    /// A frame from the peer was not complete within this time after its first byte.
    #[error("a frame from the peer was not complete after {0:?}")]
    SlowFrame(Duration),
    /// The connection's task was stopped: its owner shut down, or its runtime ended.
    #[error("stopped with its client or runtime")]
    Stopped,
}

/// Why a request has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The deadline passed before the answer came. The peer may have acted on the request.
    #[error("no answer before the deadline")]
    TimedOut,
    /// The deadline passed while the write buffer was full because the peer does not read. Nothing was sent.
    #[error("the write buffer had no room before the deadline: the peer does not read fast enough")]
    NoRoom,
    /// The connection ended before the answer came.
    #[error("the connection ended")]
    Ended {
        /// Whether the request's first byte had been written. If it was, the peer may have acted on the request.
        written: bool,
        /// Why the connection ended.
        #[source]
        end: ConnectionEnd,
    },
    /// The answer cannot be read. The peer saw the request; whether it acted on it is unknown.
    #[error("the answer cannot be read")]
    BadAnswer(#[source] Arc<FrameError>),
    /// The request cannot be put into a frame. Nothing was sent.
    #[error("the request cannot be encoded")]
    Encode(#[from] EncodeError),
}

impl CallError {
    /// The error for the caller of an ended entry. `reason` returns why the connection ended.
    pub(super) fn new(end: CallEnd, reason: impl FnOnce() -> ConnectionEnd) -> Self {
        match end {
            CallEnd::DeadlinePassed => CallError::TimedOut,
            CallEnd::ConnectionEnded { written } => CallError::Ended { written, end: reason() },
        }
    }

    /// Whether the request itself is at fault: it would fail at every peer.
    pub fn is_local(&self) -> bool {
        matches!(self, CallError::Encode(_))
    }

    /// Whether the peer cannot have seen the request: sending it again can duplicate nothing.
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
        /// The error of the last address that was tried.
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
    /// The deadline of the request passed, or the wait for another caller's dial took too long.
    #[error("gave up waiting for the connection to {address}")]
    GaveUp {
        /// The address that is being dialled.
        address: Arc<str>,
    },
    /// The last dial failed, and the back-off before the next dial is not over.
    #[error("not dialling {address} again for {wait:?}")]
    BackingOff {
        /// The address.
        address: Arc<str>,
        /// Time until the next dial may begin.
        wait: Duration,
        /// The error of the last dial.
        #[source]
        last: Box<DialError>,
    },
    /// The client is shut down, or its runtime is gone.
    #[error("cannot connect to {address}: the client, or the runtime that it was started on, has shut down")]
    Stopped {
        /// The address.
        address: Arc<str>,
    },
}
