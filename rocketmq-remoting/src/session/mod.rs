//! What a connection is without its socket: opaque ids, requests in flight and their deadlines, GO_AWAY.
//!
//! Nothing here does I/O or reads a clock: bytes positions and `now` are arguments, so that time-outs, late
//! answers and wrap-around are plain unit tests.

mod in_flight;

use std::task::{Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
pub use in_flight::{CallEnd, InFlightTable, Matched, Told, Waiter};

use crate::protocol::{CommandView, ReceivedFrame, ResponseCode};

/// One connection's conversation. `C` is a callback, see [`Waiter`].
#[derive(Debug)]
pub struct Session<C> {
    in_flight: InFlightTable<C, ReceivedFrame>,
    going_away: bool,
}

impl<C> Session<C> {
    /// A conversation without requests. `first_opaque` is the first id it gives out.
    pub fn new(first_opaque: i32) -> Self {
        Self { in_flight: InFlightTable::new(first_opaque), going_away: false }
    }

    /// Enters a request; see [`InFlightTable::insert`].
    pub fn begin(&mut self, deadline: Instant, frame_start: u64, waiter: Waiter<C>) -> i32 {
        self.in_flight.insert(deadline, frame_start, waiter)
    }

    /// Says who is told how a request ended; see [`InFlightTable::wait`].
    pub fn wait(&mut self, opaque: i32, waiter: Waiter<C>) {
        self.in_flight.wait(opaque, waiter);
    }

    /// Takes an answer from the peer, which lies in `owner`. An answer with code 1500 (GO_AWAY) also marks the session as
    /// [going away](Self::is_going_away).
    pub fn answer(&mut self, answer: &CommandView<'_>, owner: &Bytes) -> Matched<C> {
        if answer.code() == ResponseCode::GO_AWAY.0 {
            self.going_away = true;
        }
        self.in_flight.complete(answer.opaque(), || answer.received(owner))
    }

    /// Takes the outcome of a request; see [`InFlightTable::poll`].
    pub fn poll(&mut self, opaque: i32, waker: &Waker) -> Poll<Result<ReceivedFrame, CallEnd>> {
        self.in_flight.poll(opaque, waker)
    }

    /// The caller of a request went away.
    pub fn cancel(&mut self, opaque: i32) {
        self.in_flight.cancel(opaque);
    }

    /// Ends what is overdue; see [`InFlightTable::expire`].
    pub fn expire(&mut self, now: Instant, told: &mut Told<C>) {
        self.in_flight.expire(now, told);
    }

    /// The connection ended after `written` bytes; see [`InFlightTable::end_all`].
    pub fn end(&mut self, written: u64, told: &mut Told<C>) {
        self.in_flight.end_all(written, told);
    }

    /// Requests that have not left the table.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// When [`expire`](Self::expire) is due, at the earliest.
    pub fn earliest_deadline(&self) -> Option<Instant> {
        self.in_flight.earliest_deadline()
    }

    /// Nothing is left to wait for, and nothing new will come: the connection can be closed.
    pub fn is_over(&self) -> bool {
        self.going_away && self.in_flight.is_empty()
    }

    /// The peer is shutting down: what is in flight may finish here, new requests belong elsewhere.
    pub fn is_going_away(&self) -> bool {
        self.going_away
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::BytesMut;

    use super::*;
    use crate::protocol::{FrameLimits, RemotingCommand};

    #[test]
    fn go_away_still_answers_its_request_and_what_is_in_flight() {
        let mut session = Session::<()>::new(0);
        let deadline = Instant::now() + Duration::from_secs(3);
        let (refused, served) =
            (session.begin(deadline, 0, Waiter::Nobody), session.begin(deadline, 10, Waiter::Nobody));
        for (opaque, code) in [(refused, ResponseCode::GO_AWAY), (served, ResponseCode::SUCCESS)] {
            let mut frame = BytesMut::new();
            RemotingCommand::response(code).with_opaque(opaque).encode(&mut frame).unwrap();
            let frame = frame.freeze();
            let (answer, _) = CommandView::first(&frame, &FrameLimits::default()).unwrap().unwrap();
            assert!(matches!(session.answer(&answer, &frame), Matched::Kept(None)));
            assert!(session.is_going_away());
            assert!(!session.is_over());
            let polled = session.poll(opaque, Waker::noop());
            assert!(matches!(polled, Poll::Ready(Ok(frame)) if frame.view().code() == code.0));
        }
        assert!(session.is_over());
    }
}
