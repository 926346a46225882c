//! Counters: 315. Java: `BrokerStatsManager`.

use serde::Serialize;

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::ViewBrokerStatsDataFields;

use crate::broker::state::{Broker, Growth};
use crate::wire::{Answer, Refusal, Request, json_answer};

/// Java: `BrokerStatsData`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    stats_day: StatsItem,
    stats_hour: StatsItem,
    stats_minute: StatsItem,
}

/// Java: `BrokerStatsItem`.
#[derive(Serialize)]
struct StatsItem {
    avgpt: f64,
    sum: u64,
    tps: f64,
}

impl From<Growth> for StatsItem {
    fn from(growth: Growth) -> Self {
        Self { avgpt: growth.average, sum: growth.sum, tps: growth.tps }
    }
}

/// 315. Latencies are not measured.
pub(crate) fn stats(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: ViewBrokerStatsDataFields<'_> = request.fields()?;
    let name = fields.stats_name.as_deref().unwrap_or("null");
    let key = fields.stats_key.as_deref().unwrap_or("null");
    let state = broker.lock();
    let Some(counter) = state.figures.find(name, key, &broker.options.cluster) else {
        let remark = format!("The stats <{name}> <{key}> not exist");
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    };
    let [stats_minute, stats_hour, stats_day] = counter.growth(broker.now_ms()).map(StatsItem::from);
    json_answer(&Stats { stats_day, stats_hour, stats_minute })
}
