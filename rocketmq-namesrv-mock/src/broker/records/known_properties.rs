//! The properties with an effect in the broker.

use rocketmq_common::message_const as names;

use crate::store::property_entries;

/// Values that decide the way of a message. If a name occurs twice, the last value counts.
#[derive(Debug, Default)]
pub(crate) struct KnownProperties<'a> {
    pub(crate) unique_key: Option<&'a str>,
    pub(crate) tags: Option<&'a str>,
    pub(crate) delay_level: Option<&'a str>,
    pub(crate) transaction: Option<&'a str>,
    pub(crate) timer_delay_sec: Option<&'a str>,
    pub(crate) timer_delay_ms: Option<&'a str>,
    pub(crate) timer_deliver_ms: Option<&'a str>,
    pub(crate) timer_out_ms: Option<&'a str>,
    pub(crate) timer_delete: Option<&'a str>,
    pub(crate) inner_count: Option<&'a str>,
    pub(crate) sharding_key: Option<&'a str>,
    pub(crate) priority_text: Option<&'a str>,
}

impl<'a> KnownProperties<'a> {
    /// Reads a text in wire form.
    pub(crate) fn read(wire: &'a str) -> Self {
        let mut known = Self::default();
        for (name, value) in property_entries(wire) {
            let slot = match name {
                names::UNIQ_KEY => &mut known.unique_key,
                names::PROPERTY_TAGS => &mut known.tags,
                names::PROPERTY_DELAY_TIME_LEVEL => &mut known.delay_level,
                names::PROPERTY_TRANSACTION_PREPARED => &mut known.transaction,
                names::PROPERTY_TIMER_DELAY_SEC => &mut known.timer_delay_sec,
                names::PROPERTY_TIMER_DELAY_MS => &mut known.timer_delay_ms,
                names::PROPERTY_TIMER_DELIVER_MS => &mut known.timer_deliver_ms,
                names::PROPERTY_TIMER_OUT_MS => &mut known.timer_out_ms,
                names::PROPERTY_TIMER_DEL_UNIQKEY => &mut known.timer_delete,
                names::PROPERTY_INNER_NUM => &mut known.inner_count,
                names::PROPERTY_SHARDING_KEY => &mut known.sharding_key,
                names::PROPERTY_PRIORITY => &mut known.priority_text,
                _ => continue,
            };
            *slot = Some(value);
        }
        known
    }

    /// Whether no property keeps the message from its queue.
    pub(crate) fn is_plain(&self) -> bool {
        let later = [self.delay_level, self.transaction, self.timer_delay_sec, self.timer_delay_ms];
        later.iter().all(Option::is_none) && self.timer_deliver_ms.is_none()
    }

    /// How urgent the message is. A number below zero is none.
    pub(crate) fn priority(&self) -> Option<i32> {
        self.priority_text?.parse().ok().filter(|priority| *priority >= 0)
    }

    /// Whether the message is of another kind, so that its priority does not count. Java:
    /// `TopicMessageType.parseFromMessageProperty`.
    pub(crate) fn is_above_priority(&self) -> bool {
        let later = [self.delay_level, self.timer_delay_sec, self.timer_delay_ms, self.timer_deliver_ms];
        self.is_half() || later.iter().any(Option::is_some) || self.sharding_key.is_some()
    }

    /// Whether the message is the half of a transaction.
    pub(crate) fn is_half(&self) -> bool {
        self.transaction.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}
