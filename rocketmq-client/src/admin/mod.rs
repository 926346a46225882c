//! Administration: topics, routes, stored messages, offsets, consumer groups, and members of a cluster.
//!
//! Each request to a server has the limit
//! [`mq_client_api_timeout`](crate::conf::AdminOption::mq_client_api_timeout) (3 s), including dialling. A method that
//! asks several servers or queues asks up to 16 at a time and returns each result in [`Answers`]; it fails only if all
//! fail. Dropping the future of a reading method has no effect; methods that write document the effect.
//!
//! | to find | look in |
//! |---|---|
//! | topics: create, describe, delete, routes | [`MQAdmin::create_topic`], [`MQAdmin::describe_topic`], [`MQAdmin::route`] |
//! | stored messages by id or key | [`MQAdmin::message`], [`MQAdmin::query_message`] |
//! | messages of a queue, without a consumer group | [`MQAdmin::pull`], [`MQAdmin::read_queue`] and [`QueueStream`] |
//! | offsets of queues and of groups | [`MQAdmin::max_offsets`], [`MQAdmin::search_offsets`], [`MQAdmin::consumer_offsets`] |
//! | consumer groups: settings, members, who consumes a topic | [`MQAdmin::describe_group`], [`MQAdmin::subscription_groups`], [`MQAdmin::topic_consumed_by`] |
//! | whether a group pulls a topic or pops it | [`MQAdmin::set_message_request_mode`] |
//! | how far a group is, by queue and member | [`MQAdmin::consumer_progress`] |
//! | a group that moves to other offsets: first a plan, then the reset | [`MQAdmin::plan_offset_reset`], [`MQAdmin::reset_offsets`], [`MQAdmin::clone_group_offset`] |
//! | one member: its state, and a message that it consumes on request | [`MQAdmin::consumer_running_info`], [`MQAdmin::consume_message_directly`] |
//! | dead letters: count, read, send once more | [`MQAdmin::count_dead_letters`], [`MQAdmin::dead_letter_queues`], [`MQAdmin::resend_dead_letter`] |
//! | brokers and producers | [`MQAdmin::cluster_info`], [`MQAdmin::broker_runtime_info`], [`MQAdmin::producer_connections`] |

mod answers;
mod brokers;
mod cluster;
mod groups;
mod messages;
mod modes;
mod offsets;
mod order;
mod position;
mod pull;
mod queue_stream;
mod routes;
mod topic_config;
mod topics;

pub use rocketmq_common::PermName;
pub use rocketmq_remoting::protocol::body::{
    BrokerData, CMResult, ClusterInfo, Connection, ConsumeMessageDirectlyResult, ConsumerConnection,
    MessageRequestMode, QueueData, SubscriptionGroupConfig, TopicQueueMappingInfo, TopicRouteData,
};
pub use rocketmq_remoting::protocol::header::BoundaryType;

pub use answers::Answers;
pub use brokers::{Brokers, Server};
pub use groups::{
    ConsumerProgress, DLQ_RESEND_TIMES, GroupOnBroker, Keep, OffsetResetPlan, QueueProgress, QueueReset,
    ResendTo, Resent,
};
pub use messages::QueryResult;
pub use position::QueuePosition;
pub use pull::{PullResult, PullStatus};
pub use queue_stream::QueueStream;
pub use topic_config::TopicConfig;
pub use topics::{QueueStats, TopicOnBroker};

use crate::client::MQClient;
use crate::conf::AdminOption;
use crate::error::MQClientError;
use crate::factory::MQClientInstance;
use crate::mq_client_api::Asking;

/// Inspects a cluster and changes its topics, like `mqadmin`. Java: `DefaultMQAdminExt`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use rocketmq_client::{admin::MQAdmin, model::Message, producer::Producer};
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
/// # let sent = producer.send(Message::new("TopicTest", "hello")).await?;
/// let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
/// let message = admin.view_message(&sent.offset_msg_id).await?;
/// assert_eq!(&message.body()[..], b"hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MQAdmin {
    client: MQClient,
}

impl MQClient {
    /// An admin of this client. Its methods fail with `NotStarted` before the client is started and with `ShutDown`
    /// after its shutdown. An admin uses the full names of topics and groups, even if the client has a namespace.
    pub fn admin(&self) -> MQAdmin {
        MQAdmin { client: self.clone() }
    }
}

impl MQAdmin {
    /// Makes an admin for the cluster behind these NameServers (`host:port;host:port`), with default options. Dropping
    /// the admin closes its connections.
    ///
    /// # Errors
    /// `InvalidOption`, `NameServerUnreachable` or `NoRuntime`.
    pub async fn connect(name_server_addr: impl Into<String>) -> Result<Self, MQClientError> {
        let mut option = AdminOption::default();
        option.set_name_server_addr(name_server_addr);
        Self::with_option(&option).await
    }

    /// Makes an admin with these options. An admin uses the full names of topics and groups, so the option `namespace`
    /// is refused.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// use rocketmq_client::conf::AdminOption;
    ///
    /// let mut option = AdminOption::default();
    /// option.set_name_server_addr(cluster.name_server_addr()).set_mq_client_api_timeout(1_000);
    /// let admin = MQAdmin::with_option(&option).await?;
    /// assert_eq!(admin.name_servers().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`connect`](Self::connect).
    pub async fn with_option(option: &AdminOption) -> Result<Self, MQClientError> {
        if option.namespace().is_some() {
            return Err(MQClientError::InvalidOption {
                option: "namespace",
                reason: "an admin needs the full names of topics and groups: namespace%name".to_owned(),
            });
        }
        let client = MQClient::new(option.clone());
        client.start().await?;
        Ok(client.admin())
    }

    fn asking(&self) -> Result<Asking<'_>, MQClientError> {
        Ok(self.instance()?.api().asking())
    }

    fn instance(&self) -> Result<&MQClientInstance, MQClientError> {
        Ok(self.client.running()?)
    }
}

fn invalid(
    argument: &'static str,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> MQClientError {
    MQClientError::argument(argument, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send<T: Send>(_: T) {}

    /// Compiles only if tasks of any runtime can await each method.
    #[allow(dead_code, reason = "never called")]
    fn futures_are_send(
        admin: &MQAdmin,
        config: &TopicConfig,
        queue: &rocketmq_common::MessageQueue,
        plan: &OffsetResetPlan,
        letter: &rocketmq_common::MessageExt,
    ) {
        assert_send(admin.create_topic(config, &Brokers::All));
        assert_send(admin.delete_topic("T", "C"));
        assert_send(admin.describe_topic("T"));
        assert_send(admin.message("T", "id"));
        assert_send(admin.query_message("T", "key", 1, 0..));
        assert_send(admin.max_offsets("T"));
        assert_send(admin.search_offsets("T", 0, BoundaryType::Lower));
        assert_send(admin.consumer_offsets("G", "T"));
        assert_send(admin.broker_runtime_info(&Brokers::All));
        assert_send(admin.producer_connections("G", "T"));
        assert_send(admin.read_queue(queue, QueuePosition::Begin, None));
        assert_send(admin.read_queue(queue, QueuePosition::Begin, None).next());
        assert_send(admin.create_subscription_group(&SubscriptionGroupConfig::new("G"), &Brokers::All));
        assert_send(admin.delete_subscription_group("G", "C", Keep::Nothing));
        assert_send(admin.describe_group("G"));
        assert_send(admin.consumer_progress("G"));
        assert_send(admin.consumer_running_info("G", "id"));
        assert_send(admin.consume_message_directly("G", "id", "T", "id"));
        assert_send(admin.plan_queue_reset("G", queue, QueuePosition::End));
        assert_send(admin.reset_offsets(plan));
        assert_send(admin.clone_group_offset("G", "H", "T"));
        assert_send(admin.count_dead_letters("G"));
        assert_send(admin.resend_dead_letter(letter, ResendTo::RetryTopic, 1));
    }

    #[tokio::test]
    async fn a_namespace_is_refused_rather_than_ignored() {
        let mut option = AdminOption::default();
        option.set_name_server_addr("127.0.0.1:1").set_namespace("ns");
        let error = MQAdmin::with_option(&option).await.unwrap_err();
        assert!(matches!(error, MQClientError::InvalidOption { option: "namespace", .. }), "{error}");
    }
}
