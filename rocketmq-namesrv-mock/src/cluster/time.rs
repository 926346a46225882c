//! Time as a test moves it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::MockCluster;
use crate::broker::{check_transactions, drop_silent_clients};

impl MockCluster {
    /// Moves the clock of a cluster with a [virtual clock](super::MockClusterBuilder::virtual_clock) forward. What
    /// falls due in between is done before this returns, in order and each at its time: messages with delay levels
    /// and timers are delivered, and producers are asked about their transactions. Dropping the future leaves the
    /// clock wherever it has come to. Without a virtual clock nothing happens.
    pub async fn advance(&self, duration: Duration) {
        if !self.clock.is_virtual() {
            return;
        }
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let until_ms = self.clock.now_ms().saturating_add(millis);
        while let Some(next_ms) = self.brokers().map(|broker| broker.next_duty_ms()).min() {
            if next_ms > until_ms {
                break;
            }
            self.clock.move_to(next_ms);
            for broker in self.brokers() {
                broker.do_duties().await;
            }
        }
        self.clock.move_to(until_ms);
    }

    /// Lets all brokers give up the clients now that have sent no heartbeat for 120 s of their clock, whenever they
    /// would do so by themselves: such a client is taken out of its groups and its connection closed, and the other
    /// members are not told. With a [virtual clock](super::MockClusterBuilder::virtual_clock) nothing else gives
    /// clients up, so that a test may advance by hours while its clients go on to send heartbeats by the clock of the
    /// system. Returns how many connections were closed.
    pub fn drop_silent_clients(&self) -> usize {
        self.brokers().map(|broker| drop_silent_clients(broker)).sum()
    }

    /// The time that the brokers go by.
    pub fn now(&self) -> SystemTime {
        let since = Duration::from_millis(u64::try_from(self.clock.now_ms()).unwrap_or(0));
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }

    /// Lets all brokers look for unfinished transactions now, whenever they would do so by themselves. Those that are
    /// [old enough](super::MockClusterBuilder::transaction_timeout) are asked about. Returns how many questions went
    /// out; a half whose group has no producer connected counts as asked about, too, but no question goes out.
    /// Dropping the future loses questions that are not written yet.
    pub async fn check_transactions(&self) -> usize {
        let mut sent = 0;
        for broker in self.brokers() {
            sent += check_transactions(broker).await;
        }
        sent
    }
}
