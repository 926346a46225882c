//! One connection without its socket: opaque ids, requests in flight with their deadlines, and the decision to replace
//! the connection.
//!
//! * `in_flight`: the table of requests that wait for their answers.
//!
//! Nothing here does I/O or reads a clock: byte positions and `now` are arguments, so that time-outs, late
//! answers and wrap-around are plain unit tests.

mod in_flight;

use std::task::{Poll, Waker};
use std::time::Instant;

pub use in_flight::{CallEnd, InFlightTable, Matched, Progress, Told, Waiter};

use crate::protocol::{CommandView, ReceivedFrame, ResponseCode};

/// The conversation on one connection. `C` is the type of callbacks, see [`Waiter`].
#[derive(Debug)]
pub struct Session<C> {
    in_flight: InFlightTable<C, ReceivedFrame>,
    retired: bool,
}

impl<C> Session<C> {
    /// A session without requests. `first_opaque` is the first id that it gives out.
    pub fn new(first_opaque: i32) -> Self {
        Self { in_flight: InFlightTable::new(first_opaque), retired: false }
    }

    /// Enters a request; see [`InFlightTable::insert`].
    pub fn begin(&mut self, deadline: Instant, frame_start: u64, waiter: Waiter<C>) -> i32 {
        self.in_flight.insert(deadline, frame_start, waiter)
    }

    /// Enters a long poll; see [`InFlightTable::park`].
    pub fn park(
        &mut self,
        deadline: Instant,
        frame_start: u64,
        held_until: Instant,
        waiter: Waiter<C>,
    ) -> i32 {
        self.in_flight.park(deadline, frame_start, held_until, waiter)
    }

    /// An opaque id for a request without an answer; see [`InFlightTable::skip_opaque`].
    pub fn skip_opaque(&mut self) -> i32 {
        self.in_flight.skip_opaque()
    }

    /// Sets who is told how a request ended; see [`InFlightTable::wait`].
    pub fn wait(&mut self, opaque: i32, waiter: Waiter<C>) {
        self.in_flight.wait(opaque, waiter);
    }

    /// Matches an answer from the peer with its request. An answer with code 1500 (GO_AWAY) also
    /// [retires](Self::is_retired) the session.
    pub fn answer(&mut self, answer: &CommandView<'_>) -> Matched<C> {
        if answer.code() == ResponseCode::GO_AWAY.0 {
            self.retired = true;
        }
        self.in_flight.complete(answer.opaque(), || answer.received())
    }

    /// Takes the outcome of a request; see [`InFlightTable::poll`].
    pub fn poll(&mut self, opaque: i32, waker: &Waker) -> Poll<Result<ReceivedFrame, CallEnd>> {
        self.in_flight.poll(opaque, waker)
    }

    /// Forgets a request; see [`InFlightTable::cancel`].
    pub fn cancel(&mut self, opaque: i32) {
        self.in_flight.cancel(opaque);
    }

    /// Removes a request whose caller went away; see [`InFlightTable::abandon`]. A silent peer
    /// [retires](Self::is_retired) the session.
    pub fn abandon(&mut self, opaque: i32, now: Instant, progress: Progress) {
        self.retired |= self.in_flight.abandon(opaque, now, progress);
    }

    /// Ends overdue requests; see [`InFlightTable::expire`]. A silent peer [retires](Self::is_retired) the session.
    pub fn expire(&mut self, now: Instant, progress: Progress, told: &mut Told<C>) {
        self.retired |= self.in_flight.expire(now, progress, told);
    }

    /// Ends all requests because the connection ended after `written` bytes; see [`InFlightTable::end_all`].
    pub fn end(&mut self, written: u64, told: &mut Told<C>) {
        self.in_flight.end_all(written, told);
    }

    /// Counts requests that have not left the table.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Counts requests without parked long polls; see [`InFlightTable::load`].
    pub fn load(&self) -> usize {
        self.in_flight.load()
    }

    /// The latest instant until which the peer may hold a long poll; see [`InFlightTable::held_until`].
    pub fn held_until(&self) -> Option<Instant> {
        self.in_flight.held_until()
    }

    /// The earliest instant at which [`expire`](Self::expire) has something to do.
    pub fn earliest_deadline(&self) -> Option<Instant> {
        self.in_flight.earliest_deadline()
    }

    /// Whether the session is retired and no request is in flight: the connection can be closed.
    pub fn is_over(&self) -> bool {
        self.retired && self.in_flight.is_empty()
    }

    /// Whether new requests belong on another connection: the peer is shutting down (GO_AWAY), or a request timed out
    /// without one byte from the peer since it was written. Requests in flight may still be answered here.
    pub fn is_retired(&self) -> bool {
        self.retired
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
            assert!(matches!(session.answer(&answer), Matched::Kept(None)));
            assert!(session.is_retired());
            assert!(!session.is_over());
            let polled = session.poll(opaque, Waker::noop());
            assert!(matches!(polled, Poll::Ready(Ok(frame)) if frame.view().code() == code.0));
        }
        assert!(session.is_over());
    }
}
