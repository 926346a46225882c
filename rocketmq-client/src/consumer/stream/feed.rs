use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Flight;
use crate::error::MQClientError;

/// The line of messages between the workers and the stream. Each worker has one message in it or in the reader's hands, so
/// that the number of workers bounds both.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    line: Mutex<Line>,
}

/// The consumer's end of a feed: the stream ends when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct FeedSource(Arc<Feed>);

#[derive(Debug, Default)]
struct Line {
    flights: VecDeque<Arc<Flight>>,
    /// How many messages the reader has.
    in_hand: usize,
    /// How many workers there are.
    limit: usize,
    /// The reader, and how many messages it waits for.
    reader: Option<(Waker, usize)>,
    /// The stream was dropped.
    is_left: bool,
    /// The consumer is shutting down, or is gone.
    is_ended: bool,
    /// Why the stream ended, for the reader.
    reason: Option<MQClientError>,
}

impl Feed {
    /// Offers a message to the reader. False: the stream was dropped.
    pub(crate) fn offer(&self, flight: Arc<Flight>) -> bool {
        let mut line = self.line();
        if line.is_left || line.is_ended {
            return false;
        }
        line.flights.push_back(flight);
        line.wake();
        true
    }

    /// Whether messages can be offered.
    pub(crate) fn is_open(&self) -> bool {
        let line = self.line();
        !line.is_left && !line.is_ended
    }

    /// Whether the consumer ends the stream.
    pub(crate) fn is_ended(&self) -> bool {
        self.line().is_ended
    }

    pub(crate) fn set_limit(&self, workers: usize) {
        let mut line = self.line();
        line.limit = workers;
        line.wake();
    }

    /// A message that the reader had is settled or out of time.
    pub(crate) fn came_back(&self) {
        let mut line = self.line();
        line.in_hand = line.in_hand.saturating_sub(1);
    }

    /// Ends the stream for its reader. Messages that were not taken stay unfinished.
    pub(crate) fn end(&self, reason: Option<MQClientError>) {
        let flights = {
            let mut line = self.line();
            if line.is_ended {
                return;
            }
            line.is_ended = true;
            line.reason = reason;
            line.wake_anyway();
            std::mem::take(&mut line.flights)
        };
        flights.iter().for_each(|flight| flight.turn_away());
    }

    /// The reader goes away.
    pub(super) fn leave(&self) {
        let flights = {
            let mut line = self.line();
            line.is_left = true;
            std::mem::take(&mut line.flights)
        };
        flights.iter().for_each(|flight| flight.turn_away());
    }

    /// Takes up to `max` messages once `wanted` of them are there, or as many as the workers can offer.
    pub(super) fn poll_take(
        &self,
        cx: &Context<'_>,
        wanted: usize,
        max: usize,
    ) -> Poll<Option<Result<Vec<Arc<Flight>>, MQClientError>>> {
        let mut line = self.line();
        if line.is_ended {
            return Poll::Ready(line.reason.take().map(Err));
        }
        if line.is_enough(wanted) {
            let taken = line.take(max);
            if !taken.is_empty() {
                return Poll::Ready(Some(Ok(taken)));
            }
        }
        line.reader = Some((cx.waker().clone(), wanted));
        Poll::Pending
    }

    /// Takes what is there, up to `max` messages.
    pub(super) fn take_now(&self, max: usize) -> Vec<Arc<Flight>> {
        self.line().take(max)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn take(&mut self, max: usize) -> Vec<Arc<Flight>> {
        let mut taken = Vec::with_capacity(max.min(self.flights.len()));
        while taken.len() < max
            && let Some(flight) = self.flights.pop_front()
        {
            if flight.begin() {
                taken.push(flight);
            }
        }
        self.in_hand += taken.len();
        taken
    }

    fn is_enough(&self, wanted: usize) -> bool {
        let can_come = self.limit.saturating_sub(self.in_hand).max(1);
        self.flights.len() >= wanted.min(can_come)
    }

    fn wake(&mut self) {
        if self.reader.as_ref().is_some_and(|(_, wanted)| self.is_enough(*wanted)) {
            self.wake_anyway();
        }
    }

    fn wake_anyway(&mut self) {
        if let Some((waker, _)) = self.reader.take() {
            waker.wake();
        }
    }
}

impl FeedSource {
    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.0
    }
}

impl Drop for FeedSource {
    fn drop(&mut self) {
        self.0.end(Some(MQClientError::ShutDown { client: "push consumer" }));
    }
}
