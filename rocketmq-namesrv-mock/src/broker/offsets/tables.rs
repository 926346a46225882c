//! All offsets, for slaves: committed offsets (43) and the progress of delay levels (45).

use std::fmt::Write;

use rocketmq_remoting::protocol::body::DataVersion;

use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, bare_numbers, json_text};

/// 43. Java: `ConsumerOffsetManager.encode`.
pub(crate) fn all_offsets(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let mut body = format!(r#"{{"dataVersion":{},"groupTopicMap":"#, version(broker)?);
    body += &json_text(&state.offsets.topics_by_group())?;
    for (name, table) in
        [("offsetTable", state.offsets.all_committed()), ("pullOffsetTable", state.offsets.all_pulled())]
    {
        // Writing to a string cannot fail.
        let _ = write!(body, r#","{name}":{{"#);
        for (index, ((topic, group), queues)) in table.into_iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ =
                write!(body, "{comma}{}:{}", json_text(&format!("{topic}@{group}"))?, bare_numbers(queues));
        }
        body.push('}');
    }
    body.push('}');
    Ok(Answer::success().with_body(body))
}

/// 45. Java: `DelayOffsetSerializeWrapper`.
pub(crate) fn delay_offsets(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let delivered = broker.lock().agenda.delivered().clone();
    let body =
        format!(r#"{{"dataVersion":{},"offsetTable":{}}}"#, version(broker)?, bare_numbers(&delivered));
    Ok(Answer::success().with_body(body))
}

/// The version of a table; the mock does not count changes.
fn version(broker: &Broker) -> Result<String, Refusal> {
    json_text(&DataVersion { timestamp: broker.boot_ms, ..DataVersion::default() })
}
