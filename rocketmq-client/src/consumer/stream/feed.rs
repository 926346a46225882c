use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};

use rocketmq_common::MessageExt;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::flight::Look;
use super::{Delivery, Failed, Flight};
use crate::consumer::member::{Member, Stage, Timed};
use crate::error::MQClientError;

/// Settled deliveries are forgotten when there are more of them than of others, and more than this.
const FEW: usize = 64;
/// With a rate limit, no more messages are taken at once.
const MOST_AT_A_RATE: usize = 65_536;

/// What a stream reads from: the cached messages of its consumer. A message stays in the window of its queue until the reader
/// takes it, so that nothing waits in between when a queue is released.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    line: Mutex<Line>,
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
    /// How many deliveries the reader holds.
    in_hand: usize,
    /// How often it looked for messages, and whether it waits for more of them than there are.
    looks: u64,
    gathers: bool,
    /// The deliveries, by the end of their time; some are settled.
    due: BinaryHeap<Reverse<Timed<Arc<Flight>>>>,
    /// Deliveries that have not succeeded, for workers.
    failed: VecDeque<Failed>,
    /// The consumer is shutting down, or is gone.
    is_ended: bool,
    /// Why the stream ended, for the reader.
    reason: Option<MQClientError>,
}

/// What [`Feed::overdue`] finds.
#[derive(Debug)]
pub(crate) enum Overdue {
    /// The time of a delivery is over.
    Late(Arc<Flight>, Arc<MessageExt>),
    /// So is its grace.
    TimedOut(Arc<Flight>, Arc<MessageExt>),
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
        (line.in_hand == 0 && !line.gathers).then_some(line.looks)
    }

    /// A delivery is settled or out of time.
    pub(super) fn came_back(&self) {
        let mut line = self.line();
        line.in_hand = line.in_hand.saturating_sub(1);
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
                    // Workers wake each other, as long as there is work.
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
        loop {
            let Some(Reverse(first)) = line.due.peek() else { return Err(None) };
            if first.at > now && !first.item.is_over() {
                return Err(Some(first.at));
            }
            let Some(Reverse(Timed { item: flight, .. })) = line.due.pop() else { return Err(None) };
            match flight.look(now) {
                Look::Over => {}
                Look::Again(at) => line.due.push(Reverse(Timed { at, item: flight })),
                Look::Late(message) => {
                    line.due.push(Reverse(Timed { at: now, item: flight.clone() }));
                    return Ok(Overdue::Late(flight, message));
                }
                Look::TimedOut(message) => {
                    line.in_hand = line.in_hand.saturating_sub(1);
                    return Ok(Overdue::TimedOut(flight, message));
                }
            }
        }
    }

    /// Nobody sees deliveries through any more: what their readers say comes too late.
    pub(crate) fn close(&self) {
        let (due, failed) = {
            let mut line = self.line();
            (std::mem::take(&mut line.due), std::mem::take(&mut line.failed))
        };
        due.iter().for_each(|Reverse(due)| drop(due.item.end()));
        drop(failed);
    }

    /// Takes up to `max` messages once `wanted` of them are there, or a limit keeps more from coming.
    pub(super) fn poll_take(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        pause: &mut Option<Pin<Box<Sleep>>>,
        (wanted, max): (usize, usize),
    ) -> Poll<Option<Result<Vec<Delivery>, MQClientError>>> {
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let member = {
            let mut line = self.line();
            if line.is_ended {
                return Poll::Ready(line.reason.take().map(Err));
            }
            line.reader = Some(cx.waker().clone());
            line.looks += 1;
            line.gathers = false;
            line.member.upgrade()
        };
        let Some(member) = member else { return Poll::Pending };
        // Registers before the look: what comes in between wakes it.
        member.ready.register(cx.waker(), wanted > 1);
        if !is_enough(&member, wanted) {
            self.line().gathers = true;
            return Poll::Pending;
        }
        loop {
            match self.take(&member, wanted, max) {
                Ok(taken) if taken.is_empty() => return Poll::Pending,
                Ok(taken) => {
                    coop.made_progress();
                    return Poll::Ready(Some(Ok(taken)));
                }
                Err(at) => {
                    let pause = pause.get_or_insert_with(|| Box::pin(sleep_until(at)));
                    pause.as_mut().reset(at);
                    ready!(pause.as_mut().poll(cx));
                }
            }
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
        member.and_then(|member| self.take(&member, max, max).ok()).unwrap_or_default()
    }

    /// The error is when the rate lets messages go.
    fn take(
        self: &Arc<Self>,
        member: &Arc<Member>,
        least: usize,
        max: usize,
    ) -> Result<Vec<Delivery>, Instant> {
        let (now, mut taken) = (Instant::now(), Vec::<Delivery>::new());
        let max = match &member.pace {
            Some(pace) => pace.take(now, least.min(MOST_AT_A_RATE), max.min(MOST_AT_A_RATE))?,
            None => max,
        };
        while taken.len() < max
            && let Some(owned) = member.ready.pop()
        {
            {
                let mut state = owned.lock();
                state.take_each(max - taken.len(), |offset, message| {
                    let (member, feed, owned) = (member.clone(), self.clone(), owned.clone());
                    let message = Arc::new(message);
                    let flight = Flight::new(member, feed, owned, (offset, message.clone()), now);
                    taken.push(Delivery::new(message, Arc::new(flight)));
                });
                if state.gets_in_line() {
                    drop(state);
                    member.ready.push(owned.clone());
                }
            }
        }
        if let Some(pace) = &member.pace {
            pace.put_back(max - taken.len());
        }
        if !member.settings.hooks.consume.is_empty() {
            taken
                .iter()
                .for_each(|taken| taken.flight().into_iter().for_each(|flight| flight.note_begin(taken)));
        }
        self.hold(&taken, now + member.settings.consume_timeout);
        Ok(taken)
    }

    /// The reader holds deliveries until then.
    fn hold(&self, taken: &[Delivery], at: Instant) {
        let mut line = self.line();
        line.in_hand += taken.len();
        if line.due.len() > 2 * line.in_hand + FEW {
            line.due.retain(|Reverse(due)| !due.item.is_over());
        }
        if line.due.peek().is_none_or(|Reverse(first)| at < first.at) {
            self.earlier.notify_one();
        }
        let flights = taken.iter().filter_map(Delivery::flight);
        line.due.extend(flights.map(|flight| Reverse(Timed { at, item: flight.clone() })));
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
