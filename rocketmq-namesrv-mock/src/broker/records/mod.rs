//! Records on their way into the store and out of it.
//!
//! - [`append`]: the only way for a record into the store.
//! - [`known_properties`]: the properties with an effect in the broker.
//! - [`read`]: reads messages from a queue.
//! - [`stored`]: stored records, and copies of them.

mod append;
mod known_properties;
pub(crate) mod read;
mod stored;

use bytes::Bytes;
use rocketmq_remoting::protocol::ResponseCode;

pub(crate) use append::{NewRecord, StoredAt, append, check_room};
pub(crate) use known_properties::KnownProperties;
pub(crate) use stored::{again, real_place, stored};

use crate::broker::state::Broker;
use crate::wire::Refusal;

/// The refusal of a message that is too long, or whose flags and properties contradict each other.
pub(crate) fn message_illegal(broker: &Broker) -> Refusal {
    let limit = broker.obeyed().max_message_size;
    let remark = format!(
        "the message is illegal, maybe msg body or properties length not matched. msg body length limit {limit}B, \
         msg properties length limit 32KB."
    );
    Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark)
}

/// A body of several records.
pub(crate) fn joined<'a>(records: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut rest = records.clone();
    match (rest.next(), rest.next()) {
        (None, _) => Bytes::new(),
        // A single record is sent from the store without a copy.
        (Some(only), None) => only.clone(),
        _ => {
            let mut body = Vec::with_capacity(records.clone().map(Bytes::len).sum());
            records.for_each(|record| body.extend_from_slice(record));
            body.into()
        }
    }
}
