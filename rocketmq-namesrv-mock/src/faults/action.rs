//! What can go wrong with a request.

use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::protocol::ResponseCode;

use super::AnswerChange;
use crate::lines::{Emission, Line, Then};

/// What a server does wrong with the requests that a [`Fault`](super::Fault) is about. Times are those of the
/// cluster's clock; a [`MockProxy`](crate::MockProxy) goes by the system's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultAction {
    /// It leaves the request alone for this long, then carries it out.
    Delay(Duration),
    /// It carries the request out at once and answers this much later; answers overtake each other by that.
    DelayAnswer(Duration),
    /// It does not carry the request out, and says nothing.
    DropRequest,
    /// It carries the request out, and says nothing.
    DropAnswer,
    /// It answers this instead of carrying the request out: `SYSTEM_BUSY`, any number.
    Refuse {
        /// The code of the answer.
        code: ResponseCode,
        /// The remark of the answer.
        remark: String,
    },
    /// It answers this instead of carrying the request out: a route that others do not have, messages that are none.
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
    /// It does not carry the request out and tells clients that know the word (from 5.3.2 on) to connect anew, with
    /// code 1500; others are served. Java: a broker that shuts down gracefully.
    GoAway,
    /// It closes the connection without carrying the request out.
    Close,
    /// It carries the request out and closes the connection instead of answering.
    CloseAfterwards,
    /// It resets the connection without carrying the request out: the client reads an error instead of an end.
    Reset,
    /// It carries the request out, writes the first bytes of the answer and ends the connection.
    CutAnswer {
        /// Bytes of the frame that are written, the length prefix included; the whole frame if it is shorter.
        at: usize,
        /// The connection is reset instead of closed.
        reset: bool,
    },
    /// It carries the request out and flips all bits of one byte of the answer.
    CorruptAnswer {
        /// The byte, counted from the start of the frame, or with −1 for the last one from its end. Frames that are
        /// shorter stay whole.
        at: i64,
    },
    /// It does not carry the request out and writes these bytes where the answer would be.
    Garbage(Bytes),
    /// It carries the request out and answers twice.
    AnswerTwice,
    /// It carries the request out, and answers it and a request that the client never made.
    StrayAnswer,
    /// It carries the request out and writes the answer byte by byte with this time between. Nothing else is written
    /// on the connection meanwhile.
    Trickle(Duration),
    /// It does not carry the request out, and reads nothing more from the connection: for this long, or for ever. What
    /// was asked before is answered.
    StopReading(Option<Duration>),
    /// It carries the request out, and ends without an answer: its connections close, its port refuses new ones, and
    /// NameServers go on to give out its address.
    Crash {
        /// When it is back; `None`: not by itself.
        back_after: Option<Duration>,
        /// It comes back on another port.
        new_port: bool,
    },
    /// The same, but NameServers notice at once that a broker is gone.
    Stop {
        /// When it is back; `None`: not by itself.
        back_after: Option<Duration>,
        /// It comes back on another port.
        new_port: bool,
    },
    /// The broker carries the request out and is read-only from then on: NameServers give out its topics with the
    /// permission to read alone. For this long, or for ever. Java: `brokerPermission` 4.
    ReadOnly(Option<Duration>),
}

impl FaultAction {
    /// Whether requests are carried out, and something goes wrong with the answer.
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

    /// The code that the client of a request is told that was carried out and answered with this one.
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

    /// Does to a connection what comes instead of an answer, where that is not one itself.
    pub(crate) fn strike(self, line: &Line) {
        match self {
            Self::Close => line.emit(Emission::new(Bytes::new(), Then::Close)),
            Self::Reset => line.emit(Emission::new(Bytes::new(), Then::Reset)),
            Self::Garbage(bytes) => line.emit(Emission::new(bytes, Then::Stay)),
            Self::StopReading(time) => line.stop_reading(time),
            // A request that is dropped needs nothing.
            _ => {}
        }
    }

    /// Its name in data.
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
