//! Changes and lists for admins: 205, 217, 224, 304, 311 – 313, 327.

use rocketmq_common::PermName;
use rocketmq_remoting::protocol::RemotingCommand;
use rocketmq_remoting::protocol::body::{TopicList, TopicRouteData};
use rocketmq_remoting::protocol::header::{
    GetTopicsByClusterFields, RegisterTopicFields, WipeWritePermOfBrokerFields,
};

use super::{NameServer, QueueData};
use crate::wire::{Answer, Refusal, decode_json, json_answer, read_fields, required};

impl NameServer {
    /// 205. Lasts until the broker announces its topics again.
    pub(super) fn wipe_write_perm(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: WipeWritePermOfBrokerFields<'_> = read_fields(&request.ext_fields)?;
        let broker = required(fields.broker_name, "brokerName")?;
        let changed = self.routes.change_perm(&broker, |perm| PermName(perm.0 & !PermName::WRITE.0));
        Ok(Answer::success().with_field("wipeTopicCount", changed))
    }

    /// 327. Afterwards new topics can no longer inherit from the broker's topics, like in Java.
    pub(super) fn add_write_perm(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: WipeWritePermOfBrokerFields<'_> = read_fields(&request.ext_fields)?;
        let broker = required(fields.broker_name, "brokerName")?;
        let changed = self.routes.change_perm(&broker, |_| PermName::READ_WRITE);
        Ok(Answer::success().with_field("addTopicCount", changed))
    }

    /// 217. Stops at the first unknown broker, without an error.
    pub(super) fn register_topic(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: RegisterTopicFields<'_> = read_fields(&request.ext_fields)?;
        let topic = required(fields.topic, "topic")?;
        let route: TopicRouteData = decode_json(&request.body)?;
        let brokers = self.routes.brokers();
        for data in &route.queue_datas {
            let Some((name, _)) = brokers.get_key_value(data.broker_name.as_str()) else { break };
            let queues = QueueData {
                read_queue_nums: data.read_queue_nums,
                write_queue_nums: data.write_queue_nums,
                perm: PermName(data.perm),
                topic_sys_flag: data.topic_sys_flag,
            };
            self.routes.register_topic(name, &topic, queues);
        }
        Ok(Answer::success())
    }

    /// 311, 312, 313: the topics whose flags match.
    pub(super) fn topics_with(&self, is_wanted: fn(i32) -> bool) -> Result<Answer, Refusal> {
        self.setup.check("enableTopicList")?;
        json_answer(&TopicList { broker_addr: None, topic_list: self.routes.topics_with(is_wanted) })
    }

    /// 224.
    pub(super) fn topics_by_cluster(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        self.setup.check("enableTopicList")?;
        let fields: GetTopicsByClusterFields<'_> = read_fields(&request.ext_fields)?;
        let cluster = fields.cluster.unwrap_or_default();
        let topic_list = self.routes.topics_of_cluster(&cluster);
        json_answer(&TopicList { broker_addr: None, topic_list })
    }

    /// 304.
    pub(super) fn system_topics(&self) -> Result<Answer, Refusal> {
        let brokers = self.routes.brokers();
        let mut topic_list: Vec<String> = brokers.values().map(|broker| broker.cluster.to_string()).collect();
        topic_list.extend(brokers.keys().map(|name| name.to_string()));
        topic_list.sort_unstable();
        topic_list.dedup();
        json_answer(&TopicList {
            broker_addr: brokers.values().next().and_then(|broker| broker.addresses.values().next().cloned()),
            topic_list,
        })
    }
}

/// Java: `TopicSysFlag.hasUnitFlag`.
pub(super) fn is_unit(sys_flag: i32) -> bool {
    sys_flag & 1 != 0
}

/// Java: `TopicSysFlag.hasUnitSubFlag`.
pub(super) fn has_unit_sub(sys_flag: i32) -> bool {
    sys_flag & 2 != 0
}
