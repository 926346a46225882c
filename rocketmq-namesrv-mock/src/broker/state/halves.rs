//! What a broker knows of transactions beside the records of their halves. Java: `TransactionalMessageServiceImpl`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use rocketmq_common::MessageExt;
use rocketmq_common::message_const as names;

use super::Broker;

/// When producers are asked about their transactions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TransactionOptions {
    /// How old a half is before the broker asks about it. Java: `transactionTimeOut`.
    pub(crate) timeout: Duration,
    /// How often the broker looks. Java: `transactionCheckInterval`.
    pub(crate) check_interval: Duration,
    /// How often it asks about one half. Java: `transactionCheckMax`.
    pub(crate) check_max: u32,
}

/// What is known of the halves beside their records.
#[derive(Debug, Clone)]
pub(crate) struct Halves {
    /// All halves before this offset are settled or were stored anew.
    pub(crate) next_offset: i64,
    /// Offsets of halves that were committed or rolled back.
    pub(crate) ended: BTreeSet<i64>,
    /// When halves that were stored anew came first.
    pub(crate) first_stored: HashMap<i64, i64>,
    next_check_ms: i64,
}

impl Halves {
    pub(crate) fn new(now_ms: i64, options: TransactionOptions) -> Self {
        Self {
            next_offset: 0,
            ended: BTreeSet::new(),
            first_stored: HashMap::new(),
            next_check_ms: now_ms.saturating_add(millis(options.check_interval)),
        }
    }

    /// When the broker looks at the halves again.
    pub(crate) fn next_check_ms(&self) -> i64 {
        self.next_check_ms
    }

    /// Whether it is time to look; then the next time is set.
    pub(crate) fn is_time_to_check(&mut self, now_ms: i64, interval: Duration) -> bool {
        let is_time = now_ms >= self.next_check_ms;
        if is_time {
            self.next_check_ms = now_ms.saturating_add(millis(interval).max(1));
        }
        is_time
    }

    /// Nobody looks at halves before this offset again.
    pub(crate) fn forget_before(&mut self, offset: i64) {
        self.next_offset = offset;
        self.ended = self.ended.split_off(&offset);
        self.first_stored.retain(|stored, _| *stored >= offset);
    }

    /// How old a half is. By the clock of the system it is the producer's time that counts, as for Apache's broker. A
    /// virtual clock knows nothing of that.
    pub(crate) fn age_ms(&self, broker: &Broker, half: &MessageExt) -> i64 {
        let since_ms = match broker.clock.is_virtual() {
            true => self.first_stored.get(&half.queue_offset()).copied().unwrap_or(half.store_timestamp()),
            false => half.born_timestamp(),
        };
        broker.now_ms().saturating_sub(since_ms)
    }
}

/// How long the broker does not ask about a half that sets a time of its own: at least the broker's limit.
pub(crate) fn immunity_ms(half: &MessageExt, options: TransactionOptions) -> Option<i64> {
    let text = half.property(names::PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS)?;
    let own = text.parse::<i64>().map_or(0, |seconds| seconds.saturating_mul(1000));
    Some(own.max(millis(options.timeout)))
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
