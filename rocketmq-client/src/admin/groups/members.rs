use std::collections::BTreeSet;
use std::time::Duration;

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{
    ConsumeMessageDirectlyResult, ConsumerConnection, ConsumerRunningInfo,
};
use rocketmq_remoting::protocol::header::ConsumeMessageDirectlyRequestHeader;

use crate::admin::answers::fan_out;
use crate::admin::{Answers, Brokers, MQAdmin, Server, invalid};
use crate::error::MQClientError;

/// How long a message that a member consumes on request may take: a broker waits 10 s for the member.
const DIRECTLY: Duration = Duration::from_secs(12);

impl MQAdmin {
    /// The members of a consumer group and its subscriptions, at each master of all clusters; `None` from a broker that no
    /// member is connected to. Request codes 106 and 203; Java: `MQAdminExt.examineConsumerConnectionInfo`, `mqadmin
    /// consumerConnection`, which asks only one broker. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, consumer::PullConsumer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 4)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PullConsumer::builder("billing").name_server_addr(name_servers).subscribe("Orders", "*").start().await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// for (broker, members) in admin.consumer_connections("billing").await?.done {
    ///     for member in members.iter().flat_map(|members| &members.connection_set) {
    ///         println!("{broker}: {} at {}", member.client_id, member.client_addr);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NameServerUnreachable`; `FanOut` if no broker answered.
    pub async fn consumer_connections(
        &self,
        group: &str,
    ) -> Result<Answers<Server, Option<ConsumerConnection>>, MQClientError> {
        fan_out(self.masters(&Brokers::All).await?, |master| async move {
            self.members_at(&self.dial_address(&master)?, group).await
        })
        .await
        .any()
    }

    /// The state of a member: its options, subscriptions, queues and rates. The request goes to a broker that the member is
    /// connected to, which asks it. Request codes 106, 203 and 307; Java: `MQAdminExt.getConsumerRunningInfo`, `mqadmin
    /// consumerStatus`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, consumer::PullConsumer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 4)?;
    /// # let name_servers = cluster.name_server_addr();
    /// # let consumer = PullConsumer::builder("billing").name_server_addr(name_servers).subscribe("Orders", "*").start().await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// # let connections = admin.consumer_connections("billing").await?;
    /// # let client_id = &connections.done[0].1.as_ref().unwrap().connection_set[0].client_id;
    /// let info = admin.consumer_running_info("billing", client_id).await?;
    /// for (queue, state) in info.mq_table {
    ///     println!("{queue}: {} cached", state.cached_msg_count);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if the group has no member with this id, with the ids of its members; `Broker` with code 207 if the member did not
    /// answer its broker within 10 s, and with code 1 if it refused; the errors of
    /// [`consumer_connections`](Self::consumer_connections).
    pub async fn consumer_running_info(
        &self,
        group: &str,
        client_id: &str,
    ) -> Result<ConsumerRunningInfo, MQClientError> {
        let connections = self.consumer_connections(group).await?;
        let knows = |(_, members): &&(Server, _)| client_ids(members).contains(client_id);
        if let Some((broker, _)) = connections.done.iter().find(knows) {
            return self.asking()?.consumer_running_info(&self.dial_address(broker)?, group, client_id).await;
        }
        if !connections.is_complete() {
            return Err(connections.into_error());
        }
        let known: BTreeSet<&str> = connections.done.iter().flat_map(|(_, one)| client_ids(one)).collect();
        let reason = match known.len() {
            0 => format!("group {group} has no member online"),
            _ => format!("group {group} has no member {client_id:?}, but: {}", list(known)),
        };
        Err(invalid("client id", reason))
    }

    /// Has a member of a group consume a stored message now, whatever its offsets are: its listener runs with the message, and
    /// nothing else changes. `msg_id` is an id of either kind. The broker that stored the message reads it and asks the
    /// member, and waits 10 s for its answer. Request codes 105, 12 or 33, and 309; Java:
    /// `MQAdminExt.consumeMessageDirectly`, `mqadmin queryMsgById -g -d`. Pull consumers have no listener and refuse.
    /// Dropping the future does not stop the listener.
    ///
    /// # Errors
    /// `InvalidArgument` if no broker has the message; `Broker` with code 1 if the member is not connected to the broker of the
    /// message, or refuses, and with code 207 if it took longer; the errors of [`message`](Self::message).
    pub async fn consume_message_directly(
        &self,
        group: &str,
        client_id: &str,
        topic: &str,
        msg_id: &str,
    ) -> Result<ConsumeMessageDirectlyResult, MQClientError> {
        let Some(message) = self.message(topic, msg_id).await? else {
            return Err(invalid("message id", format!("topic {topic} has no message {msg_id}")));
        };
        let instance = self.instance()?;
        let address = instance.dial_address(&message.store_host().to_string());
        let header = ConsumeMessageDirectlyRequestHeader {
            consumer_group: group.into(),
            client_id: Some(client_id.into()),
            msg_id: Some(message.offset_msg_id().into()),
            topic: Some(topic.into()),
            ..ConsumeMessageDirectlyRequestHeader::default()
        };
        let limit = instance.api().timeout().max(DIRECTLY);
        let consumed = instance.api().within(limit).consume_message_directly(&address, &header).await;
        consumed.map_err(|error| error.of_topic(topic))
    }

    /// The members of a group that one broker knows; `None` if there are none.
    pub(super) async fn members_at(
        &self,
        address: &str,
        group: &str,
    ) -> Result<Option<ConsumerConnection>, MQClientError> {
        match self.asking()?.consumer_connection(address, group).await {
            Ok(members) => Ok(Some(members).filter(|members| !members.connection_set.is_empty())),
            Err(error) if error.response_code() == Some(ResponseCode::CONSUMER_NOT_ONLINE) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An error if the group has members at these brokers: `what` says how they would undo the change.
    pub(super) async fn check_offline(
        &self,
        group: &str,
        brokers: Vec<Server>,
        what: &str,
    ) -> Result<(), MQClientError> {
        let members =
            fan_out(
                brokers,
                |broker| async move { self.members_at(&self.dial_address(&broker)?, group).await },
            );
        for (broker, members) in members.await.complete()? {
            let ids = client_ids(&members);
            if !ids.is_empty() {
                let (count, ids) = (ids.len(), list(ids));
                let reason =
                    format!("{group} has {count} members online at {broker}, {what}: stop {ids} first");
                return Err(invalid("group", reason));
            }
        }
        Ok(())
    }
}

/// The ids of members, each once.
pub(super) fn client_ids(members: &Option<ConsumerConnection>) -> BTreeSet<&str> {
    members.iter().flat_map(|members| &members.connection_set).map(|one| &*one.client_id).collect()
}

fn list<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    ids.into_iter().collect::<Vec<_>>().join(", ")
}
