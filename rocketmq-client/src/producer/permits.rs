use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio::time::{Instant, timeout_at};

/// How many sends, and how many bytes of bodies, may be in flight. A send past either waits.
#[derive(Debug)]
pub(super) struct Permits {
    sends: Semaphore,
    sends_limit: u32,
    bytes: Semaphore,
    bytes_limit: u32,
}

/// The right to one send. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Arc<Permits>,
    bytes: u32,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.sends.add_permits(1);
        self.permits.bytes.add_permits(self.bytes as usize);
    }
}

impl Permit {
    /// Gives the bytes back early: the body is gone, but the outcome is still waited for.
    pub(super) fn release_bytes(&mut self) {
        self.permits.bytes.add_permits(std::mem::take(&mut self.bytes) as usize);
    }
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPermit {
    /// The deadline passed while others held them.
    TimedOut,
    /// The producer is shutting down.
    Closed,
}

impl Permits {
    pub(super) fn new(sends: u32, bytes: usize) -> Arc<Self> {
        let limit = |count: usize| u32::try_from(count.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let (sends_limit, bytes_limit) = (limit(sends as usize), limit(bytes));
        Arc::new(Self {
            sends: Semaphore::new(sends_limit as usize),
            sends_limit,
            bytes: Semaphore::new(bytes_limit as usize),
            bytes_limit,
        })
    }

    /// Takes a permit for one send of a body of this size; a larger body than the limit takes all there is.
    /// Those who wait are served in order.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        body: usize,
        deadline: Instant,
    ) -> Result<Permit, NoPermit> {
        let send = acquire(&self.sends, 1, deadline).await?;
        let count = u32::try_from(body).unwrap_or(u32::MAX).min(self.bytes_limit);
        let bytes = acquire(&self.bytes, count, deadline).await?;
        // From here on the permit gives both back, wherever it goes.
        send.forget();
        bytes.forget();
        Ok(Permit { permits: self.clone(), bytes: count })
    }

    /// How many sends hold a permit.
    pub(super) fn in_flight(&self) -> u32 {
        let free = u32::try_from(self.sends.available_permits()).unwrap_or(u32::MAX);
        self.sends_limit.saturating_sub(free)
    }

    /// Refuses new permits and waits until all are back, at most for `limit`. Returns how many are not.
    pub(super) async fn drain(&self, limit: Duration) -> u32 {
        // Closing the other one stops new sends, whose second step it is, and lets this one be waited for.
        self.bytes.close();
        let all = self.sends.acquire_many(self.sends_limit);
        let drained = tokio::time::timeout(limit, all).await;
        let left = match drained {
            Ok(_) => 0,
            Err(_) => self.in_flight(),
        };
        self.sends.close();
        left
    }
}

async fn acquire(
    semaphore: &Semaphore,
    count: u32,
    deadline: Instant,
) -> Result<SemaphorePermit<'_>, NoPermit> {
    match semaphore.try_acquire_many(count) {
        Ok(permit) => Ok(permit),
        Err(TryAcquireError::Closed) => Err(NoPermit::Closed),
        Err(TryAcquireError::NoPermits) => match timeout_at(deadline, semaphore.acquire_many(count)).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(NoPermit::Closed),
            Err(_) => Err(NoPermit::TimedOut),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_send_past_the_count_waits_within_its_deadline() {
        let permits = Permits::new(2, 1000);
        let (first, _second) = (permits.acquire(1, soon()).await, permits.acquire(1, soon()).await);
        let began = Instant::now();
        assert_eq!(permits.acquire(1, soon()).await.unwrap_err(), NoPermit::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        drop(first);
        assert!(permits.acquire(1, soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_counted_and_a_huge_body_takes_them_all() {
        let permits = Permits::new(10, 1000);
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
        let permits = Permits::new(10, 1000);
        let _held = permits.acquire(1, soon()).await.unwrap();
        assert_eq!(permits.drain(Duration::from_secs(1)).await, 1);
        assert_eq!(permits.acquire(1, soon()).await.unwrap_err(), NoPermit::Closed);
    }
}
