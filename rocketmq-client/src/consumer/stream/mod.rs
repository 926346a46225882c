//! Messages as a stream, in place of a listener.
//!
//! - [`MessageStream`]: what a user reads
//! - [`Delivery`], [`Acker`]: a message that its reader has to settle
//! - [`Flight`]: what a delivery and its worker tell each other
//! - [`Feed`]: the line of messages between the workers and the stream

mod delivery;
mod feed;
mod flight;
mod message_stream;

pub use delivery::{Acker, Delivery};
pub(crate) use feed::{Feed, FeedSource};
pub(crate) use flight::{Flight, Phase, Settlement};
pub use message_stream::MessageStream;
