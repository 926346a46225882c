//! Popped messages: a broker hands them out, hides them for a while, and hands them out again unless it is told that they are done.
//!
//! - [`PopHandle`], [`PopHandles`]: the handle of a message, from the answer to a pop
//! - [`PopBook`]: the popped messages of a queue, and until when each is invisible by this client's clock
//! - `merge`: many acknowledgements in one request
//! - `tests`: the book on virtual time
//! - [`begin`]: sends a pop, and takes its answer
//! - `decode`: the records of an answer
//! - [`locate`]: where a new group starts
//! - [`keep_acking`]: acknowledges what is finished
//! - [`keep_hidden`]: hides messages for longer while handlers run
//! - [`put_off`], [`hand_back`]: messages that are to come again

mod acker;
mod again;
mod book;
mod decode;
mod handle;
mod keeper;
mod merge;
mod popper;
mod start;
#[cfg(test)]
mod tests;

pub(crate) use acker::{all_acked, keep_acking};
pub(crate) use again::{AT_ONCE, hand_back, hand_back_all, put_off};
pub(crate) use book::{Ack, Extended, PopBook};
pub(crate) use handle::{PopHandle, PopHandles, pop_retry_topic};
pub(crate) use keeper::keep_hidden;
pub(crate) use merge::merge;
pub(crate) use popper::begin;
pub(crate) use start::locate;
