use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::with_causes;

/// The outcome of a message that a concurrent listener has seen. Java: `ConsumeConcurrentlyStatus`.
///
/// ```
/// use rocketmq_client::consumer::{ConsumeFailure, ConsumeOutcome};
///
/// fn judge(body: &[u8]) -> Result<ConsumeOutcome, ConsumeFailure> {
///     let Ok(text) = std::str::from_utf8(body) else {
///         return Ok(ConsumeOutcome::DeadLetter { reason: "the body is not UTF-8".to_owned() });
///     };
///     let amount: u64 = text.parse()?; // An error means: later.
///     println!("{amount}");
///     Ok(ConsumeOutcome::Success)
/// }
/// # assert!(judge(b"x").is_err());
/// # assert_eq!(judge(b"7").unwrap(), ConsumeOutcome::Success);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[doc(alias = "ConsumeConcurrentlyStatus")]
pub enum ConsumeOutcome {
    /// The message is done.
    #[default]
    Success,
    /// The message comes again later, until it has failed `max_reconsume_times` times; then it goes to the group's dead
    /// letter topic, `%DLQ%group`.
    Later {
        /// The broker's delay level, from 1 (1 s) to 18 (2 h). 0 or `None`: the broker chooses; the delay then grows with
        /// each failure, from 10 s to 2 h. Negative: to the dead letter topic at once.
        delay_level: Option<i32>,
    },
    /// The message goes to the group's dead letter topic, `%DLQ%group`, and does not come again.
    DeadLetter {
        /// Why, for the people who look there. It is stored with the message, in at most 32 KiB with all its properties.
        reason: String,
    },
}

/// The outcome for the queue of a message that an orderly listener has seen. Java: `ConsumeOrderlyStatus`.
///
/// With the option `auto_commit` set to false the listener decides what is committed, for example at the end of each
/// transaction of a database. A failure (an error, a panic, `SuspendCurrentQueueAMoment`) then repeats its own message, and
/// leaves those before it done and uncommitted. Messages that are not committed come again to the next owner of the queue,
/// after a crash or a shutdown. They count as cached: commit at least every `pull_threshold_for_queue` messages, or no more
/// come.
///
/// ```
/// use rocketmq_client::consumer::OrderlyOutcome;
///
/// fn judge(body: &[u8]) -> OrderlyOutcome {
///     match body {
///         b"end" => OrderlyOutcome::Commit,
///         b"undo" => OrderlyOutcome::Rollback,
///         _ => OrderlyOutcome::Success,
///     }
/// }
/// # assert_eq!(judge(b"end"), OrderlyOutcome::Commit);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[doc(alias = "ConsumeOrderlyStatus")]
pub enum OrderlyOutcome {
    /// The message is done; the next message of its queue follows. Without `auto_commit` it is not committed yet.
    #[default]
    Success,
    /// The message comes again after a pause. Its queue waits, so that the order holds.
    SuspendCurrentQueueAMoment {
        /// The pause in ms, from 10 to 30,000. `None`: `suspend_current_queue_time`.
        millis: Option<u64>,
    },
    /// The message is done, and may be committed together with all messages of its queue that were done before it. With
    /// `auto_commit` it is like `Success`.
    Commit,
    /// The message and all messages of its queue that are not committed come again, in their order, after
    /// `suspend_current_queue_time`. A rollback is no failure: it does not count for `max_reconsume_times`. With
    /// `auto_commit` it is like `SuspendCurrentQueueAMoment`; Java's client commits the message then.
    Rollback,
}

/// The outcome of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(alias = "ackIndex")]
pub enum BatchOutcome {
    /// All messages have one outcome.
    All(ConsumeOutcome),
    /// Each message has the outcome at its place. Messages behind the end of the list come again later.
    Each(Vec<ConsumeOutcome>),
    /// The messages before this index are done; the message at the index, and all behind it, come again later. `UpTo(0)`:
    /// no message is done. Java's `ackIndex` is smaller by 1: it names the last message that is done.
    UpTo(usize),
}

impl Default for BatchOutcome {
    fn default() -> Self {
        BatchOutcome::All(ConsumeOutcome::Success)
    }
}

impl BatchOutcome {
    /// The outcome of the message at this index.
    ///
    /// ```
    /// use rocketmq_client::consumer::{BatchOutcome, ConsumeOutcome};
    ///
    /// let failed_at_2 = BatchOutcome::UpTo(2);
    /// assert_eq!(failed_at_2.of(1), ConsumeOutcome::Success);
    /// assert_eq!(failed_at_2.of(2), ConsumeOutcome::Later { delay_level: None });
    /// ```
    pub fn of(&self, index: usize) -> ConsumeOutcome {
        const LATER: ConsumeOutcome = ConsumeOutcome::Later { delay_level: None };
        match self {
            BatchOutcome::All(outcome) => outcome.clone(),
            BatchOutcome::Each(outcomes) => outcomes.get(index).cloned().unwrap_or(LATER),
            BatchOutcome::UpTo(end) if index < *end => ConsumeOutcome::Success,
            BatchOutcome::UpTo(_) => LATER,
        }
    }
}

/// Why a listener could not handle a message: any error, by `?`. The message comes again later, and its last failure is
/// stored with it in the dead letter topic.
///
/// It is no [`Error`] itself, so that `?` can turn every error into it; [`error`](Self::error) gives the error back.
///
/// ```
/// use rocketmq_client::consumer::ConsumeFailure;
///
/// fn charge(amount: &str) -> Result<(), ConsumeFailure> {
///     let amount: u32 = amount.parse()?;
///     if amount > 1000 {
///         return Err("an amount above 1000 needs a signature".into());
///     }
///     Ok(())
/// }
///
/// assert_eq!(charge("x").unwrap_err().to_string(), "invalid digit found in string");
/// assert!(charge("2000").is_err());
/// ```
pub struct ConsumeFailure(Box<dyn Error + Send + Sync>);

impl ConsumeFailure {
    /// The error that the listener met.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl ConsumeFailure {
    /// Its text. The error is of a type of the user: what panics in there ends no worker.
    pub(crate) fn into_reason(self) -> String {
        let text = catch_unwind(AssertUnwindSafe(move || self.to_string()));
        text.unwrap_or_else(|_| "the error of the listener panicked when its text was read".to_owned())
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for ConsumeFailure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for ConsumeFailure {
    /// The error and its causes in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(&*self.0))
    }
}

impl fmt::Debug for ConsumeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The result of a concurrent listener; an error means [`Later`](ConsumeOutcome::Later).
pub type ConsumeResult = Result<ConsumeOutcome, ConsumeFailure>;
/// The result of an orderly listener; an error means
/// [`SuspendCurrentQueueAMoment`](OrderlyOutcome::SuspendCurrentQueueAMoment).
pub type OrderlyResult = Result<OrderlyOutcome, ConsumeFailure>;
/// The result of a batch listener; an error means that all messages come again later.
pub type BatchResult = Result<BatchOutcome, ConsumeFailure>;

/// A value that a listener may return: nothing, an outcome, or a result of either with a [`ConsumeFailure`].
///
/// It has no implementation outside this crate.
pub trait IntoOutcome<O>: sealed::Sealed {
    /// The outcome, or why there is none.
    ///
    /// # Errors
    /// When the listener returned an error.
    fn into_outcome(self) -> Result<O, ConsumeFailure>;
}

mod sealed {
    /// Keeps [`IntoOutcome`](super::IntoOutcome) within this crate.
    #[expect(unnameable_types, reason = "that is its purpose")]
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for super::ConsumeOutcome {}
    impl Sealed for super::OrderlyOutcome {}
    impl Sealed for super::BatchOutcome {}
    impl<O> Sealed for Result<O, super::ConsumeFailure> {}
}

macro_rules! outcomes {
    ($($outcome:ty => $failed:expr;)+) => {$(
        impl IntoOutcome<$outcome> for () {
            fn into_outcome(self) -> Result<$outcome, ConsumeFailure> {
                Ok(<$outcome>::default())
            }
        }

        impl IntoOutcome<$outcome> for $outcome {
            fn into_outcome(self) -> Result<$outcome, ConsumeFailure> {
                Ok(self)
            }
        }

        impl IntoOutcome<$outcome> for Result<(), ConsumeFailure> {
            fn into_outcome(self) -> Result<$outcome, ConsumeFailure> {
                self.map(|()| <$outcome>::default())
            }
        }

        impl IntoOutcome<$outcome> for Result<$outcome, ConsumeFailure> {
            fn into_outcome(self) -> Result<$outcome, ConsumeFailure> {
                self
            }
        }

        impl From<Result<(), ConsumeFailure>> for $outcome {
            fn from(result: Result<(), ConsumeFailure>) -> Self {
                result.map_or($failed, |()| <$outcome>::default())
            }
        }

        impl From<Result<$outcome, ConsumeFailure>> for $outcome {
            fn from(result: Result<$outcome, ConsumeFailure>) -> Self {
                result.unwrap_or($failed)
            }
        }
    )+};
}

outcomes! {
    ConsumeOutcome => ConsumeOutcome::Later { delay_level: None };
    OrderlyOutcome => OrderlyOutcome::SuspendCurrentQueueAMoment { millis: None };
    BatchOutcome => BatchOutcome::UpTo(0);
}
