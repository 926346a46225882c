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
    /// # Errors
    /// `NameServerUnreachable` when none answered.
    pub async fn cluster_info(&self) -> Result<ClusterInfo, MQClientError> {
        self.instance()?.api().cluster_info().await
    }

    /// The figures of brokers, masters and slaves, by Java's names: `brokerVersionDesc`, `putTps`,
    /// `commitLogDiskRatio`, …. All values are texts; brokers of different versions have different ones. Request
    /// codes 106 and 28; Java: `MQAdminExt.fetchBrokerRuntimeStats`, `mqadmin brokerStatus`. Dropping the future
    /// has no effect.
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
            Ok(self.instance()?.api().broker_runtime_info(&address).await?.table)
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
            match self.instance()?.api().producer_connection(&address, group).await {
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

/// Brokers have no code of its own for that: it is 1, as any failure.
fn is_no_such_group(error: &MQClientError) -> bool {
    match error {
        MQClientError::Broker { code: ResponseCode::SYSTEM_ERROR, remark: Some(remark), .. } => {
            remark.starts_with("the producer group[") && remark.ends_with("] not exist")
        }
        _ => false,
    }
}
