//! Who is connected: 204.

use std::borrow::Cow;

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{Connection, ProducerConnection, encode_body};

use super::Broker;
use super::producers::Producer;
use super::table::Request;
use crate::wire::{Answer, NumberPolicy, Refusal, read_fields, request_fields};

request_fields! {
    /// Java: `GetProducerConnectionListRequestHeader`.
    GroupFields {
        "producerGroup" producer_group: Cow<'a, str>,
    }
}

/// 204.
pub(super) fn producers(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: GroupFields<'_> = read_fields(&request.command.ext_fields, NumberPolicy::Ignore)?;
    let group = fields.producer_group.as_deref().unwrap_or("null");
    let connection_set: Vec<_> = broker.lock().producers.members(group).iter().map(connection).collect();
    if connection_set.is_empty() {
        let remark = format!("the producer group[{group}] not exist");
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    }
    let body = encode_body(&ProducerConnection { connection_set });
    let body = body.map_err(|error| Refusal::exception("java.lang.RuntimeException", error))?;
    Ok(Answer::success().with_body(body))
}

fn connection(producer: &Producer) -> Connection {
    Connection {
        client_addr: producer.connection.peer().to_string(),
        client_id: producer.client_id.clone(),
        language: producer.language,
        version: producer.version,
    }
}
