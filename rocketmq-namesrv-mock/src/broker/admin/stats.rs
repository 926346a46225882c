//! Counters: 315. Java: `BrokerStatsManager`.

use std::borrow::Cow;

use serde::Serialize;

use rocketmq_remoting::protocol::ResponseCode;

use crate::broker::Broker;
use crate::broker::table::Request;
use crate::wire::{Answer, NumberPolicy, Refusal, json_answer, read_fields, request_fields};

request_fields! {
    /// Java: `ViewBrokerStatsDataRequestHeader`.
    StatsFields {
        "statsName" name: Cow<'a, str>,
        "statsKey" key: Cow<'a, str>,
    }
}

/// Java: `BrokerStatsData`.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Stats {
    stats_day: Figures,
    stats_hour: Figures,
    stats_minute: Figures,
}

/// Java: `BrokerStatsItem`.
#[derive(Serialize, Default)]
struct Figures {
    avgpt: f64,
    sum: u64,
    tps: f64,
}

/// 315. Apache's broker counts in steps of ten seconds; the mock knows what was put, and measures no rates.
pub(in crate::broker) fn stats(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: StatsFields<'_> = read_fields(&request.command.ext_fields, NumberPolicy::Ignore)?;
    let name = fields.name.as_deref().unwrap_or("null");
    let key = fields.key.as_deref().unwrap_or("null");
    let state = broker.lock();
    let topic =
        state.topics.get(key).filter(|topic| topic.queues().iter().any(|queue| queue.max_offset() > 0));
    if name != "TOPIC_PUT_NUMS" || topic.is_none() {
        let remark = format!("The stats <{name}> <{key}> not exist");
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    }
    json_answer(&Stats::default())
}
