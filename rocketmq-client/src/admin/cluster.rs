use std::collections::BTreeMap;
use std::sync::Arc;

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{ClusterInfo, Connection};

use super::answers::fan_out;
use super::brokers::readers;
use super::{Answers, Brokers, MQAdmin, Server};
use crate::error::MQClientError;

impl MQAdmin {
    /// All clusters and their brokers, from the first NameServer that answers. Request code 106; Java:
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
    /// `NameServerUnreachable` if no NameServer answered.
    pub async fn cluster_info(&self) -> Result<ClusterInfo, MQClientError> {
        self.asking()?.cluster_info().await
    }

    /// The run-time figures of brokers, masters and slaves, under Java's names: `brokerVersionDesc`, `putTps`,
    /// `commitLogDiskRatio`, …. All values are texts, and their set depends on the broker's version. Request codes 106
    /// and 28; Java: `MQAdminExt.fetchBrokerRuntimeStats`, `mqadmin brokerStatus`. Dropping the future has no effect.
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
    /// `InvalidArgument` if the cluster or a broker does not exist; `NameServerUnreachable`; `FanOut` if no broker
    /// answered.
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

    /// The connected members of a producer group, at each broker of a topic; an empty list from a broker that does not
    /// know the group. Request codes 105 and 204; Java: `MQAdminExt.examineProducerConnectionInfo`, `mqadmin
    /// producerConnection`, which asks only one broker. Dropping the future has no effect.
    ///
    /// A broker knows a producer after its first heartbeat, at most a second after its first connection.
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
    /// The errors of [`route`](Self::route); `FanOut` if no broker answered.
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

    /// The NameServers that this admin asks, from its options or from the address server; empty before the start and
    /// after the shutdown of its client. Java: `MQAdminExt.getNameServerAddressList`.
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
