//! The clock, as tests move it.

use std::time::{Duration, SystemTime};

use super::MockCluster;
use crate::broker::{check_transactions, drop_silent_clients};

/// How long [`MockCluster::advance`] waits for producers to answer, by the clock of the system. After one wait in vain it
/// waits no more.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

impl MockCluster {
    /// Moves the clock of a cluster with a [virtual clock](super::MockClusterBuilder::virtual_clock) forward. Work
    /// that falls due on the way is done before this returns, in order and each at its time: messages with delay
    /// levels and timers are delivered, held pulls and pops are answered, and producers are asked about their
    /// transactions. Time stands still until they answer, for a second of the system's clock at most. Delays of faults
    /// end on the way too; on a runtime of several threads, perhaps a moment later. Without a virtual clock nothing
    /// happens. Dropping the future stops the clock on its way.
    pub async fn advance(&self, duration: Duration) {
        if !self.clock.stands() {
            return;
        }
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let until_ms = self.clock.now_ms().saturating_add(millis);
        let mut producers_answer = true;
        loop {
            let duties = self.brokers().map(|broker| broker.next_duty_ms());
            let Some(next_ms) = duties.chain(self.clock.next_sleeper_ms()).min() else { break };
            if next_ms > until_ms {
                break;
            }
            self.step_to(next_ms).await;
            producers_answer = producers_answer && self.wait_for_producers().await;
        }
        self.step_to(until_ms).await;
    }

    /// Lets producers answer before they are asked again. Returns whether all have answered.
    async fn wait_for_producers(&self) -> bool {
        let is_answered = || self.brokers().all(|broker| broker.lock().halves.asked.is_empty()).then_some(());
        let all = self.admission.changes.wait(ANSWER_LIMIT, is_answered).await.is_some();
        if !all {
            self.brokers().for_each(|broker| broker.lock().halves.asked.clear());
        }
        all
    }

    async fn step_to(&self, ms: i64) {
        self.clock.move_to(ms);
        for broker in self.brokers() {
            broker.answer_due();
            broker.do_duties().await;
        }
        // Let the tasks run that slept until now.
        tokio::task::yield_now().await;
    }

    /// Makes all brokers give up now the clients that have sent no heartbeat for 120 s of their clock, without waiting
    /// for the next regular check. Such a client leaves its groups, its connection is closed, and the other members
    /// are not told. Returns the number of closed connections. With a [virtual
    /// clock](super::MockClusterBuilder::virtual_clock) brokers make no such check by themselves: a test may advance
    /// by hours while its clients send heartbeats by the system's clock.
    pub fn drop_silent_clients(&self) -> usize {
        self.brokers().map(|broker| drop_silent_clients(broker)).sum()
    }

    /// The time of the brokers.
    pub fn now(&self) -> SystemTime {
        self.clock.system_time()
    }

    /// Makes all brokers look for unfinished transactions now, without waiting for the next regular check. They ask
    /// about half messages that are [old enough](super::MockClusterBuilder::transaction_timeout). Returns the number
    /// of questions, including those about half messages whose group has no connected producer, which are not sent.
    /// Dropping the future loses questions that are not written yet.
    pub async fn check_transactions(&self) -> usize {
        let mut sent = 0;
        for broker in self.brokers() {
            sent += check_transactions(broker).await;
        }
        sent
    }
}
