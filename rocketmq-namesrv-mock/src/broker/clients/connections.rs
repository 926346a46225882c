//! Connected clients of a group: 203, 204.

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{Connection, ConsumerConnection, ProducerConnection};
use rocketmq_remoting::protocol::header::UnregisterClientFields;

use crate::broker::state::{Broker, ClientChannelInfo};
use crate::wire::{Answer, Refusal, Request, json_answer, required};

/// 203.
pub(crate) fn consumer_connections(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: UnregisterClientFields<'_> = request.fields()?;
    let group = required(fields.consumer_group, "consumerGroup")?;
    let state = broker.lock();
    let Some(found) = state.consumers.group(&group) else {
        let remark = format!("the consumer group[{group}] not online");
        return Err(Refusal::new(ResponseCode::CONSUMER_NOT_ONLINE, remark));
    };
    let subscriptions = found.subscriptions.iter();
    let body = ConsumerConnection {
        connection_set: found.members.iter().map(connection).collect(),
        consume_from_where: found.mode.consume_from_where.clone(),
        consume_type: found.mode.consume_type.clone(),
        message_model: found.mode.message_model.clone(),
        subscription_table: subscriptions.map(|(topic, wish)| (topic.clone(), wish.data.clone())).collect(),
    };
    json_answer(&body)
}

/// 204.
pub(crate) fn producer_connections(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: UnregisterClientFields<'_> = request.fields()?;
    let group = required(fields.producer_group, "producerGroup")?;
    let connection_set: Vec<_> = broker.lock().producers.members(&group).iter().map(connection).collect();
    if connection_set.is_empty() {
        let remark = format!("the producer group[{group}] not exist");
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    }
    json_answer(&ProducerConnection { connection_set })
}

fn connection(member: &ClientChannelInfo) -> Connection {
    Connection {
        client_addr: member.connection.peer().to_string(),
        client_id: member.client_id.clone(),
        language: member.language,
        version: member.version,
    }
}
