//! How far timer messages are: 60, 61. Java: `TimerCheckpoint`, `TimerMetrics`.

use std::collections::BTreeMap;

use bytes::{BufMut, BytesMut};
use rocketmq_remoting::protocol::body::DataVersion;
use serde::Serialize;

use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, json_answer};

/// 60. The mock has no files of timers, whose positions would be told: they are 0.
pub(crate) fn timer_checkpoint(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let version = broker.lock().agenda.timers().version.clone();
    let numbers = [broker.now_ms(), 0, 0, 0, version.state_version, version.timestamp, version.counter];
    let mut body = BytesMut::with_capacity(numbers.len() * 8);
    numbers.into_iter().for_each(|number| body.put_i64(number));
    Ok(Answer::success().with_body(body))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    data_version: DataVersion,
    timing_count: BTreeMap<String, Metric>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    count: i64,
    time_stamp: i64,
}

/// 61. By topic how many timer messages wait, and when that changed.
pub(crate) fn timer_metrics(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let timers = state.agenda.timers();
    let metric = |(topic, counted): (&String, &(i64, i64))| {
        let (count, time_stamp) = *counted;
        (topic.clone(), Metric { count, time_stamp })
    };
    let timing_count = timers.waiting.iter().map(metric).collect();
    json_answer(&Metrics { data_version: timers.version.clone(), timing_count })
}
