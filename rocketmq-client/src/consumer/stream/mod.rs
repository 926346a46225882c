//! Messages as a stream, in place of a listener.
//!
//! - [`MessageStream`]: what a user reads
//! - [`Delivery`], [`Acker`]: a message that its reader has to settle
//! - [`Flight`]: messages that the reader holds, their time, and what the reader says
//! - [`Feed`]: what the reader takes messages from, and what of them has failed

mod delivery;
mod feed;
mod flight;
mod message_stream;

pub use delivery::{Acker, Delivery};
pub(crate) use feed::{Feed, FeedSource, Overdue};
pub(crate) use flight::{Failed, Flight, Settlement};
pub use message_stream::MessageStream;
