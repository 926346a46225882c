//! A cluster of scripted peers: a NameServer, and brokers that each answer from a script.

use std::collections::BTreeMap;

use rocketmq::admin::{Answers, MQAdmin, Server};
use rocketmq::conf::{AddressTranslator, AdminOption};
use rocketmq::error::MQClientError;
use rocketmq_remoting::protocol::body::{ClusterInfo, TopicRouteData, encode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};

use crate::peer::{Peer, Reply, queues};

/// The answer to a request, by the request and the number of earlier requests with its code. `None` is silence.
pub(crate) type Script = fn(&RemotingCommand, usize) -> Option<RemotingCommand>;

pub(crate) fn ok(_: &RemotingCommand, _: usize) -> Option<RemotingCommand> {
    Some(RemotingCommand::response(ResponseCode::SUCCESS))
}

pub(crate) fn refusal(code: ResponseCode) -> Option<RemotingCommand> {
    Some(RemotingCommand::response(code).with_remark("no"))
}

/// A NameServer, an admin, and the brokers of `Cluster`, each with the topic `T` in two queues.
pub(crate) struct Cluster {
    pub(crate) admin: MQAdmin,
    pub(crate) name_server: Peer,
    brokers: BTreeMap<String, Peer>,
}

impl Cluster {
    /// Brokers by `name` (a master) or `name-id` (a slave).
    pub(crate) async fn start(scripts: &[(&str, Script)]) -> Self {
        Self::with(scripts, |_| {}).await
    }

    /// Starts brokers at addresses that a client reaches only through its translator.
    pub(crate) async fn start_behind_translation(scripts: &[(&str, Script)]) -> Self {
        Self::with(scripts, |option| {
            let translate = |advertised: &str| advertised.strip_prefix("behind.").map(str::to_owned);
            option.set_address_translator(AddressTranslator::new(translate));
        })
        .await
    }

    async fn with(scripts: &[(&str, Script)], change: impl FnOnce(&mut AdminOption)) -> Self {
        let mut option = AdminOption::default();
        option.set_mq_client_api_timeout(300);
        change(&mut option);
        let prefix = if option.address_translator().is_some() { "behind." } else { "" };
        let (mut info, mut brokers) = (ClusterInfo::default(), BTreeMap::new());
        for (key, script) in scripts {
            let script = *script;
            let peer =
                Peer::start(move |request, before| script(request, before).map_or(Reply::Never, Reply::Now));
            let peer = peer.await;
            let (name, id) = key.split_once('-').map_or((*key, 0), |(name, id)| (name, id.parse().unwrap()));
            let data = info.broker_addr_table.entry(name.to_owned()).or_default();
            (data.broker_name, data.cluster) = (name.to_owned(), "Cluster".to_owned());
            data.broker_addrs.insert(id, format!("{prefix}{}", peer.address()));
            brokers.insert((*key).to_owned(), peer);
        }
        let names = info.broker_addr_table.keys().cloned().collect();
        info.cluster_addr_table.insert("Cluster".to_owned(), names);
        let name_server = Peer::start(move |request, _| Reply::Now(name_server(&info, request))).await;
        option.set_name_server_addr(name_server.address());
        let admin = MQAdmin::with_option(&option).await.unwrap();
        Self { admin, name_server, brokers }
    }

    /// The number of requests with this code that a broker got.
    pub(crate) fn count(&self, broker: &str, code: RequestCode) -> usize {
        self.brokers[broker].seen(code).len()
    }
}

fn name_server(info: &ClusterInfo, request: &RemotingCommand) -> RemotingCommand {
    let body = match request.request_code() {
        RequestCode::GET_BROKER_CLUSTER_INFO => encode_body(info).unwrap(),
        RequestCode::GET_ROUTEINFO_BY_TOPIC => encode_body(&route(info)).unwrap(),
        _ => bytes::Bytes::new(),
    };
    RemotingCommand::response(ResponseCode::SUCCESS).with_body(body)
}

fn route(info: &ClusterInfo) -> TopicRouteData {
    TopicRouteData {
        queue_datas: info.broker_addr_table.keys().map(|name| queues(name, 2, 6)).collect(),
        broker_datas: info.broker_addr_table.values().cloned().collect(),
        ..TopicRouteData::default()
    }
}

/// The names of the servers that succeeded, and the names and errors of the servers that failed.
pub(crate) fn names<T>(answers: &Answers<Server, T>) -> (Vec<String>, Vec<(String, &MQClientError)>) {
    let name = |server: &Server| server.broker_name().unwrap_or("NameServer").to_owned();
    let failed = answers.failed.iter().map(|(server, error)| (name(server), error));
    (answers.done.iter().map(|(server, _)| name(server)).collect(), failed.collect())
}
