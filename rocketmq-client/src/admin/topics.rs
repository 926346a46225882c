use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::CreateTopicRequestHeader;

use super::answers::fan_out;
use super::brokers::readers;
use super::order::ORDER_TOPIC_CONFIG;
use super::{Answers, Brokers, MQAdmin, Server, TopicConfig};
use crate::error::MQClientError;

/// Tries to create a topic on a broker, like in Java.
const CREATE_TRIES: u32 = 5;

/// The wait before the second try; the wait before try n is n − 1 times as long.
const CREATE_PAUSE: Duration = Duration::from_millis(100);

/// A topic on one broker. Java: `TopicConfig` and `TopicStatsTable`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TopicOnBroker {
    /// Its settings. `None` from brokers before 5.0, which have no request for the settings of one topic.
    pub config: Option<TopicConfig>,
    /// Its queues, including those that can only be read or only be written.
    pub queues: BTreeMap<MessageQueue, QueueStats>,
    /// Messages stored per second, lately.
    pub put_tps: f64,
}

/// The offsets of a queue. Java: `TopicOffset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// The offset of the first message that still exists.
    pub min_offset: i64,
    /// The offset after the last message.
    pub max_offset: i64,
    /// When the last message was stored, in milliseconds since 1970. `None` for an empty queue.
    pub last_update_timestamp: Option<i64>,
}

impl MQAdmin {
    /// Creates a topic on the masters of these brokers, or changes its settings there. Request codes 106 and 17; for an
    /// ordered topic also 101 and 100. Java: `MQAdminExt.createAndUpdateTopicConfig` and `createOrUpdateOrderConf`,
    /// `mqadmin updateTopic`.
    ///
    /// Sets all settings, except attributes that are not named. Clients see the topic at once: the brokers tell the
    /// NameServers before they answer. A broker that cannot be reached, or is busy, is tried up to five times.
    /// Dropping the future leaves the topic on the brokers told so far.
    ///
    /// The queues of a topic with `order` are also stored on every NameServer, which then appears among the answers.
    /// For
    /// `Brokers::Named`, entries of other brokers stay; otherwise they are replaced. Producers send to exactly these
    /// queues if NameServers put them into routes (`orderMessageEnable=true` there). The entry stays until the topic is
    /// deleted, even if `order` is later set to false.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::admin::{Brokers, MQAdmin, TopicConfig};
    /// # let mock = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// let admin = MQAdmin::connect(mock.name_server_addr()).await?;
    /// let orders = TopicConfig::new("Orders", 8).with_attribute("message.type", "FIFO");
    /// let created = admin.create_topic(&orders, &Brokers::cluster("DefaultCluster")).await?;
    /// for (broker, error) in &created.failed {
    ///     eprintln!("{broker} does not have it: {error}");
    /// }
    /// assert_eq!(admin.message_queues("Orders").await?.len(), 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if the settings are invalid, or the cluster or a broker does not exist;
    /// `NameServerUnreachable`; `FanOut` if no master succeeded. The [`response_code`](MQClientError::response_code) of
    /// `FanOut` is 29 for a reserved name, 1 for an unknown attribute, 16 if ACLs forbid the change.
    pub async fn create_topic(
        &self,
        config: &TopicConfig,
        brokers: &Brokers,
    ) -> Result<Answers<Server, ()>, MQClientError> {
        let header = config.header()?;
        let header = &header;
        let masters = self.masters(brokers).await?;
        let created =
            fan_out(masters, |master| async move { self.create_on(&master, header).await }).await.any()?;
        if !config.order {
            return Ok(created);
        }
        let noted = self.put_order_config(config, brokers, &created).await;
        Ok(created.and(noted))
    }

    async fn create_on(
        &self,
        master: &Server,
        header: &CreateTopicRequestHeader,
    ) -> Result<(), MQClientError> {
        let address = self.dial_address(master)?;
        let mut tries = 1;
        loop {
            match self.asking()?.create_topic(&address, header).await {
                Err(error) if tries < CREATE_TRIES && may_pass(&error) => {
                    tracing::debug!(broker = %master, topic = %header.topic, tries, %error, "topic not created yet");
                }
                outcome => return outcome,
            }
            tokio::time::sleep(CREATE_PAUSE * tries).await;
            tries += 1;
        }
    }

    /// Deletes a topic from a cluster. First deletes it on the masters and slaves, with all its messages, then on every
    /// NameServer, which would otherwise keep its route, with its order configuration. Request codes 106, 215, 216 and
    /// 102; Java: `MQAdminExt.deleteTopic`, `mqadmin deleteTopic`.
    ///
    /// Deleting a missing topic is no error. A broker that failed announces the topic again within half a minute:
    /// delete it again. Committed offsets of the topic are deleted too. Dropping the future stops half-way: call it
    /// again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// admin.delete_topic("TopicTest", "DefaultCluster").await?.into_complete()?;
    /// assert!(admin.route("TopicTest").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if the cluster does not exist; `NameServerUnreachable`; `FanOut` if no broker succeeded (then
    /// NameServers keep the route): its code is 29 for a system topic.
    pub async fn delete_topic(
        &self,
        topic: &str,
        cluster: &str,
    ) -> Result<Answers<Server, ()>, MQClientError> {
        let brokers = self.masters_and_slaves(&Brokers::cluster(cluster)).await?;
        let on_brokers = fan_out(brokers, |broker| async move {
            let address = self.dial_address(&broker)?;
            self.asking()?.delete_topic_in_broker(&address, topic).await
        });
        let on_brokers = on_brokers.await.any()?;
        let on_name_servers = fan_out(self.name_server_list(), |server| async move {
            let api = self.asking()?;
            api.delete_topic_in_name_server(server.address(), topic, cluster).await?;
            api.delete_kv_config(server.address(), ORDER_TOPIC_CONFIG, topic).await
        });
        Ok(on_brokers.and(on_name_servers.await))
    }

    /// The settings of a topic and the offsets of its queues, on each broker of its route: from the master, or without
    /// a master from a slave. Request codes 105, 351 and 202; Java: `MQAdminExt.examineTopicConfig` and
    /// `examineTopicStats`, `mqadmin topicStatus`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let topic = admin.describe_topic("TopicTest").await?;
    /// let (broker, on_broker) = &topic.done[0];
    /// println!("{broker}: {} queues", on_broker.queues.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `BrokerNotFound` if the topic has no route; `NameServerUnreachable`; `FanOut` if no broker answered.
    pub async fn describe_topic(&self, topic: &str) -> Result<Answers<Server, TopicOnBroker>, MQClientError> {
        let route = self.route(topic).await?;
        fan_out(readers(&route.broker_datas), |broker| async move { self.topic_on(&broker, topic).await })
            .await
            .any()
    }

    async fn topic_on(&self, broker: &Server, topic: &str) -> Result<TopicOnBroker, MQClientError> {
        let address = self.dial_address(broker)?;
        let api = self.asking()?;
        let (config, stats) =
            tokio::try_join!(api.topic_config(&address, topic), api.topic_stats(&address, topic))?;
        let config = match config.map(|config| TopicConfig::from_body(topic, config)) {
            Some(None) => {
                return Err(MQClientError::bad_answer(
                    &*address,
                    "the topic has a negative number of queues",
                ));
            }
            config => config.flatten(),
        };
        let queue_stats = |offsets: rocketmq_remoting::protocol::body::TopicOffset| QueueStats {
            min_offset: offsets.min_offset,
            max_offset: offsets.max_offset,
            last_update_timestamp: Some(offsets.last_update_timestamp).filter(|timestamp| *timestamp > 0),
        };
        let queues = stats.offset_table.into_iter().map(|(queue, offsets)| (queue, queue_stats(offsets)));
        Ok(TopicOnBroker { config, queues: queues.collect(), put_tps: stats.topic_put_tps })
    }

    /// The names of all topics, sorted, from the first NameServer that answers; including system topics, retry topics
    /// (`%RETRY%…`) and dead-letter topics (`%DLQ%…`). Request code 206; Java: `MQAdminExt.fetchAllTopicList`,
    /// `mqadmin topicList`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// assert!(admin.topics().await?.contains(&"TopicTest".to_owned()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NameServerUnreachable` if no NameServer answered, or all refused.
    pub async fn topics(&self) -> Result<Vec<String>, MQClientError> {
        let mut topics = self.asking()?.topic_list().await?.topic_list;
        topics.sort_unstable();
        topics.dedup();
        Ok(topics)
    }
}

/// Whether the request may succeed later without any change.
fn may_pass(error: &MQClientError) -> bool {
    match error {
        MQClientError::Remoting { .. } | MQClientError::ServiceNotAvailable { .. } => true,
        _ => error
            .response_code()
            .is_some_and(|code| [ResponseCode::SYSTEM_BUSY, ResponseCode::GO_AWAY].contains(&code)),
    }
}
