use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::{Failure, Verdict};

/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Runs an operation again, up to `max_retries` times after the first, with waits that begin at `delay`, double up to 30 s and
/// vary by half, so that many callers do not come back together. A [permanent](Failure::permanent) failure ends it at once.
///
/// It is for short calls within a handler, whose slot it keeps. What takes longer than seconds belongs to the consumer's
/// [`RetryPolicy`](super::RetryPolicy), which keeps no slot.
///
/// # Errors
/// The last failure.
pub async fn with_retry<F, Fut, T, E>(
    max_retries: u32,
    delay: Duration,
    mut operation: F,
) -> Result<T, Failure>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: Into<Failure>,
{
    let mut wait = delay.min(LONGEST);
    let mut retries = 0;
    loop {
        let failure: Failure = match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => error.into(),
        };
        if retries == max_retries || matches!(failure.verdict(), Verdict::Permanent | Verdict::Stop) {
            return Err(failure);
        }
        retries += 1;
        tokio::time::sleep(wait.mul_f64(jitter())).await;
        wait = (wait * 2).min(LONGEST);
    }
}

/// Between 0.5 and 1. The standard library's hasher has random keys, which is random enough to spread callers.
fn jitter() -> f64 {
    let random = RandomState::new().hash_one(0) % 1_000;
    0.5 + f64::from(u16::try_from(random).unwrap_or_default()) / 2_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_permanent_failures_end_it() {
        let (mut calls, began) = (0, tokio::time::Instant::now());
        let result: Result<(), Failure> = with_retry(3, Duration::from_secs(1), || {
            calls += 1;
            std::future::ready(Err("busy"))
        })
        .await;
        let took = began.elapsed();
        assert!(result.is_err());
        assert_eq!(calls, 4);
        // 1 s, 2 s and 4 s, each between its half and itself.
        assert!((Duration::from_millis(3_500)..=Duration::from_secs(7)).contains(&took), "{took:?}");
        let mut calls = 0;
        let result: Result<(), Failure> = with_retry(3, Duration::from_secs(1), || {
            calls += 1;
            std::future::ready(Err(Failure::permanent("never")))
        })
        .await;
        assert_eq!((result.is_err(), calls), (true, 1));
    }
}
