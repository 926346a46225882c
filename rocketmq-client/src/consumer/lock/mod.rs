//! Locks on queues, for orderly consumers.
//!
//! - [`LockClock`]: how long the lock on one queue holds

mod clock;

pub(crate) use clock::{LockChange, LockClock, LockState};
