//! Limits of sends in flight.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout, timeout_at};

use crate::metrics::{Messages, ProducerMeter};

/// One send in [`Permits::free`]: a bit above the bytes.
const SEND: u64 = 1 << BYTES_BITS;
/// Bits for the number of bytes: up to a tebibyte. The other 24 bits are for the sends.
const BYTES_BITS: u32 = 40;

/// Limits the sends, and the bytes of their bodies, in flight. A send beyond either limit waits.
///
/// Both counts are in one number, so that every send changes a single place of memory twice, from any number of
/// threads.
#[derive(Debug)]
pub(super) struct Permits {
    /// Sends and bytes that are free.
    free: AtomicU64,
    all: u64,
    closed: AtomicBool,
    /// The number of waiting callers. While a caller waits, later callers queue behind it.
    waiting: AtomicUsize,
    /// Held by the first waiting caller, which waits for returned permits; the others wait for this lock, in order.
    turn: Mutex<()>,
    given_back: Notify,
    meter: ProducerMeter,
}

/// The right to one send, returned on drop.
#[derive(Debug)]
pub(super) struct Permit<P: Deref<Target = Permits>> {
    from: P,
    taken: Taken,
}

/// The amount that one send has taken. Its holder must return it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken(u64, Messages);

impl<P: Deref<Target = Permits>> Drop for Permit<P> {
    fn drop(&mut self) {
        self.from.give_back(self.taken);
    }
}

impl<P: Deref<Target = Permits>> Permit<P> {
    /// Returns the bytes early: the body is written, but the outcome is still to come.
    pub(super) fn release_bytes(&mut self) {
        let bytes = self.taken.0 % SEND;
        self.taken.0 -= bytes;
        self.from.give_back(Taken(bytes, Messages::default()));
    }

    /// Tells the metrics how many messages the send has.
    #[inline]
    pub(super) fn of(mut self, messages: Messages) -> Self {
        self.from.meter.admitted(messages);
        self.taken.1 = messages;
        self
    }

    /// Moves the permit to `from`, another reference to the same [`Permits`].
    pub(super) fn held_by<Q: Deref<Target = Permits>>(self, from: Q) -> Permit<Q> {
        Permit { from, taken: self.into_taken() }
    }

    /// Takes the amount out of the permit: the caller must return it.
    pub(super) fn into_taken(mut self) -> Taken {
        std::mem::take(&mut self.taken)
    }
}

/// Why a send got no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPermit {
    /// The deadline passed while other sends held the permits.
    TimedOut,
    /// The producer is shutting down.
    Closed,
}

impl Permits {
    /// Limits of at most 16,777,215 sends and a tebibyte: no machine has more in flight.
    pub(super) fn new(sends: u32, bytes: usize, meter: ProducerMeter) -> Self {
        let sends = u64::from(sends).min(u64::MAX >> BYTES_BITS);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).min(SEND - 1);
        let all = sends * SEND + bytes;
        Self {
            free: AtomicU64::new(all),
            all,
            closed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            turn: Mutex::new(()),
            given_back: Notify::new(),
            meter,
        }
    }

    /// Takes a permit without waiting, if one is free and no caller waits.
    pub(super) fn try_acquire(&self, body: usize) -> Option<Permit<&Self>> {
        let overtakes = self.waiting.load(Ordering::SeqCst) > 0;
        if overtakes || self.closed.load(Ordering::SeqCst) { None } else { self.take(body) }
    }

    /// Takes a permit for one send with a body of this size; a body larger than the limit takes all bytes. Waiting
    /// callers are served in order.
    pub(super) async fn acquire(&self, body: usize, deadline: Instant) -> Result<Permit<&Self>, NoPermit> {
        // Counted before the first look: a permit returned after it wakes this caller.
        let _waiting = Waiting::new(&self.waiting);
        let acquired = timeout_at(deadline, async {
            let _turn = self.turn.lock().await;
            loop {
                let given_back = self.given_back.notified();
                tokio::pin!(given_back);
                // Register before looking: a permit returned in between is then not missed.
                given_back.as_mut().enable();
                if self.closed.load(Ordering::SeqCst) {
                    return Err(NoPermit::Closed);
                }
                if let Some(permit) = self.take(body) {
                    return Ok(permit);
                }
                given_back.await;
            }
        });
        acquired.await.unwrap_or(Err(NoPermit::TimedOut))
    }

    /// What the metrics are told by.
    #[inline]
    pub(super) fn meter(&self) -> &ProducerMeter {
        &self.meter
    }

    /// The number of sends with a permit.
    pub(super) fn in_flight(&self) -> u32 {
        let free = self.free.load(Ordering::SeqCst) / SEND;
        // The cast fits: both numbers have 24 bits.
        (self.all / SEND).saturating_sub(free) as u32
    }

    /// Refuses new permits and waits until all are returned, at most `limit`. Returns the number of missing ones.
    pub(super) async fn drain(&self, limit: Duration) -> u32 {
        self.closed.store(true, Ordering::SeqCst);
        let _waiting = Waiting::new(&self.waiting);
        self.given_back.notify_waiters();
        let _ = timeout(limit, async {
            loop {
                let given_back = self.given_back.notified();
                tokio::pin!(given_back);
                given_back.as_mut().enable();
                if self.in_flight() == 0 {
                    return;
                }
                given_back.await;
            }
        })
        .await;
        self.in_flight()
    }

    pub(super) fn give_back(&self, taken: Taken) {
        if taken.0 > 0 {
            self.meter.ended(taken.1);
            self.free.fetch_add(taken.0, Ordering::SeqCst);
            // A caller that starts to wait after this load sees the returned permit: both sides are `SeqCst`.
            if self.waiting.load(Ordering::SeqCst) > 0 {
                self.given_back.notify_one();
            }
        }
    }

    fn take(&self, body: usize) -> Option<Permit<&Self>> {
        let bytes = u64::try_from(body).unwrap_or(u64::MAX).min(self.all % SEND);
        let enough = |free: u64| (free >= SEND && free % SEND >= bytes).then(|| free - SEND - bytes);
        // One atomic step takes both counts: a send never holds a part of its permit.
        self.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enough).ok()?;
        Some(Permit { from: self, taken: Taken(SEND + bytes, Messages::default()) })
    }
}

/// Counts a waiting caller.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(sends: u32) -> Permits {
        Permits::new(sends, 1000, ProducerMeter::new("g"))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_send_past_the_count_waits_within_its_deadline() {
        let permits = permits(2);
        let (first, _second) = (permits.acquire(1, soon()).await, permits.acquire(1, soon()).await);
        let began = Instant::now();
        assert_eq!(permits.acquire(1, soon()).await.unwrap_err(), NoPermit::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        drop(first);
        assert!(permits.acquire(1, soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_counted_and_a_huge_body_takes_them_all() {
        let permits = permits(10);
        let mut huge = permits.acquire(5000, soon()).await.unwrap();
        assert_eq!(permits.acquire(1, soon()).await.unwrap_err(), NoPermit::TimedOut);
        huge.release_bytes();
        let _most = permits.acquire(999, soon()).await.unwrap();
        assert!(permits.acquire(1, soon()).await.is_ok());
        drop(huge);
        assert_eq!(permits.acquire(2, soon()).await.unwrap_err(), NoPermit::TimedOut, "given back once");
    }

    #[tokio::test(start_paused = true)]
    async fn draining_refuses_newcomers_and_counts_who_is_left() {
        let permits = permits(10);
        let _held = permits.acquire(1, soon()).await.unwrap();
        assert_eq!(permits.drain(Duration::from_secs(1)).await, 1);
        assert_eq!(permits.acquire(1, soon()).await.unwrap_err(), NoPermit::Closed);
    }
}
