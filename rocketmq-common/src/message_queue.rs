//! One queue of a topic (Java: `MessageQueue`).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A queue of a topic on a broker.
///
/// Queues order by topic, then broker name (both by their bytes), then queue id. `Clone` copies no text.
///
/// The JSON form is Java's: `{"brokerName":"b","queueId":0,"topic":"T"}`.
///
/// ```
/// use rocketmq_common::MessageQueue;
///
/// let mut queues = [MessageQueue::new("T", "broker-b", 0), MessageQueue::new("T", "broker-a", 1)];
/// queues.sort();
/// assert_eq!(queues[0].broker_name(), "broker-a");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageQueue {
    /// One `Arc` for both texts: each result of a send clones them.
    names: Arc<Names>,
    queue_id: i32,
}

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Names {
    topic: Arc<str>,
    broker_name: Arc<str>,
}

impl MessageQueue {
    /// A queue. Texts that are `Arc<str>` already are shared, not copied.
    pub fn new(topic: impl Into<Arc<str>>, broker_name: impl Into<Arc<str>>, queue_id: i32) -> Self {
        let names = Names { topic: topic.into(), broker_name: broker_name.into() };
        Self { names: Arc::new(names), queue_id }
    }

    /// Another queue of the same topic on the same broker.
    ///
    /// ```
    /// use rocketmq_common::MessageQueue;
    ///
    /// let first = MessageQueue::new("T", "broker-a", 0);
    /// let second = first.with_queue_id(1);
    /// assert_eq!(second.to_string(), "MessageQueue [topic=T, brokerName=broker-a, queueId=1]");
    /// ```
    #[must_use]
    pub fn with_queue_id(&self, queue_id: i32) -> Self {
        Self { names: self.names.clone(), queue_id }
    }

    /// The queue of this number of another topic on the same broker.
    ///
    /// ```
    /// use rocketmq_common::MessageQueue;
    ///
    /// let wrapped = MessageQueue::new("ns%T", "broker-a", 1);
    /// assert_eq!(wrapped.with_topic("T"), MessageQueue::new("T", "broker-a", 1));
    /// ```
    #[must_use]
    pub fn with_topic(&self, topic: impl Into<Arc<str>>) -> Self {
        Self::new(topic, self.names.broker_name.clone(), self.queue_id)
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.names.topic
    }

    /// The name of the broker that has the queue.
    pub fn broker_name(&self) -> &str {
        &self.names.broker_name
    }

    /// The number of the queue at its broker, from 0.
    pub fn queue_id(&self) -> i32 {
        self.queue_id
    }

    /// The topic as a text that clones without a copy.
    pub fn shared_topic(&self) -> &Arc<str> {
        &self.names.topic
    }

    /// The broker name as a text that clones without a copy.
    pub fn shared_broker_name(&self) -> &Arc<str> {
        &self.names.broker_name
    }
}

impl fmt::Display for MessageQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Names { topic, broker_name } = &*self.names;
        let queue_id = self.queue_id;
        write!(f, "MessageQueue [topic={topic}, brokerName={broker_name}, queueId={queue_id}]")
    }
}

/// The fields in the order and under the names of Java's JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    broker_name: Cow<'a, str>,
    queue_id: i32,
    topic: Cow<'a, str>,
}

impl Serialize for MessageQueue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Names { topic, broker_name } = &*self.names;
        let (broker_name, topic) = (Cow::Borrowed(&**broker_name), Cow::Borrowed(&**topic));
        Json { broker_name, queue_id: self.queue_id, topic }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MessageQueue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Json { broker_name, queue_id, topic } = Json::deserialize(deserializer)?;
        Ok(Self::new(topic, broker_name, queue_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_sort_by_topic_then_broker_then_number() {
        let mut queues = [
            MessageQueue::new("T", "b", 10),
            MessageQueue::new("T", "b", 9),
            MessageQueue::new("T", "a", 11),
            MessageQueue::new("S", "z", 12),
        ];
        queues.sort();
        assert_eq!(queues.each_ref().map(MessageQueue::queue_id), [12, 11, 9, 10]);
    }

    #[test]
    fn text_and_json_are_java_s() {
        let queue = MessageQueue::new("T", "broker-a", 3);
        assert_eq!(queue.to_string(), "MessageQueue [topic=T, brokerName=broker-a, queueId=3]");
        let json = r#"{"brokerName":"broker-a","queueId":3,"topic":"T"}"#;
        assert_eq!(serde_json::to_string(&queue).unwrap(), json);
        assert_eq!(serde_json::from_str::<MessageQueue>(json).unwrap(), queue);
        let shuffled = r#"{"topic":"T","x":1,"queueId":3,"brokerName":"broker-\u0061"}"#;
        assert_eq!(serde_json::from_str::<MessageQueue>(shuffled).unwrap(), queue);
        assert!(serde_json::from_str::<MessageQueue>(r#"{"topic":"T"}"#).is_err());
    }

    #[test]
    fn shared_texts_are_not_copied() {
        let topic: Arc<str> = Arc::from("T");
        let queue = MessageQueue::new(topic.clone(), "b", 0);
        assert!(Arc::ptr_eq(queue.shared_topic(), &topic));
        assert!(Arc::ptr_eq(queue.clone().shared_topic(), &topic));
    }
}
