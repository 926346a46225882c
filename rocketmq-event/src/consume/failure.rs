use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::error::with_causes;

/// A handler did not succeed. Every error becomes one with `?`, errors of `anyhow` and texts too, and then means what the
/// consumer's [`RetryPolicy`](super::RetryPolicy) says: later again, by default.
///
/// ```
/// use rocketmq_event::{Failure, FailureExt};
/// fn parse(text: &str) -> Result<i64, Failure> {
///     let number = text.parse::<i64>().permanent()?; // No further attempt can succeed: a dead letter at once.
///     if number < 0 {
///         return Err("the service is busy".into()); // Later again.
///     }
///     Ok(number)
/// }
/// assert!(parse("x").is_err());
/// ```
///
/// It is no [`Error`] itself, because it is made of any error; [`into_error`](Self::into_error) gives that error back.
pub struct Failure {
    error: Box<dyn Error + Send + Sync>,
    verdict: Verdict,
}

/// The request of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The choice of the consumer's policy.
    ByPolicy,
    /// A dead letter, at once.
    Permanent,
    /// Later again, after this delay, if the policy leaves a try.
    After(Duration),
    /// Again in place, with the policy's delay, if the policy leaves a try.
    InPlace,
    /// The event is given back, and the consumer ends.
    Stop,
}

impl Failure {
    /// No further attempt can succeed: a dead letter at once.
    pub fn permanent(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error: error.into(), verdict: Verdict::Permanent }
    }

    /// Later again, after this delay, which the broker keeps; if the policy leaves a try.
    pub fn after(delay: Duration, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error: error.into(), verdict: Verdict::After(delay) }
    }

    /// Again in place: events with its key wait.
    pub fn in_place(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error: error.into(), verdict: Verdict::InPlace }
    }

    /// The event is given back unhandled, and the consumer ends with this error.
    pub fn stop(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error: error.into(), verdict: Verdict::Stop }
    }

    /// The request of the failure.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The error.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    /// The error, taken out.
    pub fn into_error(self) -> Box<dyn Error + Send + Sync> {
        self.error
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), verdict: Verdict::ByPolicy }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(&*self.error))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({:?})", self.verdict)
    }
}

/// Says with one word what the error of a result means.
pub trait FailureExt<T> {
    /// An error is permanent: a dead letter at once.
    ///
    /// # Errors
    /// A failure that holds the error.
    fn permanent(self) -> Result<T, Failure>;

    /// An error means: again after this delay.
    ///
    /// # Errors
    /// A failure that holds the error.
    fn after(self, delay: Duration) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> FailureExt<T> for Result<T, E> {
    fn permanent(self) -> Result<T, Failure> {
        self.map_err(Failure::permanent)
    }

    fn after(self, delay: Duration) -> Result<T, Failure> {
        self.map_err(|error| Failure::after(delay, error))
    }
}
