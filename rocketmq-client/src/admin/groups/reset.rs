use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::MessageModel;

use super::members::client_ids;
use crate::admin::answers::fan_out;
use crate::admin::{Answers, MQAdmin, QueuePosition, invalid};
use crate::error::MQClientError;

/// The setting of a broker that moves members by itself (5.0 and later, true by default).
const RESETS_BY_ITSELF: &str = "useServerSideResetOffset=true";

/// The moves of a reset, queue by queue; nothing has moved yet. [`MQAdmin::reset_offsets`] carries it out. Queues may be taken
/// out, and queues of other plans for the group put in.
///
/// `{}` prints a line for each queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a plan moves nothing: give it to `reset_offsets`"]
#[non_exhaustive]
pub struct OffsetResetPlan {
    /// The consumer group.
    pub group: String,
    /// The queues that move.
    pub queues: Vec<QueueReset>,
}

/// A queue in which a consumer group moves to another offset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueReset {
    /// The queue.
    pub queue: MessageQueue,
    /// The first offset that the queue has.
    pub min_offset: i64,
    /// The offset behind its last message.
    pub max_offset: i64,
    /// The committed offset of the group; `None` if it has committed none.
    pub committed: Option<i64>,
    /// The offset of the next message that the group gets after the reset.
    pub target: i64,
    /// The client ids of the members that are connected to the broker. Without members the offset is written; with members the
    /// broker answers their next pull of the queue with it.
    pub members: Vec<String>,
}

impl QueueReset {
    /// The number of messages that the group has finished and gets once more.
    pub fn repeated(&self) -> i64 {
        self.committed
            .map_or(0, |committed| committed.min(self.max_offset).saturating_sub(self.target).max(0))
    }

    /// The number of messages that the group has not finished and will never get.
    pub fn skipped(&self) -> i64 {
        self.committed
            .map_or(0, |committed| self.target.saturating_sub(committed.max(self.min_offset)).max(0))
    }
}

impl fmt::Display for OffsetResetPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {}", self.group)?;
        for reset in &self.queues {
            let QueueReset { queue, min_offset, max_offset, target, .. } = reset;
            let (topic, broker, id) = (queue.topic(), queue.broker_name(), queue.queue_id());
            let from = reset.committed.map_or_else(|| "none".to_owned(), |committed| committed.to_string());
            let (repeated, skipped, online) = (reset.repeated(), reset.skipped(), reset.members.len());
            write!(
                f,
                "\n{topic} queue {id} of {broker}: {from} -> {target}, has {min_offset} to {max_offset}, repeats {repeated}, \
                 skips {skipped}, {online} members online"
            )?;
        }
        Ok(())
    }
}

impl MQAdmin {
    /// Plans the reset of a consumer group in all queues of a topic. Nothing moves: show the plan, then give it to
    /// [`reset_offsets`](Self::reset_offsets). Request codes 105, 203, 30, 31, 29 and 14. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, consumer::PullConsumer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 4)?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// # admin.create_subscription_group(&SubscriptionGroupConfig::new("billing"), &Brokers::All).await?;
    /// let mut plan = admin.plan_offset_reset("billing", "Orders", QueuePosition::Begin).await?;
    /// plan.queues.retain(|reset| reset.queue.queue_id() < 2);
    /// println!("{plan}");
    /// let moved = admin.reset_offsets(&plan).await?.into_complete()?;
    /// assert_eq!(moved.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument`: the offset is outside a queue, with the queue and its range; a broker of the topic does not have the
    /// group; the members broadcast, and keep their offsets themselves; the group is online at a broker that moves its members
    /// by time only (`useServerSideResetOffset=false`, and all before 5.0). `NoMaster`; `Broker` and `Remoting` if a broker
    /// refuses or does not answer. Of several queues or brokers, a `FanOut` lists them. The errors of [`route`](Self::route).
    pub async fn plan_offset_reset(
        &self,
        group: &str,
        topic: &str,
        to: QueuePosition,
    ) -> Result<OffsetResetPlan, MQClientError> {
        self.plan(group, self.message_queues(topic).await?, to).await
    }

    /// Plans the reset of a consumer group in one queue; see [`plan_offset_reset`](Self::plan_offset_reset).
    ///
    /// # Errors
    /// The errors of [`plan_offset_reset`](Self::plan_offset_reset); `InvalidArgument` for a queue that the topic does not have.
    pub async fn plan_queue_reset(
        &self,
        group: &str,
        queue: &MessageQueue,
        to: QueuePosition,
    ) -> Result<OffsetResetPlan, MQClientError> {
        let queues = self.message_queues(queue.topic()).await?;
        if !queues.contains(queue) {
            return Err(invalid(
                "queue",
                format!("there is no {queue}: its topic has {} queues", queues.len()),
            ));
        }
        self.plan(group, vec![queue.clone()], to).await
    }

    /// Moves a consumer group as planned. Returns the new offset of each queue. Java: `MQAdminExt.resetOffsetByTimestamp` and
    /// `resetOffsetByQueueId`, `mqadmin resetOffsetByTime` and `skipAccumulatedMessage`.
    ///
    /// Whether the group is online is asked anew. A group without members: the offset is written (15) and read back (14). A
    /// group with members: the broker is told (222), and answers the next pull of each queue with the target; a pull that it
    /// holds is answered when it ends, mostly within 20 s. Handlers that run meanwhile change nothing. A broker that restarts
    /// before the pull forgets to tell the member, whose next commit may undo the reset; consumers of this client compare
    /// after they reconnect.
    ///
    /// Dropping the future leaves open which queues have moved: call it again.
    ///
    /// # Errors
    /// The errors of [`plan_offset_reset`](Self::plan_offset_reset): everything is checked once more before the first queue
    /// moves. Errors of the moves themselves are in `failed`, or in a `FanOut` if no queue moved.
    pub async fn reset_offsets(
        &self,
        plan: &OffsetResetPlan,
    ) -> Result<Answers<MessageQueue, i64>, MQClientError> {
        let group = &*plan.group;
        let targets: BTreeMap<&MessageQueue, i64> =
            plan.queues.iter().map(|reset| (&reset.queue, reset.target)).collect();
        let queues: Vec<MessageQueue> = targets.keys().copied().cloned().collect();
        let masters = &self.masters_of(&queues).await?;
        let online = &self.online_at(group, masters).await?;
        let checked = fan_out(queues.clone(), |queue: MessageQueue| {
            let target = QueuePosition::Offset(targets[&queue]);
            async move {
                let found = target.find(self.asking()?, &masters[&queue], &queue).await?;
                found.check(&queue)
            }
        });
        checked.await.complete()?;
        let moved = fan_out(queues, |queue: MessageQueue| {
            let target = targets[&queue];
            async move {
                let address = &masters[&queue];
                match online[address].is_empty() {
                    true => self.write_offset(address, group, &queue, target).await?,
                    false => self.asking()?.reset_offset(address, group, &queue, target).await?,
                }
                Ok(target)
            }
        });
        moved.await.any()
    }

    async fn plan(
        &self,
        group: &str,
        queues: Vec<MessageQueue>,
        to: QueuePosition,
    ) -> Result<OffsetResetPlan, MQClientError> {
        let masters = &self.masters_of(&queues).await?;
        let online = self.online_at(group, masters).await?;
        let found = fan_out(queues, |queue: MessageQueue| async move {
            let (address, api) = (&masters[&queue], self.asking()?);
            let committed = api.consumer_offset(address, group, &queue);
            let (found, committed) = tokio::try_join!(to.find(api, address, &queue), committed)?;
            Ok((found.check(&queue)?, committed))
        });
        let found = found.await.complete()?;
        for (address, members) in &online {
            let at = |queue: &MessageQueue| masters[queue] == *address;
            let knows = found.iter().any(|(queue, (_, committed))| at(queue) && committed.is_some());
            if members.is_empty() && !knows {
                let groups = self.asking()?.subscription_groups(address).await?;
                if !groups.subscription_group_table.contains_key(group) {
                    let reason =
                        format!("the broker at {address} has no group {group}: its first member makes it");
                    return Err(invalid("group", reason));
                }
            }
        }
        let reset = |(queue, (found, committed)): (MessageQueue, (crate::admin::position::Found, _))| {
            let members = online[&masters[&queue]].clone();
            let (min_offset, max_offset, target) = (found.min, found.max, found.offset);
            QueueReset { queue, min_offset, max_offset, committed, target, members }
        };
        Ok(OffsetResetPlan { group: group.to_owned(), queues: found.into_iter().map(reset).collect() })
    }

    /// The address of the master of each queue.
    async fn masters_of(
        &self,
        queues: &[MessageQueue],
    ) -> Result<BTreeMap<MessageQueue, Arc<str>>, MQClientError> {
        let mut masters = BTreeMap::new();
        for topic in queues.iter().map(MessageQueue::topic).collect::<BTreeSet<_>>() {
            let info = self.subscribe_info(topic).await?;
            for queue in queues.iter().filter(|queue| queue.topic() == topic) {
                let no_master = || MQClientError::NoMaster { broker: queue.shared_broker_name().clone() };
                let master = info.server(queue.broker_name(), 0).ok_or_else(no_master)?;
                masters.insert(queue.clone(), master.clone());
            }
        }
        Ok(masters)
    }

    /// The members at each broker. An error if a broker cannot move the group while it has members there.
    async fn online_at(
        &self,
        group: &str,
        masters: &BTreeMap<MessageQueue, Arc<str>>,
    ) -> Result<BTreeMap<Arc<str>, Vec<String>>, MQClientError> {
        let brokers: BTreeMap<&Arc<str>, &str> =
            masters.iter().map(|(queue, address)| (address, queue.broker_name())).collect();
        let brokers = &brokers;
        let online = fan_out(brokers.keys().copied().cloned().collect(), |address: Arc<str>| async move {
            let Some(members) = self.members_at(&address, group).await? else { return Ok(Vec::new()) };
            let broker = brokers[&address];
            if members.message_model == MessageModel::Broadcasting {
                let reason =
                    format!("{group} broadcasts: its members keep their offsets in files of their own");
                return Err(invalid("group", reason));
            }
            let config = self.asking()?.broker_config(&address).await?;
            let ids: Vec<String> = client_ids(&Some(members)).into_iter().map(str::to_owned).collect();
            if !config.lines().any(|line| line.trim() == RESETS_BY_ITSELF) {
                let ids = ids.join(", ");
                let reason = format!(
                    "{group} is online at {broker}, which moves members by time only (it has no \
                     {RESETS_BY_ITSELF}): stop {ids} first, then their offsets can be written"
                );
                return Err(invalid("group", reason));
            }
            Ok(ids)
        });
        Ok(online.await.complete()?.into_iter().collect())
    }

    /// Writes the offset of a group without members, and sees to it that the broker has it.
    async fn write_offset(
        &self,
        address: &str,
        group: &str,
        queue: &MessageQueue,
        target: i64,
    ) -> Result<(), MQClientError> {
        let api = self.asking()?;
        api.update_consumer_offset(address, group, queue, target).await?;
        // While an earlier reset waits for the next pull, a broker ignores writes and says that all is well. And a member that
        // has just come may have read the old offset.
        let is_ignored = api.consumer_offset(address, group, queue).await? != Some(target);
        if is_ignored || self.members_at(address, group).await?.is_some() {
            api.reset_offset(address, group, queue, target).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reset(committed: Option<i64>, target: i64) -> QueueReset {
        let queue = MessageQueue::new("Orders", "broker-a", 3);
        QueueReset {
            queue,
            min_offset: 100,
            max_offset: 200,
            committed,
            target,
            members: vec!["a".to_owned()],
        }
    }

    #[test]
    fn a_plan_says_what_is_repeated_and_what_is_skipped() {
        let counts = |committed, target| {
            let reset = reset(committed, target);
            (reset.repeated(), reset.skipped())
        };
        assert_eq!(counts(Some(150), 120), (30, 0));
        assert_eq!(counts(Some(150), 150), (0, 0));
        assert_eq!(counts(Some(150), 200), (0, 50));
        assert_eq!(counts(Some(20), 110), (0, 10), "messages that are gone are not skipped by the reset");
        assert_eq!(counts(Some(900), 110), (90, 0), "what is not there yet is not repeated");
        assert_eq!(counts(None, 110), (0, 0));
        let plan = OffsetResetPlan {
            group: "billing".to_owned(),
            queues: vec![reset(Some(150), 120), reset(None, 100)],
        };
        assert_eq!(
            plan.to_string(),
            "group billing\n\
             Orders queue 3 of broker-a: 150 -> 120, has 100 to 200, repeats 30, skips 0, 1 members online\n\
             Orders queue 3 of broker-a: none -> 100, has 100 to 200, repeats 0, skips 0, 1 members online"
        );
    }
}
