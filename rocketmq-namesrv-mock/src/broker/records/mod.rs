//! Records on their way into the store and out of it.
//!
//! - [`append`]: the one place where a record enters the store.
//! - [`known_properties`]: the properties that a broker acts on.
//! - [`read`]: what a reader finds in a queue.
//! - [`stored`]: records that are in the store, and copies of them.

mod append;
mod known_properties;
pub(crate) mod read;
mod stored;

use bytes::Bytes;
use rocketmq_remoting::protocol::ResponseCode;

pub(crate) use append::{NewRecord, StoredAt, append, check_room};
pub(crate) use known_properties::KnownProperties;
pub(crate) use stored::{again, real_place, stored};

use crate::wire::Refusal;

/// The refusal of a message that is too long, or whose flags and properties do not go together.
pub(crate) fn message_illegal() -> Refusal {
    const REMARK: &str = "the message is illegal, maybe msg body or properties length not matched. \
        msg body length limit 4194304B, msg properties length limit 32KB.";
    Refusal::new(ResponseCode::MESSAGE_ILLEGAL, REMARK)
}

/// A body of several records.
pub(crate) fn joined<'a>(records: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut rest = records.clone();
    match (rest.next(), rest.next()) {
        (None, _) => Bytes::new(),
        // A single record goes out from the store, without a copy.
        (Some(only), None) => only.clone(),
        _ => {
            let mut body = Vec::with_capacity(records.clone().map(Bytes::len).sum());
            records.for_each(|record| body.extend_from_slice(record));
            body.into()
        }
    }
}
