//! Well-known names (Java: `MixAll`, `TopicValidator`).

/// The topic whose route is the template for new topics.
pub const AUTO_CREATE_TOPIC_KEY_TOPIC: &str = "TBW102";
/// The topic in which delayed messages wait.
pub const RMQ_SYS_SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// A topic for benchmarks.
pub const RMQ_SYS_BENCHMARK_TOPIC: &str = "BenchmarkTest";
/// The topic in which half messages wait.
pub const RMQ_SYS_TRANS_HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// The topic that records the ends of transactions.
pub const RMQ_SYS_TRANS_OP_HALF_TOPIC: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// The topic for half messages whose transaction stayed undecided.
pub const RMQ_SYS_TRANS_CHECK_MAX_TIME_TOPIC: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// The default topic of message traces.
pub const RMQ_SYS_TRACE_TOPIC: &str = "RMQ_SYS_TRACE_TOPIC";
/// The topic for a broker's self-test.
pub const RMQ_SYS_SELF_TEST_TOPIC: &str = "SELF_TEST_TOPIC";
/// The topic that reports consumers whose offset was moved.
pub const RMQ_SYS_OFFSET_MOVED_EVENT: &str = "OFFSET_MOVED_EVENT";
/// A broker's checkpoints.
pub const RMQ_SYS_CHECKPOINT_TOPIC: &str = "CHECKPOINT_TOPIC";
/// The topic in which timer messages wait. A message sent there directly stops the broker's timers.
pub const RMQ_SYS_WHEEL_TIMER_TOPIC: &str = "rmq_sys_wheel_timer";
/// The start of names of system topics.
pub const SYSTEM_TOPIC_PREFIX: &str = "rmq_sys_";

/// The start of the name of a group's retry topic.
pub const RETRY_GROUP_TOPIC_PREFIX: &str = "%RETRY%";
/// The start of the name of a group's dead-letter topic.
pub const DLQ_GROUP_TOPIC_PREFIX: &str = "%DLQ%";
/// The end of the name of a cluster's topic for replies.
pub const REPLY_TOPIC_POSTFIX: &str = "REPLY_TOPIC";

/// Java's default producer group, which clients refuse.
pub const DEFAULT_PRODUCER_GROUP: &str = "DEFAULT_PRODUCER";
/// Java's default consumer group, which clients refuse.
pub const DEFAULT_CONSUMER_GROUP: &str = "DEFAULT_CONSUMER";
/// The group of the command-line tools.
pub const TOOLS_CONSUMER_GROUP: &str = "TOOLS_CONSUMER";
/// The producer group in which every Java client sends its own messages.
pub const CLIENT_INNER_PRODUCER_GROUP: &str = "CLIENT_INNER_PRODUCER";
/// The start of names of system groups.
pub const CID_RMQ_SYS_PREFIX: &str = "CID_RMQ_SYS_";

/// The value of the property `MSG_TYPE` that makes a message a reply.
pub const REPLY_MESSAGE_FLAG: &str = "reply";

/// The region of a broker without a configured region. Messages and traces name it.
pub const DEFAULT_TRACE_REGION_ID: &str = "DefaultRegion";

/// The broker id of a master.
pub const MASTER_ID: i64 = 0;
/// The longest delay level. Brokers treat a larger level as this level.
pub const MAX_DELAY_TIME_LEVEL: i32 = 18;

/// The retry topic of a consumer group.
///
/// ```
/// use rocketmq_common::mix_all::{is_retry_topic, retry_topic};
///
/// assert_eq!(retry_topic("billing"), "%RETRY%billing");
/// assert!(is_retry_topic("%RETRY%billing"));
/// ```
pub fn retry_topic(group: &str) -> String {
    [RETRY_GROUP_TOPIC_PREFIX, group].concat()
}

/// The dead-letter topic of a consumer group.
///
/// ```
/// use rocketmq_common::mix_all::{dlq_topic, is_dlq_topic};
///
/// assert_eq!(dlq_topic("billing"), "%DLQ%billing");
/// assert!(is_dlq_topic("%DLQ%billing"));
/// ```
pub fn dlq_topic(group: &str) -> String {
    [DLQ_GROUP_TOPIC_PREFIX, group].concat()
}

/// The topic to which replies are sent.
///
/// ```
/// use rocketmq_common::mix_all::reply_topic;
///
/// assert_eq!(reply_topic("DefaultCluster"), "DefaultCluster_REPLY_TOPIC");
/// ```
pub fn reply_topic(cluster: &str) -> String {
    [cluster, "_", REPLY_TOPIC_POSTFIX].concat()
}

/// Whether a topic is the retry topic of a group.
pub fn is_retry_topic(topic: &str) -> bool {
    topic.starts_with(RETRY_GROUP_TOPIC_PREFIX)
}

/// Whether a topic is the dead-letter topic of a group.
pub fn is_dlq_topic(topic: &str) -> bool {
    topic.starts_with(DLQ_GROUP_TOPIC_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_topics_have_the_names_that_brokers_use() {
        assert_eq!(retry_topic("g"), "%RETRY%g");
        assert_eq!(dlq_topic("g"), "%DLQ%g");
        assert_eq!(reply_topic("DefaultCluster"), "DefaultCluster_REPLY_TOPIC");
        assert!(is_retry_topic("%RETRY%g") && !is_retry_topic("g%RETRY%"));
        assert!(is_dlq_topic("%DLQ%g") && !is_dlq_topic("%RETRY%g"));
    }
}
