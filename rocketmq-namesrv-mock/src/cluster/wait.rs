//! Waiting for something to happen, without sleeping.

use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageExt;
use rocketmq_remoting::protocol::RequestCode;

use super::MockCluster;
use crate::broker::Broker;
use crate::faults::Admission;
use crate::{CapturedRequest, MockError};

impl MockCluster {
    /// Waits until a condition holds. Checks it at once, and again after each request, answer, delivery and end of a
    /// connection. Dropping the future ends the wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rocketmq_namesrv_mock::MockError> {
    /// use std::time::Duration;
    /// use rocketmq_namesrv_mock::MockCluster;
    ///
    /// let cluster = MockCluster::start().await?;
    /// // A consumer starts …
    /// let waited = cluster.wait_until(|cluster| cluster.held_pulls("TopicTest") > 0, Duration::from_millis(20)).await;
    /// assert!(waited.is_err(), "there was none");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`MockError::WaitedInVain`] if the condition does not hold within `limit`.
    pub async fn wait_until(&self, is_so: impl Fn(&Self) -> bool, limit: Duration) -> Result<(), MockError> {
        let found = self.admission.changes.wait(limit, || is_so(self).then_some(())).await;
        found.ok_or_else(|| MockError::WaitedInVain { limit, there: "not what was waited for".to_owned() })
    }

    /// Waits until a topic has at least `count` messages, and returns all of them in the order of
    /// [`messages`](Self::messages). Waits at most [`wait_limit`](super::MockClusterBuilder::wait_limit). Dropping the
    /// future ends the wait.
    ///
    /// # Errors
    /// [`MockError::WaitedInVain`] if there are fewer messages at the end.
    pub async fn wait_for_messages(&self, topic: &str, count: usize) -> Result<Vec<MessageExt>, MockError> {
        let limit = self.wait_limit;
        let enough = || (self.message_count(topic) >= count).then(|| self.messages(topic));
        self.admission.changes.wait(limit, enough).await.ok_or_else(|| {
            let there = format!("{} of {count} messages in {topic}", self.message_count(topic));
            MockError::WaitedInVain { limit, there }
        })
    }

    /// Waits until the servers have received at least `count` requests with this code, and returns those that are
    /// [kept](super::MockClusterBuilder::captured_requests), oldest first. A request counts when it arrives, answered
    /// or not. Waits at most [`wait_limit`](super::MockClusterBuilder::wait_limit). Dropping the future ends the wait.
    ///
    /// # Errors
    /// [`MockError::WaitedInVain`] if there are fewer requests at the end.
    pub async fn wait_for_requests(
        &self,
        code: RequestCode,
        count: usize,
    ) -> Result<Vec<CapturedRequest>, MockError> {
        let Admission { capture, changes, .. } = &*self.admission;
        capture.wait_for(changes, code, count, self.wait_limit).await
    }

    /// The client ids of a consumer group's members on all brokers, sorted, without duplicates.
    pub fn group_members(&self, group: &str) -> Vec<String> {
        let ids = |broker: &Arc<Broker>| broker.consumer_ids(group);
        let mut members: Vec<String> = self.brokers().flat_map(ids).collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// The time that this cluster took to start.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }
}
