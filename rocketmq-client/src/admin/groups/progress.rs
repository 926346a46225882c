use std::collections::BTreeMap;

use rocketmq_common::MessageQueue;

use super::members::client_ids;
use crate::admin::answers::fan_out;
use crate::admin::{Brokers, MQAdmin, Server};
use crate::error::MQClientError;

/// How far a consumer group is. Java: `ConsumeStats`.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConsumerProgress {
    /// The queues of its topics, its retry topic included, sorted.
    pub queues: Vec<QueueProgress>,
    /// Messages that brokers delivered to the group per second, lately.
    pub consume_tps: f64,
    /// The brokers that did not answer: their queues are missing.
    pub failed: Vec<(Server, MQClientError)>,
    /// The members that did not answer their broker, by client id: the queues that they read are without a member.
    pub silent: Vec<(String, MQClientError)>,
}

/// How far a consumer group is in one queue. Java: `OffsetWrapper`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueProgress {
    /// The queue.
    pub queue: MessageQueue,
    /// The offset behind its last message.
    pub max_offset: i64,
    /// The committed offset; brokers say 0 if none is committed.
    pub consumer_offset: i64,
    /// The offset of the last pull, or the committed offset if that is higher.
    pub pull_offset: i64,
    /// When the message before the committed offset was stored, in milliseconds since 1970. `None` before the first commit.
    pub last_timestamp: Option<i64>,
    /// The client id of the member that reads the queue. `None` if no member says so.
    pub client_id: Option<String>,
}

impl QueueProgress {
    /// The number of messages that the group has not finished. mqadmin: `Diff`.
    pub fn lag(&self) -> i64 {
        self.max_offset.saturating_sub(self.consumer_offset)
    }

    /// The number of messages that were pulled and are not finished. mqadmin: `Inflight`.
    pub fn in_flight(&self) -> i64 {
        self.pull_offset.saturating_sub(self.consumer_offset)
    }
}

impl ConsumerProgress {
    /// The number of messages that the group has not finished. mqadmin: `Diff Total`.
    pub fn lag(&self) -> i64 {
        self.queues.iter().map(QueueProgress::lag).fold(0, i64::saturating_add)
    }

    /// The lag of each member by client id, and of the queues that no member reads.
    pub fn lag_by_member(&self) -> BTreeMap<Option<&str>, i64> {
        let mut lags = BTreeMap::new();
        for queue in &self.queues {
            let lag: &mut i64 = lags.entry(queue.client_id.as_deref()).or_default();
            *lag = lag.saturating_add(queue.lag());
        }
        lags
    }

    /// Whether all brokers and all members answered.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.silent.is_empty()
    }
}

impl MQAdmin {
    /// How far a consumer group is, in the queues of all topics in which it has committed offsets: of a group that is online,
    /// only topics that it subscribes to. Request codes 106, 208 and 203 to each master, and 307 to each member; Java:
    /// `MQAdminExt.examineConsumeStats`, `mqadmin consumerProgress -s true`. Dropping the future has no effect.
    ///
    /// The answer is empty for a group that never committed, and for members that broadcast, whose offsets no broker has.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, consumer::PullConsumer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let progress = admin.consumer_progress("billing").await?;
    /// for queue in &progress.queues {
    ///     println!("{}: {} behind, read by {:?}", queue.queue, queue.lag(), queue.client_id);
    /// }
    /// println!("{} in all", progress.lag());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NameServerUnreachable`; `FanOut` if no broker answered.
    pub async fn consumer_progress(&self, group: &str) -> Result<ConsumerProgress, MQClientError> {
        let answers = fan_out(self.masters(&Brokers::All).await?, |master| async move {
            let address = self.dial_address(&master)?;
            let api = self.asking()?;
            tokio::try_join!(api.consume_stats(&address, group), self.members_at(&address, group))
        });
        let answers = answers.await.any()?;
        let mut at_broker = BTreeMap::new();
        for (broker, (_, members)) in &answers.done {
            at_broker.extend(client_ids(members).into_iter().map(|id| (id.to_owned(), broker.clone())));
        }
        let at_broker = &at_broker;
        let infos = fan_out(at_broker.keys().cloned().collect(), |id: String| async move {
            self.asking()?.consumer_running_info(&self.dial_address(&at_broker[&id])?, group, &id).await
        });
        let infos = infos.await;
        let mut readers = BTreeMap::new();
        for (id, info) in infos.done {
            let held = info.mq_table.into_iter().filter(|(_, state)| !state.dropped);
            readers.extend(held.map(|(queue, _)| (queue, id.clone())));
        }
        let mut progress = ConsumerProgress {
            queues: Vec::new(),
            consume_tps: 0.0,
            failed: answers.failed,
            silent: infos.failed,
        };
        for (_, (stats, _)) in answers.done {
            progress.consume_tps += stats.consume_tps;
            progress.queues.extend(stats.offset_table.into_iter().map(|(queue, offsets)| QueueProgress {
                max_offset: offsets.broker_offset,
                consumer_offset: offsets.consumer_offset,
                pull_offset: offsets.pull_offset,
                last_timestamp: Some(offsets.last_timestamp).filter(|time| *time > 0),
                client_id: readers.remove(&queue),
                queue,
            }));
        }
        progress.queues.sort_unstable_by(|a, b| a.queue.cmp(&b.queue));
        Ok(progress)
    }
}
