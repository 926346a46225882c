//! The faults that a request can meet.

use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::protocol::ResponseCode;

use super::AnswerChange;
use crate::lines::{Emission, Line, Then};

/// The faulty behaviour of a server towards the requests that match a [`Fault`](super::Fault). Times are by the
/// cluster's clock; a [`MockProxy`](crate::MockProxy) goes by the system's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultAction {
    /// It leaves the request alone for this long, then carries it out.
    Delay(Duration),
    /// It carries the request out at once and answers this much later; other answers overtake it.
    DelayAnswer(Duration),
    /// It does not carry the request out and does not answer.
    DropRequest,
    /// It carries the request out and does not answer.
    DropAnswer,
    /// It answers this code instead of carrying the request out, for example `SYSTEM_BUSY`, or an unknown number.
    Refuse {
        /// The code of the answer.
        code: ResponseCode,
        /// The remark of the answer.
        remark: String,
    },
    /// It gives this answer instead of carrying the request out, for example another route, or an unreadable body.
    Answer {
        /// The code of the answer.
        code: ResponseCode,
        /// The remark of the answer.
        remark: String,
        /// The fields of the answer.
        fields: Vec<(String, String)>,
        /// The body of the answer.
        body: Bytes,
    },
    /// It carries the request out and answers with another code: a message that is stored with
    /// `FLUSH_DISK_TIMEOUT`, `SLAVE_NOT_AVAILABLE` or `FLUSH_SLAVE_TIMEOUT`. The fields of the answer stay.
    AnswerWith {
        /// The code of the answer.
        code: ResponseCode,
        /// The remark of the answer.
        remark: String,
    },
    /// It carries the request out and changes parts of the true answer: its code, single fields, a record of its body.
    ChangeAnswer(AnswerChange),
    /// It does not carry the request out and answers 1500, which tells clients from 5.3.2 on to reconnect; others are
    /// served. Java: a broker that shuts down gracefully.
    GoAway,
    /// It closes the connection without carrying the request out.
    Close,
    /// It carries the request out and closes the connection instead of answering.
    CloseAfterwards,
    /// It resets the connection without carrying the request out: the client reads an error instead of an end.
    Reset,
    /// It carries the request out, writes the first bytes of the answer and ends the connection.
    CutAnswer {
        /// Bytes of the frame to write, including the length prefix; a shorter frame is written whole.
        at: usize,
        /// The connection is reset instead of closed.
        reset: bool,
    },
    /// It carries the request out and flips all bits of one byte of the answer.
    CorruptAnswer {
        /// The index of the byte, from the start of the frame; −1 is the last byte. A shorter frame stays whole.
        at: i64,
    },
    /// It does not carry the request out and writes these bytes in place of the answer.
    Garbage(Bytes),
    /// It carries the request out and answers twice.
    AnswerTwice,
    /// It carries the request out and answers it, and also answers a request that the client never made.
    StrayAnswer,
    /// It carries the request out and writes the answer byte by byte, with this time between two bytes. It writes
    /// nothing else on the connection meanwhile.
    Trickle(Duration),
    /// It does not carry the request out, and reads nothing more from the connection, for this long or for ever.
    /// Earlier requests are answered.
    StopReading(Option<Duration>),
    /// It carries the request out and goes down without an answer: its connections close, its port refuses new ones,
    /// and NameServers keep its address in their routes.
    Crash {
        /// The time until it is back; `None`: it stays down.
        back_after: Option<Duration>,
        /// It comes back on another port.
        new_port: bool,
    },
    /// Like `Crash`, but NameServers notice at once that the broker is gone.
    Stop {
        /// The time until it is back; `None`: it stays down.
        back_after: Option<Duration>,
        /// It comes back on another port.
        new_port: bool,
    },
    /// The broker carries the request out and is then read-only, for this long or for ever: NameServers give its
    /// topics the permission to read only. Java: `brokerPermission` 4.
    ReadOnly(Option<Duration>),
}

impl FaultAction {
    /// Whether the request is carried out and only the answer goes wrong.
    pub(crate) fn carries_out(&self) -> bool {
        match self {
            Self::Delay(_)
            | Self::DelayAnswer(_)
            | Self::DropAnswer
            | Self::AnswerWith { .. }
            | Self::ChangeAnswer(_)
            | Self::CloseAfterwards
            | Self::CutAnswer { .. }
            | Self::CorruptAnswer { .. }
            | Self::AnswerTwice
            | Self::StrayAnswer
            | Self::Trickle(_)
            | Self::Crash { .. }
            | Self::Stop { .. }
            | Self::ReadOnly(_) => true,
            Self::DropRequest
            | Self::Refuse { .. }
            | Self::Answer { .. }
            | Self::GoAway
            | Self::Close
            | Self::Reset
            | Self::Garbage(_)
            | Self::StopReading(_) => false,
        }
    }

    /// The code that the client receives when a request was carried out with `code`; `None` if it receives no answer.
    pub(crate) fn told(&self, code: ResponseCode) -> Option<ResponseCode> {
        match self {
            Self::AnswerWith { code, .. } => Some(*code),
            Self::ChangeAnswer(change) => Some(change.code.unwrap_or(code)),
            Self::DropAnswer
            | Self::CloseAfterwards
            | Self::CutAnswer { .. }
            | Self::Crash { .. }
            | Self::Stop { .. } => None,
            _ => Some(code),
        }
    }

    /// Applies a fault of a connection that comes in place of an answer.
    pub(crate) fn strike(self, line: &Line) {
        match self {
            Self::Close => line.emit(Emission::new(Bytes::new(), Then::Close)),
            Self::Reset => line.emit(Emission::new(Bytes::new(), Then::Reset)),
            Self::Garbage(bytes) => line.emit(Emission::new(bytes, Then::Stay)),
            Self::StopReading(time) => line.stop_reading(time),
            // Nothing to do for a dropped request.
            _ => {}
        }
    }

    /// The name of the action in rules.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::DelayAnswer(_) => "delay_answer",
            Self::DropRequest => "drop_request",
            Self::DropAnswer => "drop_answer",
            Self::Refuse { .. } => "refuse",
            Self::Answer { .. } => "answer",
            Self::AnswerWith { .. } => "answer_with",
            Self::ChangeAnswer(_) => "change_answer",
            Self::GoAway => "go_away",
            Self::Close => "close",
            Self::CloseAfterwards => "close_afterwards",
            Self::Reset => "reset",
            Self::CutAnswer { .. } => "cut_answer",
            Self::CorruptAnswer { .. } => "corrupt_answer",
            Self::Garbage(_) => "garbage",
            Self::AnswerTwice => "answer_twice",
            Self::StrayAnswer => "stray_answer",
            Self::Trickle(_) => "trickle",
            Self::StopReading(_) => "stop_reading",
            Self::Crash { .. } => "crash",
            Self::Stop { .. } => "stop",
            Self::ReadOnly(_) => "read_only",
        }
    }
}
