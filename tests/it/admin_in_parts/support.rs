//! A cluster played by the test: a NameServer, and brokers that each answer from a script.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rocketmq::admin::{Answers, MQAdmin, Server};
use rocketmq::conf::{AddressTranslator, AdminOption};
use rocketmq::error::MQClientError;
use rocketmq_remoting::net::{ConnectionOptions, RequestHandler, Responder};
use rocketmq_remoting::protocol::body::{BrokerData, ClusterInfo, QueueData, TopicRouteData, encode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};
use rocketmq_remoting::server::RemotingServer;

/// What a peer answers to a request of which it has had so many before; `None` is silence.
pub(crate) type Script = fn(&RemotingCommand, usize) -> Option<RemotingCommand>;

pub(crate) fn ok(_: &RemotingCommand, _: usize) -> Option<RemotingCommand> {
    Some(RemotingCommand::response(ResponseCode::SUCCESS))
}

pub(crate) fn refusal(code: ResponseCode) -> Option<RemotingCommand> {
    Some(RemotingCommand::response(code).with_remark("no"))
}

/// A `Script`, or a closure of that form.
trait Answer: Fn(&RemotingCommand, usize) -> Option<RemotingCommand> + Send + Sync {}

impl<F: Fn(&RemotingCommand, usize) -> Option<RemotingCommand> + Send + Sync> Answer for F {}

/// A server that keeps what it was asked.
pub(crate) struct Peer {
    answer: Box<dyn Answer>,
    asked: Mutex<Vec<RemotingCommand>>,
}

impl Peer {
    async fn start(answer: impl Answer + 'static) -> (Arc<Self>, RemotingServer) {
        let peer = Arc::new(Self { answer: Box::new(answer), asked: Mutex::default() });
        let server = RemotingServer::bind("127.0.0.1:0", peer.clone(), ConnectionOptions::default()).await;
        (peer, server.unwrap())
    }

    /// The requests of one code that it got.
    pub(crate) fn asked(&self, code: RequestCode) -> Vec<RemotingCommand> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|request| request.request_code() == code).cloned().collect()
    }
}

impl RequestHandler for Peer {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let before = self.asked(request.request_code()).len();
        if let Some(answer) = (self.answer)(&request, before) {
            responder.answer_with(answer);
        }
        self.asked.lock().unwrap().push(request);
    }
}

/// A NameServer, an admin, and the brokers of `Cluster`, each with the topic `T` in two queues.
pub(crate) struct Cluster {
    pub(crate) admin: MQAdmin,
    pub(crate) name_server: Arc<Peer>,
    brokers: BTreeMap<String, Arc<Peer>>,
    _servers: Vec<RemotingServer>,
}

impl Cluster {
    /// Brokers by `name` (a master) or `name-id` (a slave).
    pub(crate) async fn start(scripts: &[(&str, Script)]) -> Self {
        Self::with(scripts, |_| {}).await
    }

    /// Likewise, at addresses that nobody can reach who does not translate them.
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
        let (mut info, mut brokers, mut servers) = (ClusterInfo::default(), BTreeMap::new(), Vec::new());
        for (key, script) in scripts {
            let (peer, server) = Peer::start(*script).await;
            let (name, id) = key.split_once('-').map_or((*key, 0), |(name, id)| (name, id.parse().unwrap()));
            let data = info.broker_addr_table.entry(name.to_owned()).or_default();
            (data.broker_name, data.cluster) = (name.to_owned(), "Cluster".to_owned());
            data.broker_addrs.insert(id, format!("{prefix}{}", server.local_addr()));
            brokers.insert((*key).to_owned(), peer);
            servers.push(server);
        }
        let names = info.broker_addr_table.keys().cloned().collect();
        info.cluster_addr_table.insert("Cluster".to_owned(), names);
        let (name_server, server) =
            Peer::start(move |request: &RemotingCommand, _| Some(name_server(&info, request))).await;
        option.set_name_server_addr(server.local_addr().to_string());
        servers.push(server);
        let admin = MQAdmin::with_option(&option).await.unwrap();
        Self { admin, name_server, brokers, _servers: servers }
    }

    /// How many requests of one code a broker got.
    pub(crate) fn count(&self, broker: &str, code: RequestCode) -> usize {
        self.brokers[broker].asked(code).len()
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
    let queues = |broker: &BrokerData| QueueData {
        broker_name: broker.broker_name.clone(),
        perm: 6,
        read_queue_nums: 2,
        write_queue_nums: 2,
        ..QueueData::default()
    };
    TopicRouteData {
        queue_datas: info.broker_addr_table.values().map(queues).collect(),
        broker_datas: info.broker_addr_table.values().cloned().collect(),
        ..TopicRouteData::default()
    }
}

/// The names of those that succeeded, and of those that failed with the error.
pub(crate) fn names<T>(answers: &Answers<Server, T>) -> (Vec<String>, Vec<(String, &MQClientError)>) {
    let name = |server: &Server| server.broker_name().unwrap_or("NameServer").to_owned();
    let failed = answers.failed.iter().map(|(server, error)| (name(server), error));
    (answers.done.iter().map(|(server, _)| name(server)).collect(), failed.collect())
}
