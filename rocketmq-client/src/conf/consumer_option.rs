use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rocketmq_common::{mix_all, validators};

use super::consumer_enums::Strategy;
use super::macros::client_options;
use super::{
    ClientOption, ConsumeFromWhere, MessageModel, ProducerOption, SerializeType, Undecodable, at_least_one,
};
use crate::error::{MQClientError, invalid};
use crate::hook::{ConsumeMessageHook, FilterMessageHook, Hooks};

/// Java's default for `max_reconsume_times` of concurrent listeners.
const MAX_RECONSUME_TIMES: u32 = 16;
/// The strategies that brokers have for queues that they assign.
const BROKER_STRATEGIES: [&str; 2] = ["AVG", "AVG_BY_CIRCLE"];
/// The instance name of Java's broadcast consumers, part of the path of their offsets.
const STABLE_INSTANCE_NAME: &str = "DEFAULT";
/// With `ConsumeFromWhere::Timestamp` alone, Java starts that long before the consumer.
const TIMESTAMP_BEFORE_START: Duration = Duration::from_secs(30 * 60);

client_options! {
    /// Options of a consumer. Java: the properties of `DefaultMQPushConsumer` and `ClientConfig`.
    ///
    /// ```
    /// let mut option = rocketmq_client::conf::ConsumerOption::default();
    /// option.set_name_server_addr("127.0.0.1:9876").set_group_name("billing").set_consume_concurrency(64);
    /// ```
    ///
    /// In a configuration file, each option has its setter's name without `set_`:
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rocketmq_client::conf::{ConsumeFromWhere, ConsumerOption};
    ///
    /// let option: ConsumerOption = serde_json::from_str(
    ///     r#"{"name_server_addr": "127.0.0.1:9876", "group_name": "billing", "consume_from_where": "FIRST"}"#,
    /// )?;
    /// assert_eq!(option.consume_from_where(), ConsumeFromWhere::First);
    /// # Ok(())
    /// # }
    /// ```
    pub struct ConsumerOption {
        /// The consumer group: at most 120 of `%|a-zA-Z0-9_-`. Required. All members of a group subscribe to the same
        /// topics with the same filters.
        text group_name / set_group_name: String = String::new();
        /// How many handlers run at once, 1 to 65535. Handlers are futures, not threads. Default: 20. It replaces Java's
        /// `consumeThreadMin` and `consumeThreadMax`. With a stream: how many failed deliveries are given back to brokers at
        /// once; flow control limits the deliveries that its reader holds.
        plain consume_concurrency / set_consume_concurrency: usize = 20;
        /// How many messages a second handlers get, 1 to 1000000, of all queues together; messages that come again count,
        /// too. They are spread over the second; the messages of a batch come together. Default: `None`, unlimited.
        optional consume_rate_limit / set_consume_rate_limit: Option<u32> = None;
        /// How many messages a batch listener gets at most, 1 to 1024. Default: 1.
        plain consume_message_batch_max_size / set_consume_message_batch_max_size: u32 = 1;
        /// How many messages one pull asks for, 1 to 1024. Default: 32. Brokers limit an answer to 256 KiB, too.
        plain pull_batch_size / set_pull_batch_size: u32 = 32;
        /// How many messages of a queue are cached before its pulling pauses, 1 to 65535. Default: 1000. One answer may
        /// exceed it.
        plain pull_threshold_for_queue / set_pull_threshold_for_queue: u32 = 1000;
        /// How many MiB of a queue are cached before its pulling pauses, 1 to 1024. Default: 100.
        plain pull_threshold_size_for_queue / set_pull_threshold_size_for_queue: u32 = 100;
        /// How many messages of a topic are cached, 1 to 6553500, divided by the queues that the consumer owns. Default:
        /// `None`, unlimited.
        optional pull_threshold_for_topic / set_pull_threshold_for_topic: Option<u32> = None;
        /// How many MiB of a topic are cached, 1 to 102400, divided likewise. Default: `None`, unlimited.
        optional pull_threshold_size_for_topic / set_pull_threshold_size_for_topic: Option<u32> = None;
        /// How far apart the first and the last cached offset of a queue may be before its pulling pauses, 1 to 65535; for
        /// concurrent listeners. Default: 2000.
        plain consume_concurrently_max_span / set_consume_concurrently_max_span: u32 = 2000;
        /// Bytes of memory that all cached messages of the consumer may pin before its pulling pauses. Counts the answers
        /// that messages point into, not their bodies alone. Answers that are on their way come on top; of those whose
        /// messages inflate, what exceeds the limit by a quarter is pulled again later. Default: 256 MiB.
        plain cache_limit / set_cache_limit: u64 = 256 * 1024 * 1024;
        /// The pause in ms between an answer with messages and the next pull, 0 to 65535. Default: 0.
        plain pull_interval / set_pull_interval: u64 = 0;
        /// How often a message may fail before it goes to the dead letter topic. Default: `None`: 16 for concurrent
        /// listeners, unlimited for orderly ones. Broadcast consumers have no dead letters: it is how often they try again
        /// at once before they give a message up, by default 0.
        optional max_reconsume_times / set_max_reconsume_times: Option<u32> = None;
        /// How long a queue waits after an orderly listener failed, in ms, 10 to 30000. Default: 1000.
        plain suspend_current_queue_time / set_suspend_current_queue_time: u64 = 1000;
        /// How long a handler may run, in ms. Then its token is cancelled and, `timeout_grace` later, it is dropped and
        /// the message comes again. Default: 900000, 15 minutes.
        plain consume_timeout / set_consume_timeout: u64 = 15 * 60 * 1000;
        /// How long a handler may go on after its token was cancelled, in ms. Default: 10000.
        plain timeout_grace / set_timeout_grace: u64 = 10_000;
        /// How often offsets are committed, in ms. Default: 5000. Java: `persistConsumerOffsetInterval`.
        plain persist_offset_interval / set_persist_offset_interval: u64 = 5000;
        /// How long a broker holds a pull while it has no message, in ms. Default: 15000.
        plain broker_suspend_max_time / set_broker_suspend_max_time: u64 = 15_000;
        /// Whether each message that an orderly listener has done may be committed. If not, the listener commits by its
        /// outcomes: `Success` commits nothing, `Commit` commits its message and those done before it, and `Rollback` makes
        /// all of them come again. For orderly listeners only. Default: true. Java: `ConsumeOrderlyContext.setAutoCommit`.
        plain auto_commit / set_auto_commit: bool = true;
        /// Whether the members of the group share the messages. Default: they do.
        plain message_model / set_message_model: MessageModel = MessageModel::Clustering;
        /// How the queues of a topic are shared among the members of the group, which all need one strategy. Default: each
        /// member gets neighbouring queues (`AVG`). Configuration files know `AVG`, `AVG_BY_CIRCLE` and `CONSISTENT_HASH`.
        strategy allocate_message_queue_strategy / set_allocate_message_queue_strategy: Strategy = Strategy::default();
        /// Whether the members choose their queues by themselves. If not, brokers assign the queues, and say whether their
        /// messages are pulled or popped: an operator sets that for a group and topic, by `mqadmin setConsumeMode`, also while
        /// members run. Brokers know the strategies `AVG` and `AVG_BY_CIRCLE`. For push consumers that share messages.
        /// Default: true.
        plain client_rebalance / set_client_rebalance: bool = true;
        /// How long popped messages are invisible for other members, in ms, 5000 to 300000. A message that is not
        /// acknowledged by then comes again, to any member. Default: 60000.
        plain pop_invisible_time / set_pop_invisible_time: u64 = 60_000;
        /// How many messages one pop asks for, 1 to 32. Default: 32.
        plain pop_batch_nums / set_pop_batch_nums: u32 = 32;
        /// How many popped messages of a queue (of all queues of a broker, where members share them) are not acknowledged
        /// before its popping pauses, 1 to 65535. Default: 96. One answer may exceed it.
        plain pop_threshold_for_queue / set_pop_threshold_for_queue: u32 = 96;
        /// Whether popped messages are kept invisible while handlers have them or they wait for one: after two thirds of the
        /// time, for `pop_invisible_time` more. If not, a handler that runs longer handles a message that comes again
        /// meanwhile. Default: true. Java's consumer does not do this.
        plain pop_auto_extend / set_pop_auto_extend: bool = true;
        /// Where a group starts that has no offset. Default: behind the last message.
        plain consume_from_where / set_consume_from_where: ConsumeFromWhere = ConsumeFromWhere::Last;
        /// Where `ConsumeFromWhere::Timestamp` starts: milliseconds since 1970, UTC. Default: `None`, 30 minutes before the
        /// start. Java has a text in the local time zone.
        optional consume_timestamp / set_consume_timestamp: Option<u64> = None;
        /// What becomes of a stored message that cannot be decoded. Default: `None`: it goes to the dead letter topic, and
        /// a broadcast consumer skips it. An event tells of it in each case.
        optional undecodable / set_undecodable: Option<Undecodable> = None;
        /// Where broadcast consumers keep their offsets: `DIR/CLIENT_ID/GROUP/offsets.json`. Default:
        /// `.rocketmq_offsets` in the home directory, as Java.
        text local_offset_store_dir / set_local_offset_store_dir: String = String::new();
        /// Whether the start fails when a subscribed topic has no route. If not, the consumer waits for the topic, and an
        /// event says so. Default: true.
        plain require_topics / set_require_topics: bool = true;
        /// The whole budget of a start, in ms. Default: 10000.
        plain start_timeout / set_start_timeout: u64 = 10_000;
        /// The whole budget of a shutdown, in ms: handlers that end later are dropped. Default: 30000.
        plain shutdown_timeout / set_shutdown_timeout: u64 = 30_000;
        /// Whether the handling of each message is recorded in the trace topic, where `mqadmin queryMsgTraceById` and the
        /// dashboard find it by message id and keys: a record when it begins (`SubBefore`) and a record when it ends
        /// (`SubAfter`). Records never delay a message: while 2048 records wait, further ones are dropped and counted.
        /// Default: false. Java: `enableTrace`, `enableMsgTrace`.
        plain enable_trace / set_enable_trace: bool = false;
        /// The trace topic. Default: `RMQ_SYS_TRACE_TOPIC`. Java: `traceTopic`, `customizedTraceTopic`.
        text trace_topic / set_trace_topic: String = mix_all::RMQ_SYS_TRACE_TOPIC.to_owned();
        /// Whether the group belongs to a unit. Default: false.
        plain unit_mode / set_unit_mode: bool = false;
    }
}

impl ConsumerOption {
    /// Adds a hook that sees messages before and after they are handled. It runs after the hooks added before it.
    pub fn add_consume_message_hook(&mut self, hook: Arc<dyn ConsumeMessageHook>) -> &mut Self {
        self.hooks.consume.push(hook);
        self
    }

    /// Adds a hook that may leave messages out before they are cached. It sees what the hooks added before it let pass.
    pub fn add_filter_message_hook(&mut self, hook: Arc<dyn FilterMessageHook>) -> &mut Self {
        self.hooks.filter.push(hook);
        self
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// The options of the inner producer that sends trace records.
    pub(crate) fn for_trace(&self, group: String) -> ProducerOption {
        let mut option = ProducerOption::default();
        option.set_client_option(&self.client_option());
        option.for_trace(group)
    }

    /// How often a message may fail; `None` means any number of times.
    pub(crate) fn reconsume_limit(&self, orderly: bool) -> Option<u32> {
        let default = match self.message_model {
            MessageModel::Broadcasting => Some(0),
            MessageModel::Clustering if orderly => None,
            MessageModel::Clustering => Some(MAX_RECONSUME_TIMES),
        };
        self.max_reconsume_times.or(default)
    }

    /// What becomes of a message that cannot be decoded.
    pub(crate) fn undecodable_policy(&self) -> Undecodable {
        self.undecodable.unwrap_or(match self.message_model {
            MessageModel::Broadcasting => Undecodable::Skip,
            MessageModel::Clustering => Undecodable::DeadLetter,
        })
    }

    /// Where `ConsumeFromWhere::Timestamp` starts, for a consumer that starts at `now`, in ms since 1970.
    pub(crate) fn start_timestamp(&self, now: SystemTime) -> i64 {
        let by_default = || {
            let start = now.checked_sub(TIMESTAMP_BEFORE_START).unwrap_or(UNIX_EPOCH);
            start.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().try_into().unwrap_or(u64::MAX)
        };
        i64::try_from(self.consume_timestamp.unwrap_or_else(by_default)).unwrap_or(i64::MAX)
    }

    /// The options of the consumer's own client. The client id of a broadcast consumer is part of the path of its offsets:
    /// without a name of its own it is named as Java names it, and keeps the name over restarts. A clustering consumer
    /// gets a name that no other has.
    pub(crate) fn own_client_option(&self) -> ClientOption {
        let mut option = self.client_option();
        if self.message_model == MessageModel::Broadcasting && option.instance_name().is_none() {
            option.set_instance_name(STABLE_INSTANCE_NAME);
        }
        option
    }

    /// The directory of the offsets of all broadcast consumers.
    ///
    /// # Errors
    /// When no directory is set and there is no home directory.
    pub(crate) fn offset_store_dir(&self) -> Result<PathBuf, MQClientError> {
        match self.local_offset_store_dir() {
            Some(dir) => Ok(PathBuf::from(dir)),
            None => std::env::home_dir().map(|home| home.join(".rocketmq_offsets")).ok_or_else(|| {
                invalid(
                    "local_offset_store_dir",
                    "there is no home directory: name a directory for the offsets",
                )
            }),
        }
    }

    /// What is wrong with these options, if anything is.
    pub(crate) fn validate(&self) -> Result<(), MQClientError> {
        self.validate_group()?;
        self.validate_ranges()?;
        self.validate_contradictions()?;
        at_least_one(&[
            ("cache_limit", self.cache_limit),
            ("consume_timeout", self.consume_timeout),
            ("persist_offset_interval", self.persist_offset_interval),
            ("broker_suspend_max_time", self.broker_suspend_max_time),
            ("start_timeout", self.start_timeout),
            ("shutdown_timeout", self.shutdown_timeout),
        ])
    }

    fn validate_group(&self) -> Result<(), MQClientError> {
        let group = &self.group_name;
        if group.is_empty() {
            return Err(invalid("group_name", "a consumer needs one: set it to the name of your service"));
        }
        if let Err(error) = validators::check_group(group) {
            return Err(invalid("group_name", error.to_string()));
        }
        if group == mix_all::DEFAULT_CONSUMER_GROUP {
            return Err(invalid("group_name", format!("{group} is reserved: choose another name")));
        }
        if let Err(error) = validators::check_topic(&self.trace_topic) {
            return Err(invalid("trace_topic", error.to_string()));
        }
        Ok(())
    }

    fn validate_ranges(&self) -> Result<(), MQClientError> {
        let batch = 1..=1024;
        let ranges = [
            ("consume_concurrency", Some(self.consume_concurrency as u64), 1..=65_535),
            ("consume_rate_limit", self.consume_rate_limit.map(u64::from), 1..=1_000_000),
            (
                "consume_message_batch_max_size",
                Some(self.consume_message_batch_max_size.into()),
                batch.clone(),
            ),
            ("pull_batch_size", Some(self.pull_batch_size.into()), batch),
            ("pull_threshold_for_queue", Some(self.pull_threshold_for_queue.into()), 1..=65_535),
            ("pull_threshold_size_for_queue", Some(self.pull_threshold_size_for_queue.into()), 1..=1024),
            ("pull_threshold_for_topic", self.pull_threshold_for_topic.map(u64::from), 1..=6_553_500),
            ("pull_threshold_size_for_topic", self.pull_threshold_size_for_topic.map(u64::from), 1..=102_400),
            ("consume_concurrently_max_span", Some(self.consume_concurrently_max_span.into()), 1..=65_535),
            ("pull_interval", Some(self.pull_interval), 0..=65_535),
            ("suspend_current_queue_time", Some(self.suspend_current_queue_time), 10..=30_000),
            ("pop_invisible_time", Some(self.pop_invisible_time), 5_000..=300_000),
            ("pop_batch_nums", Some(self.pop_batch_nums.into()), 1..=32),
            ("pop_threshold_for_queue", Some(self.pop_threshold_for_queue.into()), 1..=65_535),
        ];
        for (option, value, range) in ranges {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                let (low, high) = range.into_inner();
                return Err(invalid(option, format!("it is {value}, and must be {low} to {high}")));
            }
        }
        Ok(())
    }

    /// Options that exclude each other. Each reason names the other option.
    fn validate_contradictions(&self) -> Result<(), MQClientError> {
        let expire_ms = self.client_channel_expire_timeout_seconds.saturating_mul(1000);
        if self.broker_suspend_max_time >= expire_ms {
            let reason = format!(
                "it is {} ms, and client_channel_expire_timeout_seconds is {}: a pull that waits would close its connection",
                self.broker_suspend_max_time, self.client_channel_expire_timeout_seconds
            );
            return Err(invalid("broker_suspend_max_time", reason));
        }
        if self.consume_timestamp.is_some() && self.consume_from_where != ConsumeFromWhere::Timestamp {
            let reason = format!(
                "consume_from_where is {:?}, which does not look at it: set ConsumeFromWhere::Timestamp",
                self.consume_from_where
            );
            return Err(invalid("consume_timestamp", reason));
        }
        if self.message_model == MessageModel::Broadcasting
            && self.undecodable == Some(Undecodable::DeadLetter)
        {
            let reason = "message_model is Broadcasting, which has no dead letters: set Undecodable::Skip";
            return Err(invalid("undecodable", reason));
        }
        if !self.client_rebalance {
            self.validate_assigned()?;
        }
        Ok(())
    }

    /// The options that contradict queues which brokers assign.
    fn validate_assigned(&self) -> Result<(), MQClientError> {
        let refused = |reason: String| Err(invalid("client_rebalance", format!("it is false, and {reason}")));
        if self.message_model == MessageModel::Broadcasting {
            return refused(
                "message_model is Broadcasting: each member reads all queues, no broker assigns them".into(),
            );
        }
        let strategy = self.allocate_message_queue_strategy().name();
        if !BROKER_STRATEGIES.contains(&&*strategy) {
            let names = BROKER_STRATEGIES.join(" and ");
            return refused(format!("allocate_message_queue_strategy is {strategy}: brokers know {names}"));
        }
        if !self.auto_commit {
            return refused(
                "auto_commit is false: a broker hands out no more messages of a queue that is popped in order before \
                 those it has handed out are acknowledged, so that a listener that waits for more waits for ever"
                    .into(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> ConsumerOption {
        let mut option = ConsumerOption::default();
        option.set_name_server_addr("ns:9876").set_group_name("g");
        option
    }

    fn complaint(change: impl FnOnce(&mut ConsumerOption) -> &mut ConsumerOption) -> String {
        let mut option = valid();
        change(&mut option);
        option.validate().unwrap_err().to_string()
    }

    #[test]
    fn a_configuration_file_has_the_names_of_the_setters() {
        let json = r#"{"name_server_addr": "ns:9876", "group_name": "g", "consume_concurrency": 64,
                       "message_model": "BROADCASTING", "consume_from_where": "CONSUME_FROM_FIRST_OFFSET",
                       "max_reconsume_times": 3, "undecodable": "SKIP", "pull_threshold_for_topic": null}"#;
        let option: ConsumerOption = serde_json::from_str(json).unwrap();
        assert_eq!((option.group_name(), option.consume_concurrency()), (Some("g"), 64));
        assert_eq!(option.message_model(), MessageModel::Broadcasting);
        assert_eq!(option.consume_from_where(), ConsumeFromWhere::First);
        assert_eq!((option.max_reconsume_times(), option.undecodable()), (Some(3), Some(Undecodable::Skip)));
        assert_eq!(option.pull_batch_size(), 32, "what is not named keeps its default");
        assert!(option.validate().is_ok());
        let error = serde_json::from_str::<ConsumerOption>(r#"{"group": "g"}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `group`"), "{error}");
    }

    #[test]
    fn strategies_are_set_by_value_or_by_name() {
        use crate::strategy::AllocateMessageQueueConsistentHash;
        let mut option = valid();
        assert_eq!(option.allocate_message_queue_strategy().name(), "AVG");
        option.set_allocate_message_queue_strategy(AllocateMessageQueueConsistentHash::default());
        assert_eq!(option.allocate_message_queue_strategy().name(), "CONSISTENT_HASH");
        let named = |name: &str| {
            serde_json::from_str::<ConsumerOption>(&format!(
                r#"{{"allocate_message_queue_strategy": "{name}"}}"#
            ))
        };
        assert_eq!(named("AVG_BY_CIRCLE").unwrap().allocate_message_queue_strategy().name(), "AVG_BY_CIRCLE");
        assert!(named("MACHINE_ROOM").is_err(), "it needs settings");
    }

    #[test]
    fn values_out_of_java_s_ranges_are_refused_by_name() {
        assert!(valid().validate().is_ok());
        assert_eq!(
            complaint(|option| option.set_consume_concurrency(0)),
            "option consume_concurrency: it is 0, and must be 1 to 65535"
        );
        type Change = fn(&mut ConsumerOption) -> &mut ConsumerOption;
        let changes: [(&str, Change); 17] = [
            ("pop_invisible_time", |o| o.set_pop_invisible_time(4_999)),
            ("pop_batch_nums", |o| o.set_pop_batch_nums(33)),
            ("pop_threshold_for_queue", |o| o.set_pop_threshold_for_queue(0)),
            ("group_name", |o| o.set_group_name("")),
            ("group_name", |o| o.set_group_name("a b")),
            ("group_name", |o| o.set_group_name("DEFAULT_CONSUMER")),
            ("consume_message_batch_max_size", |o| o.set_consume_message_batch_max_size(1025)),
            ("pull_batch_size", |o| o.set_pull_batch_size(0)),
            ("consume_rate_limit", |o| o.set_consume_rate_limit(0)),
            ("consume_rate_limit", |o| o.set_consume_rate_limit(1_000_001)),
            ("pull_threshold_for_topic", |o| o.set_pull_threshold_for_topic(0)),
            ("pull_threshold_size_for_queue", |o| o.set_pull_threshold_size_for_queue(1025)),
            ("pull_interval", |o| o.set_pull_interval(65_536)),
            ("suspend_current_queue_time", |o| o.set_suspend_current_queue_time(9)),
            ("suspend_current_queue_time", |o| o.set_suspend_current_queue_time(30_001)),
            ("cache_limit", |o| o.set_cache_limit(0)),
            ("consume_concurrently_max_span", |o| o.set_consume_concurrently_max_span(65_536)),
        ];
        for (option, change) in changes {
            let complaint = complaint(change);
            assert!(complaint.starts_with(&format!("option {option}: ")), "{complaint}");
        }
    }

    #[test]
    fn contradictions_name_both_sides() {
        let held = complaint(|option| option.set_broker_suspend_max_time(180_000));
        assert!(
            held.contains("broker_suspend_max_time")
                && held.contains("client_channel_expire_timeout_seconds")
        );
        let time = complaint(|option| option.set_consume_timestamp(1));
        assert!(time.contains("consume_timestamp") && time.contains("consume_from_where is Last"), "{time}");
        let broadcast = complaint(|option| {
            option.set_message_model(MessageModel::Broadcasting).set_client_rebalance(false)
        });
        assert!(broadcast.contains("client_rebalance") && broadcast.contains("message_model"), "{broadcast}");
        let strategy = complaint(|option| {
            let hash = crate::strategy::AllocateMessageQueueConsistentHash::default();
            option.set_allocate_message_queue_strategy(hash).set_client_rebalance(false)
        });
        assert!(strategy.contains("allocate_message_queue_strategy is CONSISTENT_HASH"), "{strategy}");
        let by_hand = complaint(|option| option.set_auto_commit(false).set_client_rebalance(false));
        assert!(by_hand.contains("client_rebalance") && by_hand.contains("auto_commit"), "{by_hand}");
        let dead = complaint(|option| {
            option.set_message_model(MessageModel::Broadcasting).set_undecodable(Undecodable::DeadLetter)
        });
        assert!(dead.contains("undecodable") && dead.contains("message_model"), "{dead}");
    }

    #[test]
    fn the_limit_of_failures_depends_on_the_kind_of_consumer() {
        let mut option = valid();
        assert_eq!((option.reconsume_limit(false), option.reconsume_limit(true)), (Some(16), None));
        option.set_message_model(MessageModel::Broadcasting);
        assert_eq!(
            (option.reconsume_limit(false), option.undecodable_policy()),
            (Some(0), Undecodable::Skip)
        );
        option.set_max_reconsume_times(5);
        assert_eq!((option.reconsume_limit(false), option.reconsume_limit(true)), (Some(5), Some(5)));
    }

    #[test]
    fn a_broadcast_consumer_keeps_its_name_over_restarts() {
        let mut option = valid();
        assert_eq!(option.own_client_option().instance_name(), None, "each clustering consumer gets its own");
        option.set_message_model(MessageModel::Broadcasting);
        assert_eq!(option.own_client_option().instance_name(), Some("DEFAULT"));
        option.set_instance_name("orders");
        assert_eq!(option.own_client_option().instance_name(), Some("orders"));
    }

    #[test]
    fn a_start_by_time_is_half_an_hour_back_unless_it_is_set() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000);
        let mut option = valid();
        assert_eq!(option.start_timestamp(now), 8_200_000);
        option.set_consume_timestamp(5);
        assert_eq!(option.start_timestamp(now), 5);
    }

    #[test]
    fn offsets_lie_where_java_keeps_them() {
        let mut option = valid();
        assert!(option.offset_store_dir().is_ok_and(|dir| dir.ends_with(".rocketmq_offsets")));
        option.set_local_offset_store_dir("/var/lib/offsets");
        assert_eq!(option.offset_store_dir().unwrap(), PathBuf::from("/var/lib/offsets"));
    }
}
