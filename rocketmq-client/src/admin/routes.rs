use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::TopicRouteData;
use tokio::time::Instant;

use super::MQAdmin;
use crate::error::MQClientError;
use crate::factory::TopicSubscribeInfo;

impl MQAdmin {
    /// The route of a topic: its brokers with their numbers of queues. It comes from the first NameServer that has it;
    /// nothing is cached. Request code 105; Java: `MQAdminExt.examineTopicRouteInfo`, `mqadmin topicRoute`. Dropping
    /// the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let route = admin.route("TopicTest").await?;
    /// assert_eq!(route.broker_datas[0].broker_name, "broker-a");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `BrokerNotFound` if no NameServer has a route, with the answer of each; `NameServerUnreachable` if none
    /// answered.
    pub async fn route(&self, topic: &str) -> Result<TopicRouteData, MQClientError> {
        let instance = self.instance()?;
        instance.topic_route(topic, Instant::now() + instance.api().timeout()).await
    }

    /// The queues of a topic that consumers may read, sorted. Request code 105; Java:
    /// `MQAdmin.fetchSubscribeMessageQueues`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let queues = admin.message_queues("TopicTest").await?;
    /// assert!(queues.contains(&sent.message_queue));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`route`](Self::route).
    pub async fn message_queues(&self, topic: &str) -> Result<Vec<MessageQueue>, MQClientError> {
        Ok(self.subscribe_info(topic).await?.queues().to_vec())
    }

    pub(super) async fn subscribe_info(&self, topic: &str) -> Result<TopicSubscribeInfo, MQClientError> {
        let instance = self.instance()?;
        instance.subscribe_info(topic, Instant::now() + instance.api().timeout()).await
    }
}
