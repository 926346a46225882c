use std::collections::BTreeMap;
use std::sync::Arc;

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{ClusterInfo, Connection};

use super::answers::fan_out;
use super::brokers::readers;
use super::{Answers, Brokers, MQAdmin, Server};
use crate::error::MQClientError;

impl MQAdmin {
    /// All clusters and their brokers, as the first NameServer to answer knows them. Request code 106; Java:
    /// `MQAdminExt.examineBrokerClusterInfo`, `mqadmin clusterList`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let info = admin.cluster_info().await?;
    /// assert!(info.broker_addr_table.contains_key("broker-a"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NameServerUnreachable` when none answered.
    pub async fn cluster_info(&self) -> Result<ClusterInfo, MQClientError> {
        self.asking()?.cluster_info().await
    }

    /// The figures of brokers, masters and slaves, by Java's names: `brokerVersionDesc`, `putTps`,
    /// `commitLogDiskRatio`, …. All values are texts; brokers of different versions have different ones. Request
    /// codes 106 and 28; Java: `MQAdminExt.fetchBrokerRuntimeStats`, `mqadmin brokerStatus`. Dropping the future
    /// has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let figures = admin.broker_runtime_info(&Brokers::All).await?;
    /// let (broker, table) = &figures.done[0];
    /// println!("{broker}: version {:?}", table.get("brokerVersionDesc"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` when the cluster or a broker does not exist; `NameServerUnreachable`; `FanOut` when no
    /// broker answered.
    pub async fn broker_runtime_info(
        &self,
        brokers: &Brokers,
    ) -> Result<Answers<Server, BTreeMap<String, String>>, MQClientError> {
        let servers = self.masters_and_slaves(brokers).await?;
        fan_out(servers, |server| async move {
            let address = self.dial_address(&server)?;
            Ok(self.asking()?.broker_runtime_info(&address).await?.table)
        })
        .await
        .any()
    }

    /// The members of a producer group that are connected, at each broker of a topic that the group sends to:
    /// none where a broker knows no such group. Request codes 105 and 204; Java:
    /// `MQAdminExt.examineProducerConnectionInfo`, `mqadmin producerConnection`, which asks one broker alone.
    /// Dropping the future has no effect.
    ///
    /// A producer is known to a broker from its first heartbeat on, which comes within a second of its first
    /// connection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// for (broker, members) in admin.producer_connections("docs", "TopicTest").await?.done {
    ///     println!("{broker} knows {} producers of the group", members.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`route`](Self::route); `FanOut` when no broker answered.
    pub async fn producer_connections(
        &self,
        group: &str,
        topic: &str,
    ) -> Result<Answers<Server, Vec<Connection>>, MQClientError> {
        let route = self.route(topic).await?;
        fan_out(readers(&route.broker_datas), |broker| async move {
            let address = self.dial_address(&broker)?;
            match self.asking()?.producer_connection(&address, group).await {
                Ok(connections) => Ok(connections.connection_set),
                Err(error) if is_no_such_group(&error) => Ok(Vec::new()),
                Err(error) => Err(error),
            }
        })
        .await
        .any()
    }

    /// The NameServers that this admin asks, as they were configured or the address server gave them; none before the
    /// start and after the shutdown of its client. Java: `MQAdminExt.getNameServerAddressList`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// assert_eq!(admin.name_servers(), [cluster.name_server_addr()]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn name_servers(&self) -> Vec<String> {
        self.name_server_addresses().iter().map(ToString::to_string).collect()
    }

    fn name_server_addresses(&self) -> Vec<Arc<str>> {
        self.instance().map(|instance| instance.api().name_servers().addresses()).unwrap_or_default()
    }

    pub(super) fn name_server_list(&self) -> Vec<Server> {
        self.name_server_addresses().into_iter().map(|address| Server::NameServer { address }).collect()
    }
}

/// Brokers answer code 1 (`SYSTEM_ERROR`); there is no dedicated code.
fn is_no_such_group(error: &MQClientError) -> bool {
    match error {
        MQClientError::Broker { code: ResponseCode::SYSTEM_ERROR, remark: Some(remark), .. } => {
            remark.starts_with("the producer group[") && remark.ends_with("] not exist")
        }
        _ => false,
    }
}
