//! Locks on queues, for orderly consumers.
//!
//! - [`LockClock`]: how long the lock on one queue holds
//! - [`QueueOrder`]: keeps the order of one queue, by its lock and by one handler at a time
//! - `locker`: asks masters for locks, renews them, and gives them back

mod clock;
pub(crate) mod locker;
mod order;
#[cfg(test)]
mod tests;

pub(crate) use clock::{LockChange, LockClock, LockState};
pub(crate) use order::QueueOrder;
