use std::fmt;
use std::sync::Arc;

use rocketmq_common::mix_all;
use rocketmq_remoting::protocol::body::{BrokerData, ClusterInfo};

use super::{MQAdmin, invalid};
use crate::error::MQClientError;

/// The brokers that a method asks. `mqadmin`: the options `-c` and `-b`.
///
/// ```
/// use rocketmq_client::admin::Brokers;
///
/// assert_eq!(Brokers::cluster("DefaultCluster"), Brokers::Cluster("DefaultCluster".to_owned()));
/// assert_eq!(Brokers::named(["broker-a"]), Brokers::Named(vec!["broker-a".to_owned()]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Brokers {
    /// All brokers that the NameServer knows, of all clusters.
    All,
    /// The brokers of one cluster.
    Cluster(String),
    /// The brokers with these names.
    Named(Vec<String>),
}

impl Brokers {
    /// The brokers of one cluster.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self::Cluster(name.into())
    }

    /// The brokers with these names. Each name stands for a master and its slaves.
    pub fn named<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self::Named(names.into_iter().map(Into::into).collect())
    }

    /// The data of these brokers, in the order of their names.
    fn choose<'c>(&self, info: &'c ClusterInfo) -> Result<Vec<&'c BrokerData>, MQClientError> {
        let known = &info.broker_addr_table;
        match self {
            Brokers::All => Ok(known.values().collect()),
            Brokers::Cluster(cluster) => {
                let Some(names) = info.cluster_addr_table.get(cluster) else {
                    let clusters: Vec<&str> = info.cluster_addr_table.keys().map(String::as_str).collect();
                    let clusters = clusters.join(", ");
                    return Err(invalid("cluster", format!("there is no {cluster:?}, but: {clusters}")));
                };
                let mut brokers: Vec<&BrokerData> = names.iter().filter_map(|name| known.get(name)).collect();
                brokers.sort_by(|a, b| a.broker_name.cmp(&b.broker_name));
                Ok(brokers)
            }
            Brokers::Named(names) => {
                let mut names: Vec<&String> = names.iter().collect();
                names.sort_unstable();
                names.dedup();
                let find = |name: &String| {
                    known.get(name).ok_or_else(|| {
                        let brokers: Vec<&str> = known.keys().map(String::as_str).collect();
                        let brokers = brokers.join(", ");
                        invalid("broker", format!("there is no {name:?}, but: {brokers}"))
                    })
                };
                names.into_iter().map(find).collect()
            }
        }
    }
}

/// A server that was asked. Prints as `broker-a (master, 10.0.0.1:10911)` or `NameServer 10.0.0.1:9876`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Server {
    /// A broker.
    #[non_exhaustive]
    Broker {
        /// The name, which a master and its slaves share.
        name: Arc<str>,
        /// 0 is the master.
        id: i64,
        /// The advertised address; empty if there is none now.
        address: Arc<str>,
    },
    /// A NameServer.
    #[non_exhaustive]
    NameServer {
        /// Its address.
        address: Arc<str>,
    },
}

impl Server {
    fn broker(name: &str, id: i64, address: &str) -> Self {
        Server::Broker { name: name.into(), id, address: address.into() }
    }

    /// The master; its address is empty if there is no master.
    pub(super) fn master_of(broker: &BrokerData) -> Self {
        let address = broker.broker_addrs.get(&mix_all::MASTER_ID).map_or("", String::as_str);
        Self::broker(&broker.broker_name, mix_all::MASTER_ID, address)
    }

    /// The address.
    pub fn address(&self) -> &str {
        match self {
            Server::Broker { address, .. } | Server::NameServer { address } => address,
        }
    }

    /// The name of a broker.
    pub fn broker_name(&self) -> Option<&str> {
        match self {
            Server::Broker { name, .. } => Some(name),
            Server::NameServer { .. } => None,
        }
    }

    /// Whether it is the master of a broker.
    pub fn is_master(&self) -> bool {
        matches!(self, Server::Broker { id: mix_all::MASTER_ID, .. })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Broker { name, id: mix_all::MASTER_ID, address } => {
                write!(f, "{name} (master, {address})")
            }
            Server::Broker { name, id, address } => write!(f, "{name} (slave {id}, {address})"),
            Server::NameServer { address } => write!(f, "NameServer {address}"),
        }
    }
}

impl MQAdmin {
    /// The masters of these brokers. A broker without a master has one with an empty address.
    pub(super) async fn masters(&self, brokers: &Brokers) -> Result<Vec<Server>, MQClientError> {
        let info = self.asking()?.cluster_info().await?;
        Ok(brokers.choose(&info)?.into_iter().map(Server::master_of).collect())
    }

    /// The masters and slaves of these brokers.
    pub(super) async fn masters_and_slaves(&self, brokers: &Brokers) -> Result<Vec<Server>, MQClientError> {
        let info = self.asking()?.cluster_info().await?;
        Ok(brokers.choose(&info)?.into_iter().flat_map(members).collect())
    }

    /// The address to dial for a server.
    pub(super) fn dial_address(&self, server: &Server) -> Result<Arc<str>, MQClientError> {
        match server {
            Server::Broker { name, address, .. } if address.is_empty() => {
                Err(MQClientError::NoMaster { broker: name.clone() })
            }
            Server::Broker { address, .. } => Ok(self.instance()?.dial_address(address)),
            Server::NameServer { address } => Ok(address.clone()),
        }
    }
}

/// The server of each broker to read from: its master, or else the slave with the smallest id.
pub(super) fn readers(brokers: &[BrokerData]) -> Vec<Server> {
    let mut readers: Vec<Server> = brokers.iter().filter_map(|broker| members(broker).next()).collect();
    readers.sort_unstable();
    readers.dedup();
    readers
}

/// A master and its slaves, in this order.
fn members(broker: &BrokerData) -> impl Iterator<Item = Server> {
    broker.broker_addrs.iter().map(|(id, address)| Server::broker(&broker.broker_name, *id, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> ClusterInfo {
        let mut info = ClusterInfo::default();
        for (cluster, name, ids) in
            [("C1", "b", &[0, 2, 1][..]), ("C1", "a", &[1]), ("C2", "c", &[0]), ("C2", "a2", &[0])]
        {
            let broker = BrokerData {
                cluster: cluster.to_owned(),
                broker_name: name.to_owned(),
                broker_addrs: ids.iter().map(|id| (*id, format!("{name}-{id}:10911"))).collect(),
                ..BrokerData::default()
            };
            info.broker_addr_table.insert(name.to_owned(), broker);
            info.cluster_addr_table.entry(cluster.to_owned()).or_default().push(name.to_owned());
        }
        info
    }

    fn chosen(brokers: &Brokers) -> Result<String, String> {
        let info = info();
        let chosen = brokers.choose(&info).map_err(|error| error.to_string())?;
        Ok(chosen.iter().map(|data| data.broker_name.as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn brokers_are_those_of_a_cluster_those_named_or_all() {
        assert_eq!(chosen(&Brokers::All), Ok("a a2 b c".to_owned()));
        assert_eq!(chosen(&Brokers::cluster("C1")), Ok("a b".to_owned()));
        assert_eq!(chosen(&Brokers::named(["c", "b", "c"])), Ok("b c".to_owned()));
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = chosen(&Brokers::cluster("C3"));
        assert_eq!(error, Err("invalid cluster: there is no \"C3\", but: C1, C2".to_owned()));
        let error = chosen(&Brokers::named(["b", "x"]));
        assert_eq!(error, Err("invalid broker: there is no \"x\", but: a, a2, b, c".to_owned()));
    }

    #[test]
    fn the_master_is_read_from_or_else_the_first_slave() {
        let brokers: Vec<BrokerData> = info().broker_addr_table.into_values().collect();
        let readers: Vec<String> = readers(&brokers).iter().map(ToString::to_string).collect();
        assert_eq!(
            readers,
            [
                "a (slave 1, a-1:10911)",
                "a2 (master, a2-0:10911)",
                "b (master, b-0:10911)",
                "c (master, c-0:10911)"
            ]
        );
        let without_master = Server::master_of(&brokers[0]);
        assert_eq!((without_master.address(), without_master.is_master()), ("", true));
        let members: Vec<i64> = members(&brokers[2]).map(|server| i64::from(!server.is_master())).collect();
        assert_eq!(members, [0, 1, 1]);
    }
}
