use rocketmq_common::mix_all::{dlq_topic, retry_topic};
use rocketmq_common::validators;
use rocketmq_remoting::protocol::body::{ConsumerConnection, SubscriptionGroupConfig};

use crate::admin::answers::fan_out;
use crate::admin::brokers::readers;
use crate::admin::{Answers, Brokers, MQAdmin, Server, invalid};
use crate::error::MQClientError;

/// A consumer group on one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupOnBroker {
    /// Its settings; `None` if the broker does not have the group.
    pub config: Option<SubscriptionGroupConfig>,
    /// Its members with their connections, and its subscriptions; `None` if no member is connected to the broker.
    pub members: Option<ConsumerConnection>,
}

/// The parts of a deleted consumer group that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keep {
    /// Only the settings go. A group of this name goes on at the committed offsets. A broker with
    /// `autoCreateSubscriptionGroup` (the default) may make the group again at once, with default settings.
    OffsetsAndTopics,
    /// The committed offsets go too. `%RETRY%group` and `%DLQ%group` stay, with their messages.
    Topics,
    /// The topic `%RETRY%group` goes too: messages that wait for a retry are lost. `%DLQ%group` stays.
    DeadLetters,
    /// `%DLQ%group` goes too, with all dead letters.
    Nothing,
}

impl MQAdmin {
    /// Creates a consumer group on the masters of these brokers, or changes its settings there. Request codes 106 and 200;
    /// Java: `MQAdminExt.createAndUpdateSubscriptionGroupConfig`, `mqadmin updateSubGroup`. Dropping the future leaves the
    /// group on the brokers told so far.
    ///
    /// Sets all settings, except attributes that are not named. The name of an attribute sets it, with a minus sign in front
    /// takes it off.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::admin::*;
    /// # let mock = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let admin = MQAdmin::connect(mock.name_server_addr()).await?;
    /// let mut billing = SubscriptionGroupConfig::new("billing");
    /// billing.retry_max_times = 3;
    /// admin.create_subscription_group(&billing, &Brokers::All).await?.into_complete()?;
    /// let described = admin.describe_group("billing").await?;
    /// assert_eq!(described.done[0].1.config.as_ref().map(|config| config.retry_max_times), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for an invalid name, and for no retry queues: a broker would drop each message that fails. Also if the
    /// cluster or a broker does not exist. `NameServerUnreachable`; `FanOut` if no master succeeded.
    pub async fn create_subscription_group(
        &self,
        config: &SubscriptionGroupConfig,
        brokers: &Brokers,
    ) -> Result<Answers<Server, ()>, MQClientError> {
        let config = &for_wire(config)?;
        fan_out(self.masters(brokers).await?, |master| async move {
            self.asking()?.update_subscription_group(&self.dial_address(&master)?, config).await
        })
        .await
        .any()
    }

    /// Deletes a consumer group on the masters of a cluster, and what `keep` does not keep. Request codes 106, 203 and 207;
    /// 215, 216 and 102 for topics. Java: `MQAdminExt.deleteSubscriptionGroup`, `mqadmin deleteSubGroup`, which keeps nothing.
    ///
    /// Deleting a missing group is no error. Dropping the future stops half-way: call it again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::admin::*;
    /// # let mock = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let admin = MQAdmin::connect(mock.name_server_addr()).await?;
    /// # admin.create_subscription_group(&SubscriptionGroupConfig::new("billing"), &Brokers::All).await?;
    /// let keep = Keep::DeadLetters;
    /// admin.delete_subscription_group("billing", "DefaultCluster", keep).await?.into_complete()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if the cluster does not exist, or the group has members online: their next heartbeat would make it
    /// again. Nothing is deleted then. `NameServerUnreachable`; `FanOut` if no broker succeeded, or if a broker does not say
    /// whether members are online.
    pub async fn delete_subscription_group(
        &self,
        group: &str,
        cluster: &str,
        keep: Keep,
    ) -> Result<Answers<Server, ()>, MQClientError> {
        let masters = self.masters(&Brokers::cluster(cluster)).await?;
        self.check_offline(group, masters.clone(), "whose heartbeats would make it again").await?;
        let clean_offset = keep != Keep::OffsetsAndTopics;
        let deleted = fan_out(masters, |master| async move {
            let address = self.dial_address(&master)?;
            self.asking()?.delete_subscription_group(&address, group, clean_offset).await
        });
        let mut deleted = deleted.await.any()?;
        if matches!(keep, Keep::DeadLetters | Keep::Nothing) {
            deleted = deleted.and(self.delete_topic(&retry_topic(group), cluster).await?);
        }
        if keep == Keep::Nothing {
            deleted = deleted.and(self.delete_topic(&dlq_topic(group), cluster).await?);
        }
        Ok(deleted)
    }

    /// All consumer groups of the masters of these brokers, with their settings, sorted by name. Request codes 106 and 201;
    /// Java: `MQAdminExt.getAllSubscriptionGroup`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::admin::*;
    /// # let mock = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let admin = MQAdmin::connect(mock.name_server_addr()).await?;
    /// for (broker, groups) in admin.subscription_groups(&Brokers::All).await?.done {
    ///     println!("{broker} has {} groups", groups.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if the cluster or a broker does not exist; `NameServerUnreachable`; `FanOut` if no broker answered.
    pub async fn subscription_groups(
        &self,
        brokers: &Brokers,
    ) -> Result<Answers<Server, Vec<SubscriptionGroupConfig>>, MQClientError> {
        fan_out(self.masters(brokers).await?, |master| async move {
            let groups = self.asking()?.subscription_groups(&self.dial_address(&master)?).await?;
            Ok(groups.subscription_group_table.into_values().collect())
        })
        .await
        .any()
    }

    /// A consumer group on each master of all clusters: its settings, members and subscriptions. Request codes 106, 201 and
    /// 203; Java: `MQAdminExt.examineSubscriptionGroupConfig` and `examineConsumerConnectionInfo`, `mqadmin
    /// getConsumerConfig` and `consumerConnection`. The settings come from the list of all groups, because a request for one
    /// group (352) would create it. Dropping the future has no effect.
    ///
    /// # Errors
    /// `InvalidArgument` if all brokers answered and none has the group; `NameServerUnreachable`; `FanOut` if no broker
    /// answered.
    pub async fn describe_group(&self, group: &str) -> Result<Answers<Server, GroupOnBroker>, MQClientError> {
        let described = fan_out(self.masters(&Brokers::All).await?, |master| async move {
            let address = self.dial_address(&master)?;
            let api = self.asking()?;
            let (mut groups, members) =
                tokio::try_join!(api.subscription_groups(&address), self.members_at(&address, group))?;
            Ok(GroupOnBroker { config: groups.subscription_group_table.remove(group), members })
        });
        let described = described.await.any()?;
        let is_there = |on: &GroupOnBroker| on.config.is_some() || on.members.is_some();
        if described.is_complete() && !described.done.iter().any(|(_, on)| is_there(on)) {
            return Err(no_such_group(group, described.done.iter().map(|(broker, _)| broker)));
        }
        Ok(described)
    }

    /// The consumer groups that subscribe to a topic or have committed offsets in it, at each broker of the topic. Request
    /// codes 105 and 300; Java: `MQAdminExt.queryTopicConsumeByWho`. Dropping the future has no effect.
    ///
    /// # Errors
    /// The errors of [`route`](Self::route); `FanOut` if no broker answered.
    pub async fn topic_consumed_by(
        &self,
        topic: &str,
    ) -> Result<Answers<Server, Vec<String>>, MQClientError> {
        let route = self.route(topic).await?;
        fan_out(readers(&route.broker_datas), |broker| async move {
            Ok(self.asking()?.topic_consumed_by(&self.dial_address(&broker)?, topic).await?.group_list)
        })
        .await
        .any()
    }

    /// The topics in which a consumer group has committed offsets, at each master of all clusters. Request codes 106 and 343;
    /// Java: `MQAdminExt.queryTopicsByConsumer`. Dropping the future has no effect.
    ///
    /// # Errors
    /// `NameServerUnreachable`; `FanOut` if no broker answered.
    pub async fn topics_of_group(&self, group: &str) -> Result<Answers<Server, Vec<String>>, MQClientError> {
        fan_out(self.masters(&Brokers::All).await?, |master| async move {
            Ok(self.asking()?.topics_of_group(&self.dial_address(&master)?, group).await?.topic_list)
        })
        .await
        .any()
    }
}

/// The error of a group that some brokers do not have.
pub(super) fn no_such_group<'a>(group: &str, brokers: impl Iterator<Item = &'a Server>) -> MQClientError {
    let brokers: Vec<String> = brokers.map(ToString::to_string).collect();
    invalid("group", format!("{} has no group {group}: its first member makes it", brokers.join(", ")))
}

/// The settings as a broker takes them: signs in front of the names of attributes.
fn for_wire(config: &SubscriptionGroupConfig) -> Result<SubscriptionGroupConfig, MQClientError> {
    let group = config.group_name.as_deref().unwrap_or_default();
    validators::check_group(group).map_err(|error| invalid("group", error))?;
    if config.retry_queue_nums < 1 {
        let reason = format!("group {group} needs a retry queue, or brokers drop each message that fails");
        return Err(invalid("retry_queue_nums", reason));
    }
    let signed = |name: &String| name.starts_with(['+', '-']);
    let attributes = config
        .attributes
        .iter()
        .map(|(name, value)| (if signed(name) { name.clone() } else { format!("+{name}") }, value.clone()));
    Ok(SubscriptionGroupConfig { attributes: attributes.collect(), ..config.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_lose_messages_or_that_no_broker_takes_are_refused() {
        let mut config = SubscriptionGroupConfig::new("billing");
        config.attributes = [("a", "1"), ("-b", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let wire = for_wire(&config).unwrap();
        assert_eq!(wire.attributes.keys().collect::<Vec<_>>(), ["+a", "-b"]);
        config.retry_queue_nums = 0;
        let error = for_wire(&config).unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid retry_queue_nums: group billing needs a retry queue, or brokers drop each message that fails"
        );
        for group in ["", "no group"] {
            let error = for_wire(&SubscriptionGroupConfig::new(group)).unwrap_err();
            assert!(matches!(error, MQClientError::InvalidArgument { argument: "group", .. }), "{error}");
        }
    }
}
