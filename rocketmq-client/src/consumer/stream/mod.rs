//! Messages as a stream, in place of a listener.
//!
//! - [`MessageStream`]: the stream that a user reads
//! - [`Delivery`], [`Acker`]: a message that its reader has to settle
//! - [`Flight`]: messages that the reader holds, their time, and the verdict of the reader
//! - [`Feed`]: the source of the reader's messages, and its failed deliveries

mod delivery;
mod feed;
mod flight;
mod message_stream;

pub use delivery::{Acker, Delivery};
pub(crate) use feed::{Feed, FeedSource, Overdue};
pub(crate) use flight::{Failed, Flight, Settlement};
pub use message_stream::MessageStream;
