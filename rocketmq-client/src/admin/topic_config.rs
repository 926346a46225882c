use std::collections::{BTreeMap, BTreeSet};

use rocketmq_common::{PermName, mix_all, validators};
use rocketmq_remoting::protocol::body;
use rocketmq_remoting::protocol::header::CreateTopicRequestHeader;

use super::invalid;
use crate::error::MQClientError;

/// The settings of a topic on one broker. [`create_topic`](super::MQAdmin::create_topic) sets them,
/// [`describe_topic`](super::MQAdmin::describe_topic) reads them. Java: `TopicConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicConfig {
    /// The topic.
    pub topic: String,
    /// How many queues consumers read, at most 2³¹ − 1.
    pub read_queue_nums: u32,
    /// How many queues producers send to, at most 2³¹ − 1. To shrink a topic, lower this first, and
    /// `read_queue_nums` once the queues above it are consumed.
    pub write_queue_nums: u32,
    /// The permissions. Other bits than read, write and inherit are refused.
    pub perm: PermName,
    /// Whether the topic is ordered across brokers: NameServers then store its queues
    /// ([`create_topic`](super::MQAdmin::create_topic)).
    pub order: bool,
    /// `SINGLE_TAG` or `MULTI_TAG`: the number of tags of a message. All clients use only the first.
    pub topic_filter_type: String,
    /// 1 unit, 2 unit subscription; usually 0. Java: `TopicSysFlag`.
    pub topic_sys_flag: i32,
    /// Further settings by name, such as `message.type` (5.0). A change of the topic keeps the values of attributes
    /// that it does not name.
    pub attributes: BTreeMap<String, String>,
    /// Attributes that a change of the topic removes (5.0). Empty in settings read from a broker.
    pub removed_attributes: BTreeSet<String>,
}

impl TopicConfig {
    /// A readable and writable topic with this many queues on each broker, for reading and for writing.
    ///
    /// ```
    /// use rocketmq_client::admin::{PermName, TopicConfig};
    ///
    /// let config = TopicConfig::new("Orders", 8).with_perm(PermName::READ);
    /// assert_eq!((config.read_queue_nums, config.write_queue_nums), (8, 8));
    /// ```
    pub fn new(topic: impl Into<String>, queue_nums: u32) -> Self {
        let defaults = body::TopicConfig::default();
        Self {
            topic: topic.into(),
            read_queue_nums: queue_nums,
            write_queue_nums: queue_nums,
            perm: PermName(defaults.perm),
            order: defaults.order,
            topic_filter_type: defaults.topic_filter_type,
            topic_sys_flag: defaults.topic_sys_flag,
            attributes: BTreeMap::new(),
            removed_attributes: BTreeSet::new(),
        }
    }

    /// Sets the permission.
    pub fn with_perm(mut self, perm: PermName) -> Self {
        self.perm = perm;
        self
    }

    /// Sets whether the topic is ordered across brokers.
    pub fn with_order(mut self, order: bool) -> Self {
        self.order = order;
        self
    }

    /// Sets an attribute, such as `message.type` to `FIFO` (5.0).
    ///
    /// ```
    /// use rocketmq_client::admin::TopicConfig;
    ///
    /// let config = TopicConfig::new("Later", 4).with_attribute("message.type", "DELAY");
    /// assert_eq!(config.attributes["message.type"], "DELAY");
    /// ```
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Removes an attribute (5.0).
    pub fn without_attribute(mut self, name: impl Into<String>) -> Self {
        self.removed_attributes.insert(name.into());
        self
    }

    /// The settings in a broker's answer. `None` if a number of queues is negative.
    pub(super) fn from_body(topic: &str, config: body::TopicConfig) -> Option<Self> {
        Some(Self {
            topic: config.topic_name.unwrap_or_else(|| topic.to_owned()),
            read_queue_nums: u32::try_from(config.read_queue_nums).ok()?,
            write_queue_nums: u32::try_from(config.write_queue_nums).ok()?,
            perm: PermName(config.perm),
            order: config.order,
            topic_filter_type: config.topic_filter_type,
            topic_sys_flag: config.topic_sys_flag,
            attributes: config.attributes,
            removed_attributes: BTreeSet::new(),
        })
    }

    /// The request that sets them. Checks values that brokers do not check, or misunderstand.
    pub(super) fn header(&self) -> Result<CreateTopicRequestHeader, MQClientError> {
        validators::check_topic(&self.topic).map_err(|error| invalid("topic", error))?;
        let queue_nums = |count| {
            i32::try_from(count)
                .map_err(|_| invalid("number of queues", format!("{count} is above 2147483647")))
        };
        let known = PermName::READ_WRITE.0 | PermName::INHERIT.0;
        if self.perm.0 & !known != 0 {
            let reason = format!("{} has bits besides 4 (read), 2 (write) and 1 (inherit)", self.perm.0);
            return Err(invalid("permission", reason));
        }
        Ok(CreateTopicRequestHeader {
            topic: self.topic.as_str().into(),
            default_topic: mix_all::AUTO_CREATE_TOPIC_KEY_TOPIC.into(),
            read_queue_nums: queue_nums(self.read_queue_nums)?,
            write_queue_nums: queue_nums(self.write_queue_nums)?,
            perm: self.perm.0,
            topic_filter_type: self.topic_filter_type.as_str().into(),
            topic_sys_flag: Some(self.topic_sys_flag),
            order: self.order,
            attributes: self.attributes_text()?.map(Into::into),
            force: None,
        })
    }

    /// `+name=value` for each attribute to set and `-name` for each to remove, joined by commas. Names and values must
    /// not contain these separators.
    fn attributes_text(&self) -> Result<Option<String>, MQClientError> {
        let names = self.attributes.keys().chain(&self.removed_attributes);
        for text in names.chain(self.attributes.values()) {
            if text.is_empty() || text.contains([',', '=', '+']) {
                let reason = format!("{text:?} is empty or has a comma, an equals sign or a plus sign");
                return Err(invalid("attribute", reason));
            }
        }
        if let Some(both) = self.removed_attributes.iter().find(|name| self.attributes.contains_key(*name)) {
            return Err(invalid("attribute", format!("{both:?} is set and taken off")));
        }
        let set = self.attributes.iter().map(|(name, value)| format!("+{name}={value}"));
        let removed = self.removed_attributes.iter().map(|name| format!("-{name}"));
        let texts: Vec<String> = set.chain(removed).collect();
        Ok(if texts.is_empty() { None } else { Some(texts.join(",")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_becomes_java_s_request() {
        let config = TopicConfig::new("Orders", 4)
            .with_perm(PermName(7))
            .with_order(true)
            .with_attribute("message.type", "FIFO")
            .with_attribute("cleanup.policy", "DELETE")
            .without_attribute("queue.type");
        let header = config.header().unwrap();
        assert_eq!((header.read_queue_nums, header.write_queue_nums, header.perm), (4, 4, 7));
        assert!(header.order && header.topic_filter_type == "SINGLE_TAG");
        assert_eq!(
            header.attributes.as_deref(),
            Some("+cleanup.policy=DELETE,+message.type=FIFO,-queue.type")
        );
        assert_eq!(TopicConfig::new("Orders", 4).header().unwrap().attributes, None);
    }

    #[test]
    fn what_brokers_would_misunderstand_is_refused() {
        let fine = || TopicConfig::new("Orders", 4);
        for (config, argument) in [
            (TopicConfig::new("white space", 4), "topic"),
            (TopicConfig::new("Orders", u32::MAX), "number of queues"),
            (fine().with_perm(PermName(9)), "permission"),
            (fine().with_perm(PermName(-1)), "permission"),
            (fine().with_attribute("a", "b,+c=d"), "attribute"),
            (fine().with_attribute("", "b"), "attribute"),
            (fine().with_attribute("a", "b=c"), "attribute"),
            (fine().without_attribute("a+b"), "attribute"),
            (fine().with_attribute("a", "b").without_attribute("a"), "attribute"),
        ] {
            let error = config.header().unwrap_err();
            assert!(error.to_string().starts_with(&format!("invalid {argument}: ")), "{config:?}: {error}");
        }
    }

    #[test]
    fn what_a_broker_reports_can_be_set_again() {
        let reported = body::TopicConfig {
            read_queue_nums: 8,
            write_queue_nums: 2,
            attributes: [("message.type".to_owned(), "DELAY".to_owned())].into(),
            ..body::TopicConfig::default()
        };
        let config = TopicConfig::from_body("T", reported).unwrap();
        assert_eq!((config.topic.as_str(), config.read_queue_nums, config.write_queue_nums), ("T", 8, 2));
        assert_eq!(config.header().unwrap().attributes.as_deref(), Some("+message.type=DELAY"));
        let negative = body::TopicConfig { read_queue_nums: -1, ..body::TopicConfig::default() };
        assert_eq!(TopicConfig::from_body("T", negative), None);
    }
}
