//! State of transactions beside the records of half messages. Java: `TransactionalMessageServiceImpl`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use rocketmq_common::MessageExt;
use rocketmq_common::message_const as names;

use super::Broker;

/// When producers are asked about their transactions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TransactionOptions {
    /// The age of a half message at its first check. Java: `transactionTimeOut`.
    pub(crate) timeout: Duration,
    /// The interval between checks. Java: `transactionCheckInterval`.
    pub(crate) check_interval: Duration,
    /// The largest number of checks of one half message. Java: `transactionCheckMax`.
    pub(crate) check_max: u32,
}

/// State of half messages beside their records.
#[derive(Debug, Clone)]
pub(crate) struct Halves {
    /// All half messages before this offset have ended or were stored again.
    pub(crate) next_offset: i64,
    /// Offsets of halves that were committed or rolled back.
    pub(crate) ended: BTreeSet<i64>,
    /// When a half message that was stored again was stored first.
    pub(crate) first_stored: HashMap<i64, i64>,
    /// Offsets of halves that a producer was asked about and has not answered for.
    pub(crate) asked: BTreeSet<i64>,
    next_check_ms: i64,
}

impl Halves {
    pub(crate) fn new(now_ms: i64, options: TransactionOptions) -> Self {
        Self {
            next_offset: 0,
            ended: BTreeSet::new(),
            first_stored: HashMap::new(),
            asked: BTreeSet::new(),
            next_check_ms: now_ms.saturating_add(millis(options.check_interval)),
        }
    }

    /// When the broker checks the half messages next.
    pub(crate) fn next_check_ms(&self) -> i64 {
        self.next_check_ms
    }

    /// Whether a check is due; if so, it schedules the next.
    pub(crate) fn is_time_to_check(&mut self, now_ms: i64, interval: Duration) -> bool {
        let is_time = now_ms >= self.next_check_ms;
        if is_time {
            self.next_check_ms = now_ms.saturating_add(millis(interval).max(1));
        }
        is_time
    }

    /// Excludes half messages before this offset from further checks.
    pub(crate) fn forget_before(&mut self, offset: i64) {
        self.next_offset = offset;
        self.ended = self.ended.split_off(&offset);
        self.asked.retain(|asked| *asked >= offset);
        self.first_stored.retain(|stored, _| *stored >= offset);
    }

    /// The age of a half message. By the system's clock it starts at the producer's time, like for Apache's broker; a
    /// virtual clock knows only the broker's.
    pub(crate) fn age_ms(&self, broker: &Broker, half: &MessageExt) -> i64 {
        let since_ms = match broker.clock.is_virtual() {
            true => self.first_stored.get(&half.queue_offset()).copied().unwrap_or(half.store_timestamp()),
            false => half.born_timestamp(),
        };
        broker.now_ms().saturating_sub(since_ms)
    }
}

/// The time without checks that a half message asks for; at least the broker's limit.
pub(crate) fn immunity_ms(half: &MessageExt, options: TransactionOptions) -> Option<i64> {
    let text = half.property(names::PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS)?;
    let own = text.parse::<i64>().map_or(0, |seconds| seconds.saturating_mul(1000));
    Some(own.max(millis(options.timeout)))
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
