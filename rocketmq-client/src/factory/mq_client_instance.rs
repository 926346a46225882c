use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::net::TaskOwner;
use rocketmq_remoting::protocol::body::{HeartbeatData, ProducerData, TopicRouteData, encode_body};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::TopicPublishInfo;
use super::client_id::{client_id, local_ip};
use super::client_remoting_processor::{ClientRemotingProcessor, TransactionCheck};
use super::duties::{detect_reachable, refresh_routes, send_heartbeats};
use super::heartbeats::Heartbeats;
use super::pending_replies::{PendingReplies, PendingReply};
use super::remoting::remoting_client;
use super::route_table::RouteTable;
use crate::conf::{ClientConfig, NameServerSource};
use crate::error::{MQClientError, with_causes};
use crate::latency::MQFaultStrategy;
use crate::mq_client_api::MQClientApi;
use crate::name_servers::NameServers;
use crate::top_addressing::TopAddressing;

/// One client as the cluster sees it: an id, its connections, the routes it knows, its heartbeats.
/// Java: `MQClientInstance`. Each producer or admin has its own.
#[derive(Debug)]
pub(crate) struct MQClientInstance {
    client_id: String,
    ip: IpAddr,
    producer_group: Option<String>,
    api: Arc<MQClientApi>,
    routes: Arc<RouteTable>,
    tasks: TaskOwner,
    routes_wanted: Arc<Notify>,
    heartbeat_wanted: Arc<Notify>,
    /// None for clients that brokers need not know.
    heartbeats: Option<Arc<Heartbeats>>,
    replies: Arc<PendingReplies>,
}

/// What the instance is for.
#[derive(Debug, Default)]
pub(crate) struct Role {
    /// The group that heartbeats tell of.
    pub(crate) producer_group: Option<String>,
    /// How many queues a topic is taken to have that does not exist yet.
    pub(crate) default_topic_queue_nums: u32,
    /// Where brokers' questions about transactions go.
    pub(crate) transaction_checks: Option<mpsc::Sender<TransactionCheck>>,
}

impl MQClientInstance {
    /// Makes the instance, starts its background duties on the current runtime, and makes sure that a NameServer
    /// answers, unless it may come later.
    pub(crate) async fn start(config: ClientConfig, role: Role) -> Result<Self, MQClientError> {
        let retry_on_initial_connect = config.retry_on_initial_connect;
        let instance = Self::new(config, role).await?;
        if !retry_on_initial_connect {
            instance.check_name_servers().await?;
        }
        Ok(instance)
    }

    async fn new(config: ClientConfig, role: Role) -> Result<Self, MQClientError> {
        let no_runtime = |_| MQClientError::NoRuntime;
        // Before the first name look-up, which needs it.
        let tasks = TaskOwner::new().map_err(no_runtime)?;
        let (name_servers, top_addressing) = match config.name_servers.clone() {
            NameServerSource::Fixed(addresses) => (NameServers::new(addresses), None),
            NameServerSource::Http(url) => (NameServers::new(Vec::new()), Some(TopAddressing::new(url))),
        };
        if let Some(top_addressing) = &top_addressing {
            top_addressing.update(&name_servers).await;
        }
        let ip = local_ip(&name_servers.addresses()).await;
        let client_id = client_id(
            ip,
            config.client_ip.as_deref(),
            config.instance_name.as_deref(),
            config.unit_name.as_deref(),
        );
        let (heartbeat_wanted, replies) = (Arc::new(Notify::new()), Arc::new(PendingReplies::new()));
        let handler = Arc::new(ClientRemotingProcessor {
            heartbeat_wanted: heartbeat_wanted.clone(),
            replies: replies.clone(),
            checks: role.transaction_checks,
        });
        let remoting = remoting_client(&config, handler).await?;
        let api = Arc::new(MQClientApi::new(remoting, name_servers, config.api_timeout));
        if let Some(top_addressing) = top_addressing {
            tasks.spawn(top_addressing.keep_updating(api.clone()));
        }
        let translator = config.address_translator;
        let routes = Arc::new(RouteTable::new(api.clone(), translator, role.default_topic_queue_nums));

        let routes_wanted = Arc::new(Notify::new());
        let every = config.poll_name_server_interval;
        tasks.spawn(refresh_routes(routes.clone(), every, config.api_timeout, routes_wanted.clone()));
        let mut heartbeats = None;
        if let Some(group) = &role.producer_group {
            let beats = Arc::new(Heartbeats::new(api.clone(), heartbeat_data(&client_id, group)?));
            let (every, wanted) = (config.heartbeat_broker_interval, heartbeat_wanted.clone());
            tasks.spawn(send_heartbeats(beats.clone(), routes.clone(), tasks.clone(), every, wanted));
            heartbeats = Some(beats);
        }
        Ok(Self {
            client_id,
            ip,
            producer_group: role.producer_group,
            api,
            routes,
            tasks,
            routes_wanted,
            heartbeat_wanted,
            heartbeats,
            replies,
        })
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn api(&self) -> &Arc<MQClientApi> {
        &self.api
    }

    /// The queues to which messages of a topic can go, if they are known and there are any.
    pub(crate) fn known_route(&self, topic: &str) -> Option<Arc<TopicPublishInfo>> {
        self.routes.known(topic)
    }

    /// The queues to which messages of a topic can go.
    pub(crate) async fn find_route(
        &self,
        topic: &str,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<Arc<TopicPublishInfo>, MQClientError> {
        self.routes.find(topic, timeout, deadline).await
    }

    /// Makes sure that the route of a topic is as the NameServers had it after `since`; if they do not answer before
    /// `deadline`, it stays as it is.
    pub(crate) async fn refresh_route(&self, topic: &str, since: Instant, deadline: Instant) {
        self.routes.refresh_since(topic, since, deadline).await;
    }

    /// The route of a topic as the NameServers have it now.
    pub(crate) async fn topic_route(
        &self,
        topic: &str,
        deadline: Instant,
    ) -> Result<TopicRouteData, MQClientError> {
        self.api.topic_route(topic, deadline).await.map_err(|no_route| {
            let (answers, context) = (no_route.answers.into_boxed_slice(), Box::default());
            if !no_route.is_no {
                return MQClientError::NameServerUnreachable { answers, context };
            }
            let hint = "check the name of the topic";
            MQClientError::BrokerNotFound { topic: topic.into(), answers, hint, context }
        })
    }

    /// Where to read queues of a broker: its master, or else its slave with the smallest id.
    pub(crate) async fn read_address(
        &self,
        topic: &str,
        broker: &str,
        deadline: Instant,
    ) -> Result<Arc<str>, MQClientError> {
        let route = self.topic_route(topic, deadline).await?;
        let broker = route.broker_datas.iter().find(|data| data.broker_name == broker);
        let address = broker.and_then(|data| data.broker_addrs.values().next());
        address.map(|address| self.dial_address(address)).ok_or_else(|| MQClientError::BrokerNotFound {
            topic: topic.into(),
            answers: Box::default(),
            hint: "it has a route, but not on the broker of this queue: check the name of the broker",
            context: Box::default(),
        })
    }

    /// Where to dial a broker that advertises this address.
    pub(crate) fn dial_address(&self, advertised: &str) -> Arc<str> {
        self.routes.dial_address(advertised)
    }

    /// Asks for fresh routes soon: a broker behaved as if the known ones were old.
    pub(crate) fn want_fresh_routes(&self) {
        self.routes_wanted.notify_one();
    }

    /// Tells the brokers soon who this client is.
    pub(crate) fn want_heartbeat(&self) {
        self.heartbeat_wanted.notify_one();
    }

    /// Makes sure that the broker at this address can push to this client.
    pub(crate) async fn reach(&self, address: &Arc<str>, deadline: Instant) -> Result<(), MQClientError> {
        match &self.heartbeats {
            Some(heartbeats) => heartbeats.reach(address, deadline).await,
            None => Ok(()),
        }
    }

    /// [`reach`](Self::reach) for several brokers at once; each may fail.
    pub(crate) async fn reach_all(&self, addresses: Vec<Arc<str>>, deadline: Instant) {
        let mut left: Vec<_> =
            addresses.iter().map(|address| Box::pin(self.reach(address, deadline))).collect();
        let all = poll_fn(|cx| {
            left.retain_mut(|reaching| reaching.as_mut().poll(cx).is_pending());
            if left.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        });
        all.await;
    }

    /// A place for the reply to a request.
    pub(crate) fn wait_for_reply(&self, correlation_id: Arc<str>) -> PendingReply {
        self.replies.wait_for(correlation_id)
    }

    /// The tasks that are stopped and joined with this instance.
    pub(crate) fn tasks(&self) -> &TaskOwner {
        &self.tasks
    }

    /// Looks after brokers that could not be reached.
    pub(crate) fn start_detector(&self, faults: Arc<MQFaultStrategy>, every: Duration, limit: Duration) {
        self.tasks.spawn(detect_reachable(self.api.clone(), self.routes.clone(), faults, every, limit));
    }

    /// The local address towards the cluster.
    pub(crate) fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Fails unless at least one NameServer answers.
    async fn check_name_servers(&self) -> Result<(), MQClientError> {
        let topic = rocketmq_common::mix_all::AUTO_CREATE_TOPIC_KEY_TOPIC;
        match self.api.topic_route(topic, Instant::now() + self.api.timeout()).await {
            Err(no_route) if !no_route.is_no => Err(MQClientError::NameServerUnreachable {
                answers: no_route.answers.into_boxed_slice(),
                context: Box::default(),
            }),
            _ => Ok(()),
        }
    }

    /// Tells the brokers that this client leaves, closes its connections and joins its tasks, at most for
    /// `limit`. Returns the brokers that could not be told, and whether all tasks ended in time.
    pub(crate) async fn shutdown(&self, limit: Duration) -> (Vec<Arc<str>>, bool) {
        let deadline = Instant::now() + limit;
        self.replies.close();
        let stopped = self.tasks.shutdown(limit).await;
        let mut untold = Vec::new();
        if let Some(group) = &self.producer_group {
            for broker in self.routes.masters() {
                // A broker without a connection has forgotten this client, or never knew it.
                if self.api.remoting().connection(&broker).is_none() {
                    continue;
                }
                let left = deadline.saturating_duration_since(Instant::now());
                let told = self.api.unregister_producer(&broker, &self.client_id, group);
                match tokio::time::timeout(left, told).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::debug!(%broker, error = with_causes(&error), "cannot unregister");
                        untold.push(broker);
                    }
                    Err(_) => untold.push(broker),
                }
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let closed = self.api.remoting().shutdown(left).await;
        (untold, stopped && closed)
    }
}

impl Drop for MQClientInstance {
    fn drop(&mut self) {
        // The remoting client stops its own.
        self.tasks.stop();
    }
}

/// The body of a heartbeat.
fn heartbeat_data(client_id: &str, group: &str) -> Result<Bytes, MQClientError> {
    let data = HeartbeatData {
        client_id: client_id.into(),
        producer_data_set: vec![ProducerData { group_name: group.into() }],
        ..HeartbeatData::default()
    };
    encode_body(&data).map_err(|source| MQClientError::argument("client id or group", source))
}
