//! Requests to one server, or to any NameServer, within a limit: one method for each request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use rocketmq_common::MessageQueue;
use rocketmq_remoting::client::{RemotingError, Reply};
use rocketmq_remoting::protocol::body::{
    ClusterInfo, KVTable, ProducerConnection, SetMessageRequestModeRequestBody, TopicConfig,
    TopicConfigAndQueueMapping, TopicList, TopicStatsTable, decode_body, encode_body,
};
use rocketmq_remoting::protocol::header::{
    BoundaryType, CreateTopicRequestHeader, DeleteKvConfigRequestHeader,
    DeleteTopicInNameServerRequestHeader, DeleteTopicRequestHeader, GetAllTopicListFromNameServerRequest,
    GetBrokerClusterInfoRequest, GetBrokerRuntimeInfoRequest, GetEarliestMsgStoretimeRequestHeader,
    GetKvConfigRequestHeader, GetMaxOffsetRequestHeader, GetMinOffsetRequestHeader,
    GetProducerConnectionListRequestHeader, GetTopicConfigRequestHeader, GetTopicStatsInfoRequestHeader,
    PullMessageRequestHeader, PullMessageResponseHeader, PutKvConfigRequestHeader,
    QueryConsumerOffsetRequestHeader, QueryMessageRequestHeader, QueryMessageResponseHeader,
    SearchOffsetRequestHeader, SetMessageRequestModeRequest, ViewMessageRequestHeader,
};
use rocketmq_remoting::protocol::{CommandRef, RequestCode, RequestHeader, ResponseCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::MQClientApi;
use crate::error::MQClientError;

/// A broker looks at the pulls that it holds every 5 s, so an answer may come 5 s later.
const HELD_PULLS_EVERY: Duration = Duration::from_secs(5);

/// Makes requests with a common limit, dialling included: 3 s by default, longer for a pull that the broker holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(super) api: &'a MQClientApi,
    pub(super) limit: Duration,
}

impl Asking<'_> {
    /// All clusters and brokers (106), from the first NameServer that answers.
    pub(crate) async fn cluster_info(&self) -> Result<ClusterInfo, MQClientError> {
        self.ask_name_servers(&GetBrokerClusterInfoRequest).await
    }

    /// The names of all topics (206), from the first NameServer that answers.
    pub(crate) async fn topic_list(&self) -> Result<TopicList, MQClientError> {
        self.ask_name_servers(&GetAllTopicListFromNameServerRequest).await
    }

    /// Creates or changes a topic on one broker (17).
    pub(crate) async fn create_topic(
        &self,
        address: &str,
        header: &CreateTopicRequestHeader,
    ) -> Result<(), MQClientError> {
        self.ask(address, header).await.map(drop)
    }

    /// Sets how a group gets the messages of a topic on one broker (401).
    pub(crate) async fn set_message_request_mode(
        &self,
        address: &str,
        request: &SetMessageRequestModeRequestBody,
    ) -> Result<(), MQClientError> {
        self.ask_json(address, &SetMessageRequestModeRequest, request).await.map(drop)
    }

    /// Deletes a topic and its messages on one broker (215).
    pub(crate) async fn delete_topic_in_broker(
        &self,
        address: &str,
        topic: &str,
    ) -> Result<(), MQClientError> {
        self.ask(address, &DeleteTopicRequestHeader { topic: topic.into() }).await.map(drop)
    }

    /// Deletes a topic's queues on the brokers of a cluster from one NameServer (216).
    pub(crate) async fn delete_topic_in_name_server(
        &self,
        address: &str,
        topic: &str,
        cluster: &str,
    ) -> Result<(), MQClientError> {
        let (topic, cluster_name) = (topic.into(), Some(cluster.into()));
        self.ask(address, &DeleteTopicInNameServerRequestHeader { topic, cluster_name }).await.map(drop)
    }

    /// An entry of one NameServer's key-value configuration (101), if there is one.
    pub(crate) async fn kv_config(
        &self,
        address: &str,
        namespace: &str,
        key: &str,
    ) -> Result<Option<ByteString>, MQClientError> {
        let (namespace, key) = (namespace.into(), key.into());
        match self.ask(address, &GetKvConfigRequestHeader { namespace, key }).await {
            Ok(found) => Ok(found.header.value),
            Err(error) if error.response_code() == Some(ResponseCode::QUERY_NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets an entry of one NameServer's key-value configuration (100).
    pub(crate) async fn put_kv_config(
        &self,
        address: &str,
        namespace: &str,
        key: &str,
        value: &str,
    ) -> Result<(), MQClientError> {
        let (namespace, key, value) = (namespace.into(), key.into(), value.into());
        self.ask(address, &PutKvConfigRequestHeader { namespace, key, value }).await.map(drop)
    }

    /// Deletes an entry of one NameServer's key-value configuration (102).
    pub(crate) async fn delete_kv_config(
        &self,
        address: &str,
        namespace: &str,
        key: &str,
    ) -> Result<(), MQClientError> {
        let (namespace, key) = (namespace.into(), key.into());
        self.ask(address, &DeleteKvConfigRequestHeader { namespace, key }).await.map(drop)
    }

    /// The settings of a topic on one broker (351). `None` from a broker without this request, which came with 5.0.
    pub(crate) async fn topic_config(
        &self,
        address: &str,
        topic: &str,
    ) -> Result<Option<TopicConfig>, MQClientError> {
        let header = GetTopicConfigRequestHeader { topic: topic.into(), lo: Some(true) };
        match self.ask_for::<_, TopicConfigAndQueueMapping>(address, &header).await {
            Ok(found) => Ok(Some(found.topic_config)),
            Err(error) if error.response_code() == Some(ResponseCode::REQUEST_CODE_NOT_SUPPORTED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The offsets of a topic's queues on one broker (202).
    pub(crate) async fn topic_stats(
        &self,
        address: &str,
        topic: &str,
    ) -> Result<TopicStatsTable, MQClientError> {
        self.ask_for(address, &GetTopicStatsInfoRequestHeader { topic: topic.into() }).await
    }

    /// Stored records by key (12). `None` if there are none.
    pub(crate) async fn query_message(
        &self,
        address: &str,
        header: &QueryMessageRequestHeader,
    ) -> Result<Option<Reply<QueryMessageResponseHeader>>, MQClientError> {
        match self.ask(address, header).await {
            Ok(reply) => Ok(Some(reply)),
            Err(error) if error.response_code().is_some_and(is_nothing_found) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The offset of the first message that a queue still has (31).
    pub(crate) async fn min_offset(&self, address: &str, queue: &MessageQueue) -> Result<i64, MQClientError> {
        let header = GetMinOffsetRequestHeader {
            topic: queue.topic().into(),
            queue_id: queue.queue_id(),
            broker_name: Some(queue.broker_name().into()),
        };
        Ok(self.ask(address, &header).await?.header.offset)
    }

    /// The store time of the first message that a queue still has (32). `None` for an empty queue.
    pub(crate) async fn earliest_store_time(
        &self,
        address: &str,
        queue: &MessageQueue,
    ) -> Result<Option<i64>, MQClientError> {
        let header = GetEarliestMsgStoretimeRequestHeader {
            topic: queue.topic().into(),
            queue_id: queue.queue_id(),
            broker_name: Some(queue.broker_name().into()),
        };
        Ok(Some(self.ask(address, &header).await?.header.timestamp).filter(|timestamp| *timestamp >= 0))
    }

    /// The offset of a queue at a point in time (29).
    pub(crate) async fn search_offset(
        &self,
        address: &str,
        queue: &MessageQueue,
        timestamp: i64,
        boundary: BoundaryType,
    ) -> Result<i64, MQClientError> {
        let header = SearchOffsetRequestHeader {
            topic: queue.topic().into(),
            queue_id: queue.queue_id(),
            timestamp,
            boundary_type: Some(boundary),
            broker_name: Some(queue.broker_name().into()),
        };
        Ok(self.ask(address, &header).await?.header.offset)
    }

    /// The committed offset of a group in a queue (14). `None` if there is none.
    pub(crate) async fn consumer_offset(
        &self,
        address: &str,
        group: &str,
        queue: &MessageQueue,
    ) -> Result<Option<i64>, MQClientError> {
        // Otherwise a broker answers 0 for a group that has committed nothing.
        self.committed_offset(address, group, queue, false).await
    }

    /// The same. With `zero_if_young`, a broker answers 0 where there is none and the queue has its first message still.
    pub(crate) async fn committed_offset(
        &self,
        address: &str,
        group: &str,
        queue: &MessageQueue,
        zero_if_young: bool,
    ) -> Result<Option<i64>, MQClientError> {
        let header = QueryConsumerOffsetRequestHeader {
            consumer_group: group.into(),
            topic: queue.topic().into(),
            queue_id: queue.queue_id(),
            set_zero_if_not_found: (!zero_if_young).then_some(false),
            broker_name: Some(queue.broker_name().into()),
        };
        match self.ask(address, &header).await {
            Ok(reply) => Ok(Some(reply.header.offset)),
            Err(error) if error.response_code() == Some(ResponseCode::QUERY_NOT_FOUND) => Ok(None),
            Err(error) => Err(error.of_queue(queue).of_group(group)),
        }
    }

    /// A broker's figures (28).
    pub(crate) async fn broker_runtime_info(&self, address: &str) -> Result<KVTable, MQClientError> {
        self.ask_for(address, &GetBrokerRuntimeInfoRequest).await
    }

    /// The members of a producer group at one broker (204).
    pub(crate) async fn producer_connection(
        &self,
        address: &str,
        group: &str,
    ) -> Result<ProducerConnection, MQClientError> {
        let header = GetProducerConnectionListRequestHeader { producer_group: group.into() };
        self.ask_for(address, &header).await
    }

    /// The offset that the next message of a queue will get (30).
    pub(crate) async fn max_offset(&self, address: &str, queue: &MessageQueue) -> Result<i64, MQClientError> {
        let header = GetMaxOffsetRequestHeader {
            topic: queue.topic().into(),
            queue_id: queue.queue_id(),
            ..GetMaxOffsetRequestHeader::default()
        };
        Ok(self.ask(address, &header).await?.header.offset)
    }

    /// One stored record by its position in the commit log (33).
    pub(crate) async fn view_message(&self, address: &str, offset: i64) -> Result<Bytes, MQClientError> {
        let header = ViewMessageRequestHeader { offset, ..ViewMessageRequestHeader::default() };
        Ok(self.ask(address, &header).await?.body)
    }

    /// Pulls records of one queue (11). The codes 19, 20 and 21 ("nothing there") are results, not errors. A pull that the
    /// broker may hold has that much more time.
    pub(crate) async fn pull_message(
        &self,
        address: &str,
        header: &PullMessageRequestHeader,
    ) -> Result<(ResponseCode, Reply<PullMessageResponseHeader>), MQClientError> {
        let mut request = CommandRef::request(RequestCode::PULL_MESSAGE, header);
        let mut deadline = Instant::now() + self.limit;
        if let Ok(hold @ 1..) = u64::try_from(header.suspend_timeout_millis) {
            let hold = Duration::from_millis(hold) + HELD_PULLS_EVERY;
            (request, deadline) = (request.held_for(hold), deadline + hold);
        }
        let answer = self.api.remoting.invoke(address, &request, deadline).await;
        let answer = answer.map_err(|error| MQClientError::from_remoting(address, error))?;
        let code = ResponseCode(answer.code);
        let known = [
            ResponseCode::SUCCESS,
            ResponseCode::PULL_NOT_FOUND,
            ResponseCode::PULL_RETRY_IMMEDIATELY,
            ResponseCode::PULL_OFFSET_MOVED,
        ];
        if !known.contains(&code) {
            return Err(MQClientError::from_remoting(address, RemotingError::refused(address, &answer)));
        }
        let header = answer.header().map_err(|source| MQClientError::bad_answer(address, source))?;
        Ok((code, Reply::new(header, answer)))
    }

    /// Sends a request to one server; only the header of its answer counts.
    pub(super) async fn ask<H: RequestHeader>(
        &self,
        address: &str,
        header: &H,
    ) -> Result<Reply<H::Response>, MQClientError> {
        self.ask_with(address, header, &Bytes::new()).await
    }

    /// One request with a body to one server.
    pub(super) async fn ask_with<H: RequestHeader>(
        &self,
        address: &str,
        header: &H,
        body: &Bytes,
    ) -> Result<Reply<H::Response>, MQClientError> {
        let reply = self.api.remoting.call(address, header, body, self.limit).await;
        reply.map_err(|error| {
            let operation = header.code().name().unwrap_or("request");
            MQClientError::from_remoting(address, error).during(operation)
        })
    }

    /// One request with a body of JSON to one server.
    pub(super) async fn ask_json<H: RequestHeader>(
        &self,
        address: &str,
        header: &H,
        body: &impl Serialize,
    ) -> Result<Reply<H::Response>, MQClientError> {
        let body = encode_body(body).map_err(|error| MQClientError::argument("request", error))?;
        self.ask_with(address, header, &body).await
    }

    /// Sends a request to one server whose answer is JSON.
    pub(super) async fn ask_for<H: RequestHeader, T: DeserializeOwned>(
        &self,
        address: &str,
        header: &H,
    ) -> Result<T, MQClientError> {
        let reply = self.ask(address, header).await?;
        decode_body(&reply.body).map_err(|error| MQClientError::bad_answer(address, error))
    }

    /// Sends a request about a group; the error names the group.
    pub(super) async fn ask_of_group<H: RequestHeader>(
        &self,
        address: &str,
        header: &H,
        group: &str,
    ) -> Result<Reply<H::Response>, MQClientError> {
        self.ask(address, header).await.map_err(|error| error.of_group(group))
    }

    /// Sends a request about a group to one server whose answer is JSON.
    pub(super) async fn body_of_group<H: RequestHeader, T: DeserializeOwned>(
        &self,
        address: &str,
        header: &H,
        group: &str,
    ) -> Result<T, MQClientError> {
        let reply = self.ask_of_group(address, header, group).await?;
        decode_body(&reply.body).map_err(|error| MQClientError::bad_answer(address, error).of_group(group))
    }

    /// Sends a request to any NameServer; the answer is JSON.
    async fn ask_name_servers<H, T>(&self, header: &H) -> Result<T, MQClientError>
    where
        H: RequestHeader + Sync,
        T: DeserializeOwned + Send,
    {
        let deadline = Instant::now() + self.limit;
        let ask = |address: Arc<str>| {
            Box::pin(async move { self.api.ask_name_server(&address, header, deadline).await }) as _
        };
        let answer = self.api.name_servers.ask(deadline, ask).await;
        let (_, answer) = answer.map_err(|no_answer| MQClientError::NameServerUnreachable {
            answers: no_answer.answers.into_boxed_slice(),
            context: Box::default(),
        })?;
        Ok(answer)
    }
}

/// Whether nothing was found: brokers answer 22, older ones 208.
fn is_nothing_found(code: ResponseCode) -> bool {
    [ResponseCode::QUERY_NOT_FOUND, ResponseCode::NO_MESSAGE].contains(&code)
}
