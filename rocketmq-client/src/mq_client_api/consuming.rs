//! Requests of consumers to one broker, within a limit: members, offsets, locks, filters, messages given back.

use bytes::Bytes;
use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::{
    BatchAckMessageRequestBody, CheckClientRequestBody, ConsumerConnection, ConsumerRunningInfo,
    GetConsumerListByGroupResponseBody, LockBatchRequestBody, LockBatchResponseBody, MessageQueueAssignment,
    QueryAssignmentRequestBody, QueryAssignmentResponseBody, UnlockBatchRequestBody, decode_body,
};
use rocketmq_remoting::protocol::header::{
    AckMessageRequestHeader, BatchAckMessageRequest, ChangeInvisibleTimeRequestHeader,
    ChangeInvisibleTimeResponseHeader, CheckClientConfigRequest, ConsumerSendMsgBackRequestHeader,
    GetConsumerConnectionListRequestHeader, GetConsumerListByGroupRequestHeader,
    GetConsumerRunningInfoRequestHeader, LockBatchMqRequestHeader, QueryAssignmentRequest,
    SendMessageRequestHeaderV2, SendMessageResponseHeader, UnlockBatchMqRequestHeader,
    UpdateConsumerOffsetRequestHeader,
};

use super::Asking;
use crate::error::MQClientError;

impl Asking<'_> {
    /// The client ids of the members of a consumer group that one broker knows (38).
    pub(crate) async fn consumer_ids(
        &self,
        address: &str,
        group: &str,
    ) -> Result<Vec<String>, MQClientError> {
        let header = GetConsumerListByGroupRequestHeader { consumer_group: group.into() };
        let found: GetConsumerListByGroupResponseBody = self.body_of_group(address, &header, group).await?;
        Ok(found.consumer_id_list)
    }

    /// The connections of the members of a consumer group that one broker knows, and the group's subscriptions (203).
    pub(crate) async fn consumer_connection(
        &self,
        address: &str,
        group: &str,
    ) -> Result<ConsumerConnection, MQClientError> {
        let header = GetConsumerConnectionListRequestHeader { consumer_group: group.into() };
        self.body_of_group(address, &header, group).await
    }

    /// The state of a member (307), which a broker asks for it.
    pub(crate) async fn consumer_running_info(
        &self,
        address: &str,
        group: &str,
        client_id: &str,
    ) -> Result<ConsumerRunningInfo, MQClientError> {
        let header = GetConsumerRunningInfoRequestHeader {
            consumer_group: group.into(),
            client_id: client_id.into(),
            jstack_enable: false,
        };
        self.body_of_group(address, &header, group).await
    }

    /// Commits an offset (15) and waits until the broker has taken it.
    pub(crate) async fn update_consumer_offset(
        &self,
        address: &str,
        group: &str,
        queue: &MessageQueue,
        offset: i64,
    ) -> Result<(), MQClientError> {
        let header = UpdateConsumerOffsetRequestHeader {
            consumer_group: group.into(),
            topic: queue.topic().into(),
            queue_id: queue.queue_id(),
            commit_offset: offset,
            broker_name: Some(queue.broker_name().into()),
        };
        let taken = self.ask(address, &header).await;
        taken.map(drop).map_err(|error| error.of_queue(queue).of_group(group))
    }

    /// Gives a message back for a later retry (36).
    pub(crate) async fn send_back(
        &self,
        address: &str,
        header: &ConsumerSendMsgBackRequestHeader,
    ) -> Result<(), MQClientError> {
        self.ask(address, header).await.map(drop).map_err(|error| error.of_group(&header.group))
    }

    /// Stores a message in a retry topic (310). The broker moves it to the dead letters if its header says that it was
    /// retried too often.
    pub(crate) async fn send_to_retry_topic(
        &self,
        address: &str,
        header: &SendMessageRequestHeaderV2<'_>,
        body: &Bytes,
    ) -> Result<(), MQClientError> {
        self.send_on(address, header, body).await.map(drop)
    }

    /// Stores a message that was received elsewhere (310). Returns its new place.
    pub(crate) async fn send_on(
        &self,
        address: &str,
        header: &SendMessageRequestHeaderV2<'_>,
        body: &Bytes,
    ) -> Result<SendMessageResponseHeader, MQClientError> {
        let stored = self.ask_with(address, header, body).await;
        Ok(stored.map_err(|error| error.of_topic(header.topic))?.header)
    }

    /// Locks queues for a client (41). Returns the queues whose locks the client has now; other clients hold the other locks.
    pub(crate) async fn lock_batch(
        &self,
        address: &str,
        request: &LockBatchRequestBody,
    ) -> Result<Vec<MessageQueue>, MQClientError> {
        let reply = self.ask_json(address, &LockBatchMqRequestHeader {}, request).await;
        let reply = reply.map_err(|error| error.of_group(&request.consumer_group))?;
        let locked = decode_body::<LockBatchResponseBody>(&reply.body);
        Ok(locked.map_err(|error| MQClientError::bad_answer(address, error))?.lock_ok_mq_set)
    }

    /// Releases locks of queues (42).
    pub(crate) async fn unlock_batch(
        &self,
        address: &str,
        request: &UnlockBatchRequestBody,
    ) -> Result<(), MQClientError> {
        let released = self.ask_json(address, &UnlockBatchMqRequestHeader {}, request).await;
        released.map(drop).map_err(|error| error.of_group(&request.consumer_group))
    }

    /// Has a broker check a filter expression (46). Code 23 is its verdict that it cannot read the expression.
    pub(crate) async fn check_client_config(
        &self,
        address: &str,
        request: &CheckClientRequestBody,
    ) -> Result<(), MQClientError> {
        let checked = self.ask_json(address, &CheckClientConfigRequest, request).await;
        checked
            .map(drop)
            .map_err(|error| error.of_topic(&request.subscription_data.topic).of_group(&request.group))
    }

    /// The queues that a broker assigns to a member, each with the mode to read it (400). `None`: the broker does not know the
    /// member, the topic or the strategy.
    pub(crate) async fn query_assignment(
        &self,
        address: &str,
        request: &QueryAssignmentRequestBody,
    ) -> Result<Option<Vec<MessageQueueAssignment>>, MQClientError> {
        let reply = self.ask_json(address, &QueryAssignmentRequest, request).await;
        let reply =
            reply.map_err(|error| error.of_topic(&request.topic).of_group(&request.consumer_group))?;
        let assigned = decode_body::<QueryAssignmentResponseBody>(&reply.body);
        Ok(assigned.map_err(|error| MQClientError::bad_answer(address, error))?.message_queue_assignments)
    }

    /// Acknowledges a popped message (200051). A broker answers 0 even for a message that it does not know any more.
    pub(crate) async fn ack(
        &self,
        address: &str,
        header: &AckMessageRequestHeader,
    ) -> Result<(), MQClientError> {
        self.ask(address, header).await.map(drop).map_err(|error| error.of_group(&header.consumer_group))
    }

    /// Acknowledges many popped messages (200151).
    pub(crate) async fn batch_ack(
        &self,
        address: &str,
        request: &BatchAckMessageRequestBody,
    ) -> Result<(), MQClientError> {
        self.ask_json(address, &BatchAckMessageRequest, request).await.map(drop)
    }

    /// Hides a popped message for a time from now on (200053).
    pub(crate) async fn change_invisible_time(
        &self,
        address: &str,
        header: &ChangeInvisibleTimeRequestHeader,
    ) -> Result<ChangeInvisibleTimeResponseHeader, MQClientError> {
        let changed =
            self.ask(address, header).await.map_err(|error| error.of_group(&header.consumer_group))?;
        Ok(changed.header)
    }
}
