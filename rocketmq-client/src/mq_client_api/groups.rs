//! Requests of an admin to one broker about consumer groups, within a limit.

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::{
    ConsumeMessageDirectlyResult, ConsumeStats, GroupList, ResetOffsetBody, SubscriptionGroupConfig,
    SubscriptionGroupWrapper, TopicList,
};
use rocketmq_remoting::protocol::header::{
    CloneGroupOffsetRequestHeader, ConsumeMessageDirectlyRequestHeader, DeleteSubscriptionGroupRequestHeader,
    GetAllSubscriptionGroupRequest, GetBrokerConfigRequest, GetConsumeStatsRequestHeader,
    QueryTopicConsumeByWhoRequestHeader, QueryTopicsByConsumerRequestHeader, ResetOffsetRequestHeader,
    UpdateSubscriptionGroupRequest,
};

use super::Asking;
use crate::error::MQClientError;

impl Asking<'_> {
    /// Creates or changes a group (200).
    pub(crate) async fn update_subscription_group(
        &self,
        address: &str,
        config: &SubscriptionGroupConfig,
    ) -> Result<(), MQClientError> {
        let group = config.group_name.as_deref().unwrap_or_default();
        let updated = self.ask_json(address, &UpdateSubscriptionGroupRequest, config).await;
        updated.map(drop).map_err(|error| error.of_group(group))
    }

    /// All groups of a broker (201).
    pub(crate) async fn subscription_groups(
        &self,
        address: &str,
    ) -> Result<SubscriptionGroupWrapper, MQClientError> {
        self.ask_for(address, &GetAllSubscriptionGroupRequest).await
    }

    /// Deletes a group (207).
    pub(crate) async fn delete_subscription_group(
        &self,
        address: &str,
        group: &str,
        clean_offset: bool,
    ) -> Result<(), MQClientError> {
        let header = DeleteSubscriptionGroupRequestHeader { group_name: group.into(), clean_offset };
        self.ask_of_group(address, &header, group).await.map(drop)
    }

    /// The progress of a group in its topics (208).
    pub(crate) async fn consume_stats(
        &self,
        address: &str,
        group: &str,
    ) -> Result<ConsumeStats, MQClientError> {
        let header = GetConsumeStatsRequestHeader {
            consumer_group: group.into(),
            ..GetConsumeStatsRequestHeader::default()
        };
        self.body_of_group(address, &header, group).await
    }

    /// Moves a group to an offset of one queue (222), whose members learn of it with their next pull. Brokers with
    /// `useServerSideResetOffset=false` ignore queue and offset: ask [`broker_config`](Self::broker_config) first.
    pub(crate) async fn reset_offset(
        &self,
        address: &str,
        group: &str,
        queue: &MessageQueue,
        offset: i64,
    ) -> Result<(), MQClientError> {
        let header = ResetOffsetRequestHeader {
            group: group.into(),
            topic: queue.topic().into(),
            queue_id: Some(queue.queue_id()),
            offset: Some(offset),
            timestamp: 0,
            is_force: true,
        };
        let moved: Result<ResetOffsetBody, _> = self.body_of_group(address, &header, group).await;
        let moved = moved.map_err(|error| error.of_queue(queue))?;
        let to = moved.offset_table.iter().find(|(of, _)| of.queue_id() == queue.queue_id());
        match to {
            Some((_, to)) if *to == offset => Ok(()),
            _ => Err(MQClientError::bad_answer(
                address,
                format!("asked to move to {offset}, it moved to {to:?}"),
            )
            .of_queue(queue)
            .of_group(group)),
        }
    }

    /// A broker's configuration as a Java properties text (26).
    pub(crate) async fn broker_config(&self, address: &str) -> Result<String, MQClientError> {
        let reply = self.ask(address, &GetBrokerConfigRequest).await?;
        Ok(String::from_utf8_lossy(&reply.body).into_owned())
    }

    /// The groups that consume a topic (300).
    pub(crate) async fn topic_consumed_by(
        &self,
        address: &str,
        topic: &str,
    ) -> Result<GroupList, MQClientError> {
        let header = QueryTopicConsumeByWhoRequestHeader { topic: topic.into() };
        self.ask_for(address, &header).await.map_err(|error: MQClientError| error.of_topic(topic))
    }

    /// The topics in which a group has committed offsets (343).
    pub(crate) async fn topics_of_group(
        &self,
        address: &str,
        group: &str,
    ) -> Result<TopicList, MQClientError> {
        let header = QueryTopicsByConsumerRequestHeader { group: group.into() };
        self.body_of_group(address, &header, group).await
    }

    /// Has a member consume a stored message now (309).
    pub(crate) async fn consume_message_directly(
        &self,
        address: &str,
        header: &ConsumeMessageDirectlyRequestHeader,
    ) -> Result<ConsumeMessageDirectlyResult, MQClientError> {
        self.body_of_group(address, header, &header.consumer_group).await
    }

    /// Copies the committed offsets of a topic from one group to another (314).
    pub(crate) async fn clone_group_offset(
        &self,
        address: &str,
        from: &str,
        to: &str,
        topic: &str,
    ) -> Result<(), MQClientError> {
        let header = CloneGroupOffsetRequestHeader {
            src_group: from.into(),
            dest_group: to.into(),
            topic: Some(topic.into()),
            offline: true,
        };
        let cloned = self.ask_of_group(address, &header, to).await;
        cloned.map(drop).map_err(|error| error.of_topic(topic))
    }
}
