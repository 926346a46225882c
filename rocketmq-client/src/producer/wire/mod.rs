//! The message on its way to a broker, and the answer to it.
//!
//! - [`Submission`]: the argument of one call
//! - `prepared`: a submission ready for all its attempts: checked, with its id, compressed
//! - `header`: the request header of an attempt, usually from the template of its queue
//! - `receipt`: the answer to an attempt, and the result for the user
//! - `message_id`: an id that usually needs no allocation

mod header;
mod message_id;
mod prepared;
mod receipt;

use crate::metrics::Messages;
use crate::model::{Message, MessageBatch};

pub(super) use header::SendHeader;
use message_id::MessageId;
pub(super) use prepared::{Preparation, Prepared};
pub(super) use receipt::{Receipt, SendAnswer};

/// The argument of one call.
#[derive(Debug)]
pub(super) enum Submission {
    Message(Message),
    /// The half message of a transaction.
    Half(Message),
    /// Messages that were checked.
    Batch(MessageBatch),
}

impl Submission {
    /// How many messages it is.
    pub(super) fn messages(&self) -> Messages {
        Messages::new(match self {
            Self::Message(_) | Self::Half(_) => 1,
            Self::Batch(batch) => batch.message_count(),
        })
    }

    pub(super) fn body_len(&self) -> usize {
        match self {
            Self::Message(message) | Self::Half(message) => message.body().len(),
            Self::Batch(batch) => batch.encoded_len(),
        }
    }
}
