//! The handle of a popped message, which clients send back. Java: `ExtraInfoUtil`.

use crate::broker::state::pops::{CheckpointKey, QueueKey};
use crate::wire::Refusal;

/// The queue of pop records that marks an ordered pop.
pub(crate) const ORDERED: i32 = 999;

/// A handle, separated by blanks: start offset, pop time, invisible time, revive queue, kind of topic, broker, queue
/// and offset.
pub(crate) struct PopHandle<'a>(Vec<&'a str>);

impl<'a> PopHandle<'a> {
    pub(crate) fn read(text: Option<&'a str>) -> Result<Self, Refusal> {
        let text = text.ok_or_else(|| illegal("split extraInfo is null"))?;
        let mut parts: Vec<_> = text.split(' ').collect();
        while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        Ok(Self(parts))
    }

    pub(crate) fn start_offset(&self) -> Result<i64, Refusal> {
        self.number(0, "getCkQueueOffset")
    }

    pub(crate) fn pop_time(&self) -> Result<i64, Refusal> {
        self.number(1, "getPopTime")
    }

    pub(crate) fn invisible_time(&self) -> Result<i64, Refusal> {
        self.number(2, "getInvisibleTime")
    }

    pub(crate) fn revive_queue_id(&self) -> Result<i32, Refusal> {
        self.number(3, "getReviveQid")
    }

    pub(crate) fn broker_name(&self) -> Result<&'a str, Refusal> {
        self.part(5, "getBrokerName")
    }

    /// The checkpoint that the handle names.
    pub(crate) fn checkpoint(&self, queue: QueueKey) -> Result<CheckpointKey, Refusal> {
        let (start_offset, pop_time) = (self.start_offset()?, self.pop_time()?);
        Ok(CheckpointKey { queue, start_offset, pop_time, invisible_time: self.invisible_time()? })
    }

    fn part(&self, index: usize, what: &str) -> Result<&'a str, Refusal> {
        let length = self.0.len();
        self.0
            .get(index)
            .copied()
            .ok_or_else(|| illegal(&format!("{what} fail, extraInfoStrs length {length}")))
    }

    fn number<N: std::str::FromStr>(&self, index: usize, what: &str) -> Result<N, Refusal> {
        let text = self.part(index, what)?;
        text.parse().map_err(|_| {
            let detail = format_args!("For input string: \"{text}\"");
            Refusal::exception("java.lang.NumberFormatException", detail)
        })
    }
}

fn illegal(detail: &str) -> Refusal {
    Refusal::exception("java.lang.IllegalArgumentException", detail)
}

/// The kind of a topic in a handle: `0` ordinary, `1` and `2` retry topics.
pub(crate) fn kind_of(topic: &str) -> &'static str {
    match topic.starts_with("%RETRY%") {
        true if topic.contains('+') => "2",
        true => "1",
        false => "0",
    }
}

/// The retry topic of a group for a topic.
pub(crate) fn retry_topic(topic: &str, group: &str) -> String {
    format!("%RETRY%{group}_{topic}")
}

/// The topic of this kind.
pub(crate) fn real_topic(topic: &str, group: &str, kind: &str) -> Result<String, Refusal> {
    match kind {
        "0" => Ok(topic.to_owned()),
        "1" => Ok(retry_topic(topic, group)),
        "2" => Ok(format!("%RETRY%{group}+{topic}")),
        _ => Err(illegal("getRetry fail, format is wrong")),
    }
}
