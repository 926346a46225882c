use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::flight::{Look, Seat};
use super::{Delivery, Failed, Flight};
use crate::consumer::member::{Member, Stage};
use crate::error::MQClientError;

/// Flights that are over are forgotten when there are more of them than deliveries, and more than this.
const FEW: usize = 64;
/// With a rate limit, no more messages are taken at once.
const MOST_AT_A_RATE: usize = 65_536;

/// The source of a stream: the cached messages of its consumer. A message stays in the window of its queue until the reader
/// takes it, so that nothing waits in between when a queue is released.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    line: Mutex<Line>,
    /// How many deliveries the reader holds.
    in_hand: AtomicUsize,
    /// Told when a delivery has failed.
    failure: Notify,
    /// Told when a delivery may be due earlier than all before.
    earlier: Notify,
}

/// The consumer's end of a feed: the stream ends when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct FeedSource(Arc<Feed>);

#[derive(Debug, Default)]
struct Line {
    /// The consumer, once it is started.
    member: Weak<Member>,
    reader: Option<Waker>,
    /// How often it looked for messages, and whether it waits for more of them than there are.
    looks: u64,
    gathers: bool,
    /// The flights in the order in which they have to be looked at, and when. Some are over: they are gone, and their messages
    /// with them.
    due: VecDeque<(Instant, Weak<Flight>)>,
    /// When the next look will be.
    looks_at: Option<Instant>,
    /// Deliveries that have not succeeded, for workers.
    failed: VecDeque<Failed>,
    /// The consumer is shutting down, or is gone.
    is_ended: bool,
    /// Why the stream ended, for the reader.
    reason: Option<MQClientError>,
}

/// A delivery that [`Feed::overdue`] finds.
#[derive(Debug)]
pub(crate) enum Overdue {
    /// The time of a delivery is over.
    Late(Arc<Flight>, usize),
    /// So is its grace.
    TimedOut(Arc<Flight>, usize),
}

impl Feed {
    /// The consumer is started.
    pub(crate) fn open(&self, member: &Arc<Member>) {
        let reader = {
            let mut line = self.line();
            line.member = Arc::downgrade(member);
            line.reader.take()
        };
        wake(reader);
    }

    /// Whether the consumer ends the stream.
    pub(crate) fn is_ended(&self) -> bool {
        self.line().is_ended
    }

    /// Ends the stream for its reader.
    pub(crate) fn end(&self, reason: Option<MQClientError>) {
        let reader = {
            let mut line = self.line();
            if line.is_ended {
                return;
            }
            line.is_ended = true;
            line.reason = reason;
            line.reader.take()
        };
        wake(reader);
    }

    /// How often the reader has looked for messages, unless it works on some or waits for more.
    pub(crate) fn unread(&self) -> Option<u64> {
        let line = self.line();
        (self.in_hand.load(Ordering::Relaxed) == 0 && !line.gathers).then_some(line.looks)
    }

    /// A delivery is settled or out of time.
    pub(super) fn came_back(&self) {
        self.in_hand.fetch_sub(1, Ordering::Relaxed);
    }

    /// Leaves a delivery to the workers.
    pub(crate) fn fail(&self, failed: Failed) {
        self.line().failed.push_back(failed);
        self.failure.notify_one();
    }

    /// Waits for a delivery that has not succeeded. Cancel-safe.
    pub(crate) async fn next_failed(&self) -> Failed {
        loop {
            {
                let mut line = self.line();
                if let Some(failed) = line.failed.pop_front() {
                    // Workers wake each other while there is work.
                    if !line.failed.is_empty() {
                        self.failure.notify_one();
                    }
                    return failed;
                }
            }
            self.failure.notified().await;
        }
    }

    /// Waits for the next delivery that is out of time. Cancel-safe.
    pub(crate) async fn overdue(&self) -> Overdue {
        loop {
            let at = match self.look(Instant::now()) {
                Ok(overdue) => return overdue,
                Err(at) => at,
            };
            let sleeping = async {
                match at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleeping => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    /// The error is when to look again.
    fn look(&self, now: Instant) -> Result<Overdue, Option<Instant>> {
        let mut line = self.line();
        while let Some((at, flight)) = line.due.pop_front() {
            let Some(flight) = flight.upgrade() else { continue };
            if at > now {
                line.due.push_front((at, Arc::downgrade(&flight)));
                line.looks_at = Some(at);
                return Err(Some(at));
            }
            match flight.look(now) {
                Look::Over => {}
                Look::Again(at) => line.add(at, &flight),
                // Others of the flight may be due, too.
                Look::Late(index) => {
                    line.add(now, &flight);
                    return Ok(Overdue::Late(flight, index));
                }
                Look::TimedOut(index) => {
                    line.add(now, &flight);
                    self.came_back();
                    return Ok(Overdue::TimedOut(flight, index));
                }
            }
        }
        line.looks_at = None;
        Err(None)
    }

    /// No worker sees deliveries through any more: the verdicts of their readers come too late.
    pub(crate) fn close(&self) {
        let (due, failed) = {
            let mut line = self.line();
            (std::mem::take(&mut line.due), std::mem::take(&mut line.failed))
        };
        due.iter().filter_map(|(_, flight)| flight.upgrade()).for_each(|flight| flight.end());
        drop(failed);
    }

    /// Takes up to `max` messages once `wanted` of them are there, or a limit keeps more from coming, and hands each to `taken`.
    pub(super) fn poll_take(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        pause: &mut Option<Pin<Box<Sleep>>>,
        (wanted, max): (usize, usize),
        taken: &mut impl FnMut(Delivery),
    ) -> Poll<Option<Result<(), MQClientError>>> {
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        // Mostly messages are there. Only then nothing has to wake the reader.
        let mut waits = false;
        loop {
            let member = {
                let mut line = self.line();
                if line.is_ended {
                    return Poll::Ready(line.reason.take().map(Err));
                }
                line.looks += u64::from(!waits);
                line.gathers = false;
                if waits {
                    line.reader = Some(cx.waker().clone());
                }
                line.member.upgrade()
            };
            if let Some(member) = &member {
                if waits {
                    // Before the look: what comes in between wakes it.
                    member.ready.register(cx.waker(), wanted > 1);
                }
                if is_enough(member, wanted) {
                    match self.take(member, (wanted, max), taken) {
                        Ok(0) => {}
                        Ok(_) => {
                            coop.made_progress();
                            return Poll::Ready(Some(Ok(())));
                        }
                        Err(at) if waits => {
                            let pause = pause.get_or_insert_with(|| Box::pin(sleep_until(at)));
                            pause.as_mut().reset(at);
                            ready!(pause.as_mut().poll(cx));
                            continue;
                        }
                        Err(_) => {}
                    }
                } else if waits {
                    self.line().gathers = true;
                }
            }
            if waits {
                return Poll::Pending;
            }
            waits = true;
        }
    }

    /// Takes what is there, up to `max` messages.
    pub(super) fn take_now(self: &Arc<Self>, max: usize) -> Vec<Delivery> {
        let member = {
            let mut line = self.line();
            line.looks += 1;
            line.gathers = false;
            line.member.upgrade()
        };
        let mut taken = Vec::new();
        if let Some(member) = member {
            // With a rate limit, perhaps nothing may go.
            let _ = self.take(&member, (max, max), &mut |delivery| taken.push(delivery));
        }
        taken
    }

    /// Hands messages to `taken`, and returns how many. The error is when the rate lets messages go.
    fn take(
        self: &Arc<Self>,
        member: &Arc<Member>,
        (least, max): (usize, usize),
        taken: &mut impl FnMut(Delivery),
    ) -> Result<usize, Instant> {
        let now = Instant::now();
        let max = match &member.pace {
            Some(pace) => pace.take(now, least.min(MOST_AT_A_RATE), max.min(MOST_AT_A_RATE))?,
            None => max,
        };
        let mut count = 0;
        while count < max
            && let Some(owned) = member.ready.pop()
        {
            let (mut first, mut offsets, mut others) = (None, Vec::new(), Vec::new());
            {
                let mut state = owned.lock();
                if max - count == 1 {
                    first = state.take_one();
                } else {
                    state.take_of_one_answer(max - count, &mut offsets, &mut others);
                }
                member.note_lapsed(&state);
                if state.gets_in_line() {
                    drop(state);
                    member.ready.push(owned.clone());
                }
            }
            let until = now + member.settings.consume_timeout;
            let (first, others) = match first {
                Some(first) => (first, Box::default()),
                None => {
                    let mut rest = offsets.into_iter().zip(others);
                    let Some(first) = rest.next() else { continue };
                    (first, rest.map(|one| Seat::new(one, until)).collect())
                }
            };
            let first = Seat::new(first, until);
            let flight = Flight::new(member.clone(), self.clone(), owned, first, others, now);
            let flight = Arc::new(flight);
            count += flight.len();
            if !member.settings.hooks.consume.is_empty() {
                (0..flight.len()).for_each(|index| flight.note_begin(index));
            }
            self.hold(&flight, until);
            (0..flight.len()).for_each(|index| taken(Delivery::new(flight.clone(), index)));
        }
        if let Some(pace) = &member.pace {
            pace.put_back(max - count);
        }
        Ok(count)
    }

    /// The reader holds deliveries until then.
    fn hold(&self, flight: &Arc<Flight>, at: Instant) {
        let in_hand = self.in_hand.fetch_add(flight.len(), Ordering::Relaxed);
        let mut line = self.line();
        while line.due.front().is_some_and(is_over) {
            line.due.pop_front();
        }
        if line.due.len() > 2 * in_hand + FEW {
            line.due.retain(|due| !is_over(due));
        }
        if line.looks_at.is_none_or(|looks| at < looks) {
            line.looks_at = Some(at);
            self.earlier.notify_one();
        }
        line.add(at, flight);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_over((_, flight): &(Instant, Weak<Flight>)) -> bool {
    flight.strong_count() == 0
}

/// Whether `wanted` messages wait, or a queue of which some wait may not pull more.
fn is_enough(member: &Member, wanted: usize) -> bool {
    let mut waiting = 0;
    wanted <= 1
        || member.ready.in_line().iter().any(|owned| {
            let state = owned.lock();
            waiting += state.window.as_ref().map_or(0, |window| window.waiting());
            // After the pause between two pulls, it may not pull either.
            let is_full = || match state.stage {
                Stage::Throttled(_) => true,
                Stage::Idle => member.throttle(owned, &state).is_some(),
                _ => false,
            };
            waiting >= wanted || waiting > 0 && is_full()
        })
}

impl Line {
    /// Has a flight looked at then. Mostly that is after all others.
    fn add(&mut self, at: Instant, flight: &Arc<Flight>) {
        let place = match self.due.back() {
            Some((last, _)) if *last > at => self.due.partition_point(|(other, _)| *other <= at),
            _ => self.due.len(),
        };
        self.due.insert(place, (at, Arc::downgrade(flight)));
    }
}

/// Runs foreign code: no lock is held here.
fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
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
