//! All producers: 328. Java: `ProducerManager.getProducerTable`.

use std::collections::BTreeMap;

use rocketmq_remoting::protocol::LanguageCode;
use serde::Serialize;

use crate::broker::state::{Broker, ClientChannelInfo};
use crate::wire::{Answer, Refusal, Request, json_answer, peer_with_slash};

/// Java: `ProducerTableInfo`.
#[derive(Serialize)]
struct Producers {
    data: BTreeMap<String, Vec<ProducerInfo>>,
}

/// Java: `ProducerInfo`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProducerInfo {
    client_id: String,
    language: LanguageCode,
    last_update_timestamp: i64,
    #[serde(rename = "remoteIP")]
    remote_ip: String,
    version: i32,
}

/// 328.
pub(crate) fn all_producers(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let info = |producer: &ClientChannelInfo| ProducerInfo {
        client_id: producer.client_id.clone(),
        language: producer.language,
        last_update_timestamp: producer.heard_ms,
        remote_ip: producer
            .connection
            .accepted()
            .map_or_else(String::new, |ends| peer_with_slash(ends.remote)),
        version: producer.version,
    };
    let groups = state.producers.all();
    let data = groups.map(|(group, members)| (group.clone(), members.iter().map(info).collect())).collect();
    json_answer(&Producers { data })
}
