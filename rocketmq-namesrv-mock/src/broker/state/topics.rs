//! The topics of a broker: their settings and their queues. Java: `TopicConfigManager`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use rocketmq_common::PermName;
use rocketmq_common::mix_all::{
    AUTO_CREATE_TOPIC_KEY_TOPIC, RMQ_SYS_BENCHMARK_TOPIC, RMQ_SYS_OFFSET_MOVED_EVENT, RMQ_SYS_SCHEDULE_TOPIC,
    RMQ_SYS_SELF_TEST_TOPIC, RMQ_SYS_TRANS_HALF_TOPIC, RMQ_SYS_TRANS_OP_HALF_TOPIC,
    RMQ_SYS_WHEEL_TIMER_TOPIC, reply_topic,
};
use rocketmq_remoting::protocol::ResponseCode;

use crate::name_server::QueueData;
use crate::store::{ConsumeQueue, QueueEntry};
use crate::wire::Refusal;

/// The number of queues of the template for new topics.
const DEFAULT_TOPIC_QUEUE_NUMS: i32 = 8;

/// The settings of a topic. Java: `TopicConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicSettings {
    pub(crate) name: String,
    pub(crate) read_queue_nums: i32,
    pub(crate) write_queue_nums: i32,
    pub(crate) perm: PermName,
    pub(crate) filter_type: TopicFilterType,
    pub(crate) sys_flag: i32,
    pub(crate) order: bool,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// How many tags a message of a topic may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopicFilterType {
    SingleTag,
    MultiTag,
}

/// A topic with its queues.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) config: TopicSettings,
    queues: Vec<ConsumeQueue>,
}

/// All topics of a broker.
#[derive(Debug, Clone)]
pub(crate) struct TopicTable {
    topics: HashMap<String, Topic>,
    /// Topics named after cluster and broker, or made at the start: no request may change them.
    standing: BTreeSet<String>,
}

impl TopicTable {
    /// The topics that every broker has from the start.
    pub(crate) fn new(cluster: &str, broker: &str, auto_create_topic: bool) -> Self {
        let read_write_inherit = PermName(7);
        let standing = [
            (RMQ_SYS_SELF_TEST_TOPIC.to_owned(), 1, PermName::READ_WRITE),
            (RMQ_SYS_BENCHMARK_TOPIC.to_owned(), 1024, PermName::READ_WRITE),
            (cluster.to_owned(), 16, read_write_inherit),
            (broker.to_owned(), 1, read_write_inherit),
            (RMQ_SYS_OFFSET_MOVED_EVENT.to_owned(), 1, PermName::READ_WRITE),
            (RMQ_SYS_SCHEDULE_TOPIC.to_owned(), 18, PermName::READ_WRITE),
            (reply_topic(cluster), 1, PermName::READ_WRITE),
            (format!("rmq_sys_REVIVE_LOG_{cluster}"), 8, PermName::READ_WRITE),
            (format!("rmq_sys_SYNC_BROKER_MEMBER_{broker}"), 1, PermName::INHERIT),
            (RMQ_SYS_TRANS_HALF_TOPIC.to_owned(), 1, PermName::READ_WRITE),
            (RMQ_SYS_TRANS_OP_HALF_TOPIC.to_owned(), 1, PermName::READ_WRITE),
            (RMQ_SYS_WHEEL_TIMER_TOPIC.to_owned(), 1, PermName::READ_WRITE),
            ("RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC".to_owned(), 1, PermName::READ_WRITE),
            ("RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC".to_owned(), 1, PermName::READ_WRITE),
        ];
        let default = (AUTO_CREATE_TOPIC_KEY_TOPIC.to_owned(), DEFAULT_TOPIC_QUEUE_NUMS, read_write_inherit);
        let mut table = Self { topics: HashMap::new(), standing: BTreeSet::new() };
        for (name, queues, perm) in standing.into_iter().chain(auto_create_topic.then_some(default)) {
            table.standing.insert(name.clone());
            table.put(TopicSettings { perm, ..TopicSettings::new(name, queues) });
        }
        table
    }

    pub(crate) fn get(&self, topic: &str) -> Option<&Topic> {
        self.topics.get(topic)
    }

    /// The topic that a tool names; an unknown topic is refused.
    pub(crate) fn find(&self, topic: &str) -> Result<&Topic, Refusal> {
        let missing = || Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("topic[{topic}] not exist"));
        self.get(topic).ok_or_else(missing)
    }

    pub(crate) fn get_mut(&mut self, topic: &str) -> Option<&mut Topic> {
        self.topics.get_mut(topic)
    }

    /// All topics.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    /// Settings of all topics.
    pub(crate) fn configs(&self) -> impl Iterator<Item = &TopicSettings> {
        self.topics.values().map(|topic| &topic.config)
    }

    /// The topics that no request may change.
    pub(crate) fn standing(&self) -> &BTreeSet<String> {
        &self.standing
    }

    /// Creates a topic, or changes its settings and keeps its queues.
    pub(crate) fn put(&mut self, config: TopicSettings) {
        match self.topics.get_mut(&config.name) {
            Some(topic) => topic.config = config,
            None => {
                self.topics.insert(config.name.clone(), Topic { config, queues: Vec::new() });
            }
        }
    }

    /// Stops new topics from taking their settings from this one.
    pub(crate) fn forbid_to_inherit(&mut self, topic: &str) {
        if let Some(topic) = self.topics.get_mut(topic) {
            topic.config.perm = PermName::READ_WRITE;
        }
    }

    /// Removes a topic with its queues.
    pub(crate) fn remove(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// Copies the entries of `other` up to the record with the number `end`, and calls `is_new` for each new entry.
    /// This table must have been filled from `other` only.
    pub(crate) fn follow(
        &mut self,
        other: &Self,
        end: usize,
        mut is_new: impl FnMut(&str, i32, &QueueEntry),
    ) {
        self.topics.retain(|name, _| other.topics.contains_key(name));
        for (name, source) in &other.topics {
            if self.get(name).is_none_or(|known| known.config != source.config) {
                self.put(source.config.clone());
            }
            let Some(copy) = self.topics.get_mut(name) else { continue };
            copy.queues.resize_with(source.queues.len(), ConsumeQueue::default);
            // The cast fits: a topic has fewer queues than 32 bits can count.
            for (queue_id, (copy, source)) in copy.queues.iter_mut().zip(&source.queues).enumerate() {
                copy.follow(source, end).for_each(|entry| is_new(name, queue_id as i32, entry));
            }
        }
    }

    /// Restores all queues from another table. Topics that it lacks become empty.
    pub(crate) fn restore_queues(&mut self, other: &Self) {
        for (name, topic) in &mut self.topics {
            topic.queues = other.get(name).map(|topic| topic.queues.clone()).unwrap_or_default();
        }
    }

    /// The settings of a topic that a send creates: those of `default_topic`, if new topics may inherit from it, with
    /// at most `queue_nums` queues. Zero queues are possible; the topic is then unusable.
    pub(crate) fn inherit(
        &self,
        topic: &str,
        default_topic: &str,
        queue_nums: i32,
        sys_flag: i32,
    ) -> Option<TopicSettings> {
        let default = &self.get(default_topic)?.config;
        if !default.perm.is_inherited() {
            return None;
        }
        let queues = queue_nums.min(default.write_queue_nums).max(0);
        Some(TopicSettings {
            perm: PermName(default.perm.0 & !PermName::INHERIT.0),
            filter_type: default.filter_type,
            sys_flag,
            ..TopicSettings::new(topic, queues)
        })
    }
}

impl Topic {
    /// A queue to read; `None` if nothing was ever stored in it.
    pub(crate) fn queue(&self, queue_id: i32) -> Option<&ConsumeQueue> {
        self.queues.get(usize::try_from(queue_id).ok()?)
    }

    /// A queue to read, empty if nothing was ever stored in it.
    pub(crate) fn queue_or_empty(&self, queue_id: i32) -> &ConsumeQueue {
        self.queue(queue_id).unwrap_or(ConsumeQueue::EMPTY)
    }

    /// A queue to write, created if need be; `None` if the topic cannot have it.
    pub(crate) fn queue_mut(&mut self, queue_id: i32) -> Option<&mut ConsumeQueue> {
        let index = usize::try_from(queue_id).ok()?;
        let queues = self.config.queue_nums().max(self.queues.len());
        if index >= queues {
            return None;
        }
        if index >= self.queues.len() {
            self.queues.resize_with(index + 1, ConsumeQueue::default);
        }
        self.queues.get_mut(index)
    }

    /// All queues up to the last one that was ever written to.
    pub(crate) fn queues(&self) -> &[ConsumeQueue] {
        &self.queues
    }
}

impl TopicSettings {
    /// Whether a batch becomes one record of the topic. Java: `QueueTypeUtils.isBatchCq`.
    pub(crate) fn has_batch_queues(&self) -> bool {
        self.attributes.get("queue.type").is_some_and(|kind| kind == "BatchCQ")
    }

    /// A topic to read and write.
    pub(crate) fn new(name: impl Into<String>, queues: i32) -> Self {
        Self {
            name: name.into(),
            read_queue_nums: queues,
            write_queue_nums: queues,
            perm: PermName::READ_WRITE,
            filter_type: TopicFilterType::SingleTag,
            sys_flag: 0,
            order: false,
            attributes: BTreeMap::new(),
        }
    }

    /// The larger of the numbers of read and write queues.
    pub(crate) fn queue_nums(&self) -> usize {
        usize::try_from(self.read_queue_nums.max(self.write_queue_nums)).unwrap_or(0)
    }

    /// The form for a NameServer.
    pub(crate) fn queue_data(&self) -> QueueData {
        QueueData {
            read_queue_nums: self.read_queue_nums,
            write_queue_nums: self.write_queue_nums,
            perm: self.perm,
            topic_sys_flag: self.sys_flag,
        }
    }
}

impl TopicFilterType {
    /// Java's name of the value.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SingleTag => "SINGLE_TAG",
            Self::MultiTag => "MULTI_TAG",
        }
    }
}

/// Java's form, which is part of a remark.
impl fmt::Display for TopicSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TopicConfig [topicName={}, readQueueNums={}, writeQueueNums={}, perm={}, topicFilterType={}, \
             topicSysFlag={}, order={}, attributes={{",
            self.name,
            self.read_queue_nums,
            self.write_queue_nums,
            self.perm,
            self.filter_type.name(),
            self.sys_flag,
            self.order
        )?;
        for (index, (key, value)) in self.attributes.iter().enumerate() {
            write!(f, "{}{key}={value}", if index > 0 { ", " } else { "" })?;
        }
        f.write_str("}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_topic_takes_its_settings_from_one_that_can_be_inherited() {
        let table = TopicTable::new("c", "b", true);
        let queues = |asked| table.inherit("T", "TBW102", asked, 0).map(|config| config.write_queue_nums);
        assert_eq!([2, 4, 8, 16, 0, -3].map(queues), [2, 4, 8, 8, 0, 0].map(Some));
        assert_eq!(table.inherit("T", "TBW102", 4, 0).unwrap().perm, PermName::READ_WRITE);
        assert_eq!(table.inherit("T", "SELF_TEST_TOPIC", 4, 0), None);
        assert_eq!(table.inherit("T", "missing", 4, 0), None);
        assert_eq!(TopicTable::new("c", "b", false).inherit("T", "TBW102", 4, 0), None);
    }

    #[test]
    fn changing_a_topic_keeps_its_queues() {
        let mut table = TopicTable::new("c", "b", true);
        table.put(TopicSettings::new("T", 4));
        table.get_mut("T").unwrap().queue_mut(3).unwrap().lose(1);
        table.put(TopicSettings::new("T", 2));
        let topic = table.get_mut("T").unwrap();
        assert_eq!(topic.queue(3).unwrap().next_offset(), 1);
        assert!(topic.queue_mut(4).is_none() && topic.queue_mut(-1).is_none());
    }

    #[test]
    fn settings_are_printed_as_java_does() {
        let expected = "TopicConfig [topicName=T, readQueueNums=4, writeQueueNums=4, perm=RW-, \
                        topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}]";
        assert_eq!(TopicSettings::new("T", 4).to_string(), expected);
    }
}
