//! Time as a test moves it.

use std::time::{Duration, SystemTime};

use super::MockCluster;
use crate::broker::{check_transactions, drop_silent_clients};

impl MockCluster {
    /// Moves the clock of a cluster with a [virtual clock](super::MockClusterBuilder::virtual_clock) forward. What
    /// falls due in between is done before this returns, in order and each at its time: messages with delay levels
    /// and timers are delivered, held pulls and pops are answered, and producers are asked about their transactions.
    /// Delays of faults end on the way as well; on a runtime of several threads, perhaps a moment later. Dropping the
    /// future leaves the clock wherever it has come to. Without a virtual clock nothing happens.
    pub async fn advance(&self, duration: Duration) {
        if !self.clock.stands() {
            return;
        }
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let until_ms = self.clock.now_ms().saturating_add(millis);
        loop {
            let duties = self.brokers().map(|broker| broker.next_duty_ms());
            let Some(next_ms) = duties.chain(self.clock.next_sleeper_ms()).min() else { break };
            if next_ms > until_ms {
                break;
            }
            self.step_to(next_ms).await;
        }
        self.step_to(until_ms).await;
    }

    async fn step_to(&self, ms: i64) {
        self.clock.move_to(ms);
        for broker in self.brokers() {
            broker.answer_due();
            broker.do_duties().await;
        }
        // Lets the tasks run that slept until now.
        tokio::task::yield_now().await;
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
        self.clock.system_time()
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
