use rocketmq_common::MessageQueue;

use crate::admin::answers::fan_out;
use crate::admin::{Answers, MQAdmin, Server, invalid};
use crate::error::MQClientError;

impl MQAdmin {
    /// Copies the committed offsets of a topic from one consumer group to another, which then begins at them.
    /// Returns the offsets that the other group has now, read back. Request codes 105, 203, 14 and 314; Java:
    /// `MQAdminExt.cloneGroupOffset`, `mqadmin cloneGroupOffset`. [`consumer_offsets`](Self::consumer_offsets)
    /// shows beforehand the offsets to copy.
    ///
    /// The offsets that the other group had in this topic are replaced. Dropping the future leaves open which brokers have
    /// copied: call it again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, consumer::PullConsumer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 4)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PullConsumer::builder("billing").name_server_addr(name_servers).subscribe("Orders", "*").start().await?;
    /// # consumer.commit().await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let offsets = admin.clone_group_offset("billing", "audit", "Orders").await?;
    /// assert_eq!(offsets.done.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument`, before anything is copied, if the other group has members online, whose next commit would undo the
    /// copy, or if the first group has committed nothing in the topic. `BadAnswer` in `failed` if a broker has not copied.
    /// The errors of [`consumer_offsets`](Self::consumer_offsets).
    pub async fn clone_group_offset(
        &self,
        from: &str,
        to: &str,
        topic: &str,
    ) -> Result<Answers<MessageQueue, i64>, MQClientError> {
        let route = self.route(topic).await?;
        let brokers: Vec<Server> = route.broker_datas.iter().map(Server::master_of).collect();
        self.check_offline(to, brokers.clone(), "whose next commit would undo the copy").await?;
        let mut source = self.consumer_offsets(from, topic).await?.into_complete()?;
        source.retain(|(_, offset)| offset.is_some());
        if source.is_empty() {
            let reason = format!("{from} has committed nothing in topic {topic}: there is nothing to copy");
            return Err(invalid("group", reason));
        }
        let cloned = fan_out(brokers, |broker| async move {
            self.asking()?.clone_group_offset(&self.dial_address(&broker)?, from, to, topic).await
        });
        let cloned = cloned.await.any()?;
        fan_out(source.into_iter().map(|(queue, _)| queue).collect(), |queue: MessageQueue| {
            let failed = cloned.failed.iter().find(|(on, _)| on.broker_name() == Some(queue.broker_name()));
            let failed = failed.map(|(_, error)| error.clone());
            async move {
                if let Some(error) = failed {
                    return Err(error);
                }
                let copied = self.consumer_offset(to, &queue).await?;
                let broker = queue.shared_broker_name().clone();
                copied.ok_or_else(|| {
                    MQClientError::bad_answer(broker, "it says that it copied, and the group has no offset")
                        .of_queue(&queue)
                        .of_group(to)
                })
            }
        })
        .await
        .any()
    }
}
