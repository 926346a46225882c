//! Publishing: [`MessageProducer`] for a stream, and [`EventPublisher`], what services hold.
//!
//! - `producer`: [`MessageProducer`]
//! - `publisher`: [`EventPublisher`], object safe
//! - `receipt`: [`Receipt`]
//!
//! [`PublishError`] says why an event is not published, and whether it is stored.

mod producer;
mod publisher;
mod receipt;

pub use producer::MessageProducer;
pub use publisher::EventPublisher;
pub use receipt::Receipt;

pub use crate::backend::Durability;
pub use crate::error::{Outcome, PublishError, PublishErrorKind};
