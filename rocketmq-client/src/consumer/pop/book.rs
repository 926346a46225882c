use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::PopHandle;

/// How long a broker's least lag counts.
const LAG_COUNTS: Duration = Duration::from_secs(60);
/// The pause after a request that could not be sent, or that a busy broker did not carry out; a twelfth of the invisible time if that is
/// shorter.
const UNSENT: Duration = Duration::from_secs(1);

/// The popped messages of one queue that are not acknowledged, by their numbers in its window. `now` is an argument.
///
/// A message is invisible until a moment of the broker's clock; this client's own clock tells when that is. A broker answers 0 to
/// acknowledgements that come too late, and to handles that it does not know, so that nothing else tells.
#[derive(Debug)]
pub(crate) struct PopBook {
    held: BTreeMap<i64, Held>,
    /// Acknowledgements that no broker has answered yet.
    acking: usize,
    lag: Lag,
    /// The number of the ordered pop that is under way. A pop without an answer is repeated under the same number.
    pub(crate) attempt: u64,
    in_order: bool,
    /// In order: messages that come again together, because the time of the first of them was over.
    lost: Range<i64>,
}

#[derive(Debug)]
struct Held {
    handle: PopHandle,
    /// Until then it is invisible.
    until: Instant,
    /// How long each request hides it. The handle of an ordered message counts its time from the pop instead.
    span: Duration,
    /// When to hide it for longer.
    extend_at: Instant,
    step: Step,
    /// Learns whether the broker has taken the acknowledgement.
    waiter: Option<oneshot::Sender<bool>>,
}

/// The state of a popped message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Held,
    /// A request to hide it for longer is under way: which handle is valid is known when it is answered.
    Extending,
    /// It is finished while a request to hide it for longer is under way.
    Done,
    /// It is too late to hide it for longer.
    Fixed,
    /// A request has no answer, so that the handle may be used up. An acknowledgement tries it; to use it for anything else could
    /// deliver the message twice.
    Unknown,
}

impl Step {
    /// Whether a request decides which handle is valid.
    fn is_under_way(self) -> bool {
        matches!(self, Step::Extending | Step::Done)
    }
}

/// How a request to hide a message for longer ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Extended {
    /// The broker has a new handle for it.
    To(PopHandle),
    /// The broker did not answer, or refused.
    Unknown,
    /// The request did not go out, or the broker was too busy for it.
    Unsent,
}

/// A finished message whose broker has to know.
#[derive(Debug)]
pub(crate) struct Ack {
    pub(crate) handle: PopHandle,
    /// From then on it is too late.
    pub(crate) until: Instant,
    pub(crate) waiter: Option<oneshot::Sender<bool>>,
}

/// The findings of a look at the book.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// To be hidden for longer.
    pub(crate) extend: Vec<(i64, PopHandle)>,
    /// Visible again.
    pub(crate) lapsed: Vec<i64>,
    /// When to look again.
    pub(crate) next: Option<Instant>,
}

impl Held {
    fn popped_at(handle: PopHandle, popped_at: Instant) -> Self {
        let span = Duration::from_millis(u64::try_from(handle.invisible).unwrap_or(0));
        let (until, step) = (popped_at, Step::Held);
        let mut held = Self { handle, until, span, extend_at: until, step, waiter: None };
        held.hide(popped_at, span);
        held
    }

    /// Notes that it is hidden for a time, to be hidden for longer after two thirds of it.
    fn hide(&mut self, from: Instant, span: Duration) {
        (self.until, self.span) = (from + span, span);
        self.extend_at = self.until.checked_sub(span / 3).unwrap_or(self.until);
    }

    /// From then on a request could come too late: the broker would deliver the message once more although it is acknowledged.
    fn too_late_at(&self) -> Instant {
        self.until.checked_sub(self.span / 6).unwrap_or(self.until)
    }

    fn ack(self) -> Ack {
        Ack { handle: self.handle, until: self.until, waiter: self.waiter }
    }
}

impl PopBook {
    pub(crate) fn new(now: Instant) -> Self {
        Self { held: BTreeMap::new(), acking: 0, lag: Lag::new(now), attempt: 0, in_order: false, lost: 0..0 }
    }

    pub(crate) fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }

    /// When the messages of an answer were popped, by this client's clock: not before the request was `sent`, and as long before the
    /// answer was `received` as the answer lagged behind the quickest answers of the broker.
    pub(crate) fn popped_at(&mut self, pop_time: i64, sent: Instant, received: Instant) -> Instant {
        let behind = self.lag.behind(pop_time, received);
        received.checked_sub(behind).map_or(sent, |at| at.max(sent))
    }

    /// Takes a message that was popped at this time.
    pub(crate) fn add(&mut self, number: i64, handle: PopHandle, popped_at: Instant) {
        self.held.insert(number, Held::popped_at(handle, popped_at));
    }

    /// An acknowledgement for a message that no handler gets.
    pub(crate) fn ack_at_once(&mut self, handle: PopHandle, popped_at: Instant) -> Ack {
        self.acking += 1;
        Held::popped_at(handle, popped_at).ack()
    }

    /// Has the end of an acknowledgement told: whether the broker has it in time.
    pub(crate) fn watch(&mut self, number: i64) -> Option<oneshot::Receiver<bool>> {
        let (tell, told) = oneshot::channel();
        self.held.get_mut(&number)?.waiter = Some(tell);
        Some(told)
    }

    /// A message is finished. `None`: there is nothing to acknowledge, or not yet.
    pub(crate) fn finish(&mut self, number: i64) -> Option<Ack> {
        let held = self.held.get_mut(&number)?;
        match held.step {
            Step::Done => return None,
            Step::Extending => held.step = Step::Done,
            Step::Held | Step::Fixed | Step::Unknown => {}
        }
        self.acking += 1;
        let is_clear = held.step != Step::Done;
        is_clear.then(|| self.held.remove(&number).map(Held::ack)).flatten()
    }

    /// The acknowledgements of `count` messages have ended.
    pub(crate) fn acked(&mut self, count: usize) {
        self.acking = self.acking.saturating_sub(count);
    }

    /// How many acknowledgements no broker has answered yet.
    pub(crate) fn acking(&self) -> usize {
        self.acking
    }

    /// How many messages are popped and not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.held.values().filter(|held| held.step != Step::Done).count() + self.acking
    }

    /// Whether a request is under way that decides which handle of the message is valid.
    pub(crate) fn is_extending(&self, number: i64) -> bool {
        self.held.get(&number).is_some_and(|held| held.step == Step::Extending)
    }

    /// Until when a message is this member's; `None` if its time is over, or if it was finished or given up.
    pub(crate) fn live_until(&self, number: i64, now: Instant) -> Option<Instant> {
        self.held.get(&number).map(|held| held.until).filter(|until| *until > now)
    }

    /// Whether a handler may begin a message. In order, there must be time left to hide it for longer, or a handler elsewhere could
    /// begin it meanwhile; and nothing that was popped before it may come again.
    pub(crate) fn may_begin(&mut self, number: i64, now: Instant) -> bool {
        let Some(held) = self.held.get(&number) else { return false };
        if !self.in_order {
            return held.until > now;
        }
        let may = now < held.too_late_at() && !self.lost.contains(&number);
        if !may {
            self.lose(number);
        }
        may
    }

    /// In order: a message comes again, and so does what was popped behind it.
    fn lose(&mut self, number: i64) {
        if let Some((last, _)) = self.held.last_key_value() {
            let first = if self.lost.is_empty() { number } else { self.lost.start.min(number) };
            self.lost = first..self.lost.end.max(last + 1);
        }
    }

    /// Gives a message up, which is to come again. Returns its handle, unless it comes again anyway.
    pub(crate) fn give_up(&mut self, number: i64, now: Instant) -> Option<PopHandle> {
        let held = self.held.remove(&number)?;
        (held.until > now && held.step != Step::Unknown).then_some(held.handle)
    }

    /// Ends the book with the ownership of its queue: what waits for an acknowledgement learns that none is known. Only messages
    /// with a request under way stay.
    pub(crate) fn end(&mut self) {
        self.held.retain(|_, held| {
            held.waiter = None;
            held.step.is_under_way()
        });
    }

    /// Gives all messages up that are not finished and of which `wanted` is true; messages with a request under way stay.
    pub(crate) fn give_up_all(
        &mut self,
        now: Instant,
        mut wanted: impl FnMut(i64) -> bool,
    ) -> Vec<(i64, PopHandle)> {
        let open = self.held.iter().filter(|(_, held)| !held.step.is_under_way());
        let numbers: Vec<i64> = open.map(|(number, _)| *number).filter(|number| wanted(*number)).collect();
        numbers.into_iter().filter_map(|number| Some((number, self.give_up(number, now)?))).collect()
    }

    /// Looks at the time of all messages. A message is hidden for longer only if `may_extend` is true for its number.
    pub(crate) fn sweep(&mut self, now: Instant, may_extend: impl Fn(i64) -> bool) -> Swept {
        let mut swept = Swept::default();
        for (number, held) in &mut self.held {
            if held.step.is_under_way() {
                continue;
            }
            if held.until <= now || self.lost.contains(number) {
                swept.lapsed.push(*number);
                continue;
            }
            if held.step == Step::Held && held.extend_at <= now {
                if now < held.too_late_at() && may_extend(*number) {
                    held.step = Step::Extending;
                    swept.extend.push((*number, held.handle));
                    continue;
                }
                if now >= held.too_late_at() {
                    held.step = Step::Fixed;
                }
            }
            let extends = held.step == Step::Held && held.extend_at > now;
            let at = if extends { held.extend_at.min(held.until) } else { held.until };
            swept.next = Some(swept.next.map_or(at, |next| next.min(at)));
        }
        if self.in_order
            && let Some(first) = swept.lapsed.iter().copied().find(|number| !self.lost.contains(number))
        {
            self.lose(first);
            let behind = self.held.range(first + 1..).filter(|(_, held)| !held.step.is_under_way());
            swept.lapsed.extend(behind.map(|(number, _)| *number));
            swept.lapsed.sort_unstable();
            swept.lapsed.dedup();
        }
        swept
    }

    /// Until when the answer to a request to hide a message for longer counts that is sent now; `None` if the request comes too
    /// late, or if the message is finished.
    pub(crate) fn may_extend(&self, number: i64, now: Instant) -> Option<Instant> {
        let held = self.held.get(&number).filter(|held| held.step == Step::Extending)?;
        (now < held.too_late_at()).then_some(held.until)
    }

    /// A request to hide a message for `span`, sent at this time, has ended. Without an answer it is not repeated: the broker may
    /// have carried it out, and a second request with the same handle delivers the message once more. Returns the
    /// acknowledgement of a message that was finished meanwhile.
    pub(crate) fn extended(
        &mut self,
        number: i64,
        ended: Extended,
        sent: Instant,
        span: Duration,
    ) -> Option<Ack> {
        let held = self.held.get_mut(&number)?;
        let is_done = held.step == Step::Done;
        held.step = if matches!(ended, Extended::Unknown) { Step::Unknown } else { Step::Held };
        match ended {
            Extended::To(handle) => {
                held.handle = handle;
                held.hide(sent, span);
            }
            Extended::Unsent => held.extend_at = sent + UNSENT.min(held.span / 12),
            Extended::Unknown => {}
        }
        is_done.then(|| self.held.remove(&number).map(Held::ack)).flatten()
    }
}

/// How far the answers of a broker lag behind its clock at least: the difference of the clocks, and the way of the quickest answer.
#[derive(Debug)]
struct Lag {
    /// Times are counted from here: steps of this machine's calendar change nothing.
    began: Instant,
    /// The least of the present minute, and of the minute before.
    least: [Option<i64>; 2],
    since: Instant,
}

impl Lag {
    fn new(now: Instant) -> Self {
        Self { began: now, least: [None; 2], since: now }
    }

    /// How much more an answer lags than the quickest.
    fn behind(&mut self, pop_time: i64, received: Instant) -> Duration {
        if received.saturating_duration_since(self.since) > LAG_COUNTS {
            (self.least, self.since) = ([None, self.least[0]], received);
        }
        let at =
            i64::try_from(received.saturating_duration_since(self.began).as_millis()).unwrap_or(i64::MAX);
        let lag = at.saturating_sub(pop_time);
        self.least[0] = Some(self.least[0].map_or(lag, |least| least.min(lag)));
        let least = self.least.iter().flatten().min().copied().unwrap_or(lag);
        Duration::from_millis(u64::try_from(lag.saturating_sub(least)).unwrap_or(0))
    }
}
