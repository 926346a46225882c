use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::TaskOwner;
use rocketmq_remoting::protocol::RequestCode;
use rocketmq_remoting::protocol::body::{ConsumerData, TopicRouteData};
use tokio::sync::{Notify, broadcast, oneshot};
use tokio::time::Instant;

use super::client_id::{check_runtime, client_id, local_ip};
use super::client_remoting_processor::ClientRemotingProcessor;
use super::duties::{refresh_routes, send_heartbeats};
use super::groups::{Groups, Handlers, Membership};
use super::heartbeats::Heartbeats;
use super::own_thread::OwnThread;
use super::pending_replies::{PendingReplies, PendingReply};
use super::remoting::remoting_client;
use super::route_table::{Missing, RouteTable};
use super::{PublishRoutes, TopicSubscribeInfo};
use crate::conf::{ClientConfig, NameServerSource};
use crate::error::MQClientError;
use crate::mq_client_api::MQClientApi;
use crate::name_servers::NameServers;
use crate::top_addressing::TopAddressing;
use crate::waiting;

/// The core of a client: its id, its connections, its routes, its groups and their heartbeats. Java:
/// `MQClientInstance`. Any number of producers, consumers and admins share it.
#[derive(Debug)]
pub(crate) struct MQClientInstance {
    client_id: Arc<str>,
    ip: IpAddr,
    api: Arc<MQClientApi>,
    routes: Arc<RouteTable>,
    groups: Arc<Groups>,
    heartbeats: Arc<Heartbeats>,
    replies: Arc<PendingReplies>,
    tasks: TaskOwner,
    routes_wanted: Arc<Notify>,
    heartbeat_wanted: Arc<Notify>,
    /// The thread on which the tasks run, if the option `own_thread` is set.
    own_thread: Option<OwnThread>,
}

impl MQClientInstance {
    /// Makes the core and starts its background duties, on the current runtime or on a thread of their own. Makes sure
    /// that a NameServer answers, unless the options allow a start without NameServers.
    pub(crate) async fn start(config: ClientConfig) -> Result<Self, MQClientError> {
        check_runtime(config.transport.is_none())?;
        if !config.own_thread {
            return Self::start_here(config).await;
        }
        let thread = OwnThread::start()?;
        let (started, instance) = oneshot::channel();
        let starting = thread.tasks()?;
        starting.spawn(async move {
            // If the start was given up, the receiver is gone: the instance is dropped here, which stops it.
            let _ = started.send(Self::start_here(config).await);
        });
        // No answer: the thread ended, which happens only at the end of the process.
        let mut instance = instance.await.map_err(|_| MQClientError::NoRuntime)??;
        instance.own_thread = Some(thread);
        Ok(instance)
    }

    async fn start_here(config: ClientConfig) -> Result<Self, MQClientError> {
        let retry_on_initial_connect = config.retry_on_initial_connect;
        let instance = Self::new(config).await?;
        if !retry_on_initial_connect {
            instance.check_name_servers().await?;
        }
        Ok(instance)
    }

    async fn new(config: ClientConfig) -> Result<Self, MQClientError> {
        // First: the name look-up below needs a runtime.
        let tasks = TaskOwner::new().map_err(|_| MQClientError::NoRuntime)?;
        let (name_servers, top_addressing) = match config.name_servers.clone() {
            NameServerSource::Fixed(addresses) => (NameServers::new(addresses), None),
            NameServerSource::Http(url) => (NameServers::new(Vec::new()), Some(TopAddressing::new(url))),
        };
        if let Some(top_addressing) = &top_addressing {
            top_addressing.update(&name_servers).await;
        }
        let ip = local_ip(&name_servers.addresses()).await;
        let client_id: Arc<str> = client_id(
            ip,
            config.client_ip.as_deref(),
            config.instance_name.as_deref(),
            config.unit_name.as_deref(),
        )
        .into();
        let (groups, replies) = (Arc::new(Groups::default()), Arc::new(PendingReplies::new()));
        let heartbeat_wanted = Arc::new(Notify::new());
        let handler = Arc::new(ClientRemotingProcessor {
            heartbeat_wanted: heartbeat_wanted.clone(),
            groups: groups.clone(),
            of_client: vec![(RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT, replies.clone())],
        });
        let remoting = remoting_client(&config, handler).await?;
        let api = Arc::new(MQClientApi::new(remoting, name_servers, config.api_timeout));
        if let Some(top_addressing) = top_addressing {
            tasks.spawn(top_addressing.keep_updating(api.clone()));
        }
        let instance = Self {
            routes: Arc::new(RouteTable::new(api.clone(), config.address_translator.clone())),
            heartbeats: Arc::new(Heartbeats::new(api.clone(), client_id.clone(), groups.clone())),
            client_id,
            ip,
            api,
            groups,
            replies,
            tasks,
            routes_wanted: Arc::new(Notify::new()),
            heartbeat_wanted,
            own_thread: None,
        };
        instance.start_duties(&config);
        Ok(instance)
    }

    fn start_duties(&self, config: &ClientConfig) {
        let (every, limit) = (config.poll_name_server_interval, config.api_timeout);
        let wanted = self.routes_wanted.clone();
        self.tasks.spawn(refresh_routes(self.routes.clone(), every, limit, wanted));
        let (every, wanted) = (config.heartbeat_broker_interval, self.heartbeat_wanted.clone());
        let (heartbeats, routes) = (self.heartbeats.clone(), self.routes.clone());
        self.tasks.spawn(send_heartbeats(heartbeats, routes, self.tasks.clone(), every, wanted));
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn api(&self) -> &Arc<MQClientApi> {
        &self.api
    }

    /// Adds a producer group to this client. A heartbeat tells the brokers soon, and each broker before it must push.
    pub(crate) fn join_producer_group(
        &self,
        group: Arc<str>,
        handlers: Handlers,
    ) -> Result<Membership, MQClientError> {
        let membership = self.groups.register_producer(group, handlers)?;
        self.want_heartbeat();
        Ok(membership)
    }

    /// Makes this client a member of a consumer group. Brokers are told soon, and each before it is pulled from.
    pub(crate) fn join_consumer_group(
        &self,
        data: ConsumerData,
        handlers: Handlers,
    ) -> Result<Membership, MQClientError> {
        let membership = self.groups.register_consumer(data, handlers)?;
        self.want_heartbeat();
        Ok(membership)
    }

    /// Grows whenever brokers have to be told of a group or of a subscription.
    pub(crate) fn groups_version(&self) -> u64 {
        self.groups.version()
    }

    /// Removes a group from this client. Returns the brokers that could not be told before the deadline.
    pub(crate) async fn leave_group(&self, membership: &Membership, deadline: Instant) -> Vec<Arc<str>> {
        self.heartbeats.leave(membership, deadline).await
    }

    /// A producer's view of the routes.
    pub(crate) fn publish_routes(&self, default_topic_queue_nums: u32) -> PublishRoutes {
        PublishRoutes::new(self.routes.clone(), default_topic_queue_nums)
    }

    /// Makes sure that the route of a topic was looked up after `since`. If no NameServer answers before `deadline`,
    /// the known route stays.
    pub(crate) async fn refresh_route(&self, topic: &str, since: Instant, deadline: Instant) {
        self.routes.refresh_since(topic, since, deadline).await;
    }

    /// Looks the route of a topic up at the NameServers, past the cache.
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

    /// The readable queues of a topic and their servers, looked up at the NameServers, past the cache.
    pub(crate) async fn subscribe_info(
        &self,
        topic: &str,
        deadline: Instant,
    ) -> Result<TopicSubscribeInfo, MQClientError> {
        let route = self.topic_route(topic, deadline).await?;
        Ok(TopicSubscribeInfo::of_topic(topic, &route, self.routes.translator()))
    }

    /// The queues of a topic as a consumer sees them, if its route is known. Asks nothing.
    pub(crate) fn known_subscribe_info(&self, topic: &str) -> Option<TopicSubscribeInfo> {
        let (topic, route) = self.routes.get(topic)?;
        (!route.is_template)
            .then(|| TopicSubscribeInfo::of_topic(&topic, &route.data, self.routes.translator()))
    }

    /// The same, looked up where it is not known. From then on the route is looked at again regularly.
    pub(crate) async fn find_subscribe_info(
        &self,
        topic: &str,
        timeout: Duration,
        deadline: Instant,
    ) -> Result<TopicSubscribeInfo, MQClientError> {
        let known = || self.known_subscribe_info(topic);
        match known() {
            Some(info) => Ok(info),
            None => self.routes.find(topic, Missing::IsError, timeout, deadline, known).await,
        }
    }

    /// Another number whenever any route changed.
    pub(crate) fn routes_version(&self) -> u64 {
        self.routes.version()
    }

    /// The NameServer that gave the known route of a topic last, and when.
    pub(crate) fn route_source(&self, topic: &str) -> Option<(Arc<str>, Instant)> {
        Some(self.routes.get(topic)?.1.confirmed())
    }

    /// Tells a broker who this client is, whether it knows or not.
    pub(crate) async fn tell(&self, address: &Arc<str>) -> Result<(), RemotingError> {
        self.heartbeats.send(address).await
    }

    /// The topics whose routes change from now on.
    pub(crate) fn route_changes(&self) -> broadcast::Receiver<Arc<str>> {
        self.routes.changes()
    }

    /// The address from which to read queues of a broker: its master, or else the slave with the smallest id.
    pub(crate) async fn read_address(
        &self,
        topic: &str,
        broker: &str,
        deadline: Instant,
    ) -> Result<Arc<str>, MQClientError> {
        let info = self.subscribe_info(topic, deadline).await?;
        info.reader(broker).cloned().ok_or_else(|| MQClientError::BrokerNotFound {
            topic: topic.into(),
            answers: Box::default(),
            hint: "it has a route, but not on the broker of this queue: check the name of the broker",
            context: Box::default(),
        })
    }

    /// The address to dial for an advertised address.
    pub(crate) fn dial_address(&self, advertised: &str) -> Arc<str> {
        self.routes.dial_address(advertised)
    }

    /// Asks for a look-up of all routes soon: a broker's answer hints at old routes.
    pub(crate) fn want_fresh_routes(&self) {
        self.routes_wanted.notify_one();
    }

    /// Asks for heartbeats to all brokers soon.
    pub(crate) fn want_heartbeat(&self) {
        self.heartbeat_wanted.notify_one();
    }

    /// Makes sure that a broker knows all groups of this client, so that it can push to them.
    pub(crate) async fn reach(&self, address: &Arc<str>, deadline: Instant) -> Result<(), MQClientError> {
        self.heartbeats.reach(address, deadline).await
    }

    /// See [`Heartbeats::knows_one_connection`].
    pub(crate) async fn knows_one_connection(&self, broker: &Arc<str>) -> bool {
        self.heartbeats.knows_one_connection(broker).await
    }

    /// Whether a broker knows all groups of this client on the connection that is open.
    pub(crate) fn is_known_to(&self, address: &Arc<str>) -> bool {
        self.heartbeats.is_known_to(address)
    }

    /// Like [`reach`](Self::reach), for several brokers at once; each may fail.
    pub(crate) async fn reach_all(&self, addresses: Vec<Arc<str>>, deadline: Instant) {
        waiting::all(addresses.iter().map(|address| self.reach(address, deadline))).await;
    }

    /// Registers a request that waits for a reply.
    pub(crate) fn wait_for_reply(&self, correlation_id: Arc<str>) -> PendingReply {
        self.replies.wait_for(correlation_id)
    }

    /// The runtime of the connections; `None` if they have a thread of their own.
    pub(crate) fn home(&self) -> Option<tokio::runtime::Id> {
        self.own_thread.is_none().then(|| self.tasks.runtime())
    }

    /// A second owner of tasks on this core's runtime, for a producer that ends before the core.
    pub(crate) fn more_tasks(&self) -> TaskOwner {
        self.tasks.sibling()
    }

    /// Any writable queue of a broker, and the address of the broker's master.
    pub(crate) fn a_queue_of(&self, broker: &str) -> Option<(MessageQueue, Arc<str>)> {
        self.routes.a_queue_of(broker)
    }

    /// The local address in the network of the cluster.
    pub(crate) fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Fails if no NameServer answers.
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

    /// Closes the connections and joins the tasks within `limit`. Returns whether all tasks ended in time.
    pub(crate) async fn shutdown(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        self.replies.close();
        let stopped = self.tasks.shutdown(limit).await;
        let left = deadline.saturating_duration_since(Instant::now());
        let closed = self.api.remoting().shutdown(left).await;
        let left = deadline.saturating_duration_since(Instant::now());
        let joined = match &self.own_thread {
            Some(thread) => thread.join(left).await,
            None => true,
        };
        stopped && closed && joined
    }
}

impl Drop for MQClientInstance {
    fn drop(&mut self) {
        // Only the core's own tasks: dropping the remoting client stops its tasks.
        self.tasks.stop();
    }
}
