//! What goes to a broker, and what its answer says.
//!
//! - [`Submission`]: what one call hands in
//! - `prepared`: a submission made ready for all its attempts: checked, with its id, compressed
//! - `header`: the request header of an attempt, mostly from the template of its queue
//! - `receipt`: what the answer to an attempt says, and the result that a user gets
//! - `message_id`: an id that mostly needs no memory of its own

mod header;
mod message_id;
mod prepared;
mod receipt;

use crate::model::{Message, MessageBatch};

pub(super) use header::SendHeader;
use message_id::MessageId;
pub(super) use prepared::{Preparation, Prepared};
pub(super) use receipt::{Receipt, SendAnswer};

/// What one call hands in.
#[derive(Debug)]
pub(super) enum Submission {
    Message(Message),
    /// The half message of a transaction.
    Half(Message),
    /// Messages that were checked.
    Batch(MessageBatch),
}

impl Submission {
    pub(super) fn body_len(&self) -> usize {
        match self {
            Self::Message(message) | Self::Half(message) => message.body().len(),
            Self::Batch(batch) => batch.encoded_len(),
        }
    }
}
