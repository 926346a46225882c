use std::sync::Arc;

use rocketmq_common::{mix_all, validators};

use super::macros::client_options;
use super::{CompressionType, SerializeType, at_least_one};
use crate::error::{MQClientError, invalid};
use crate::hook::{CheckForbiddenHook, Hooks, SendMessageHook};

client_options! {
    /// Options of a producer. Java: the properties of `DefaultMQProducer` and `ClientConfig`.
    ///
    /// ```
    /// let mut option = rocketmq_client::conf::ProducerOption::default();
    /// option.set_name_server_addr("127.0.0.1:9876").set_group_name("order_service");
    /// ```
    pub struct ProducerOption {
        /// The producer group: at most 120 characters of `%|a-zA-Z0-9_-`. Required.
        text group_name / set_group_name: String = String::new();
        /// The budget in ms of one send, including retries. Default: 3000.
        plain send_msg_timeout / set_send_msg_timeout: u64 = 3000;
        /// The limit in ms of one attempt, except the last. Default: 0, no limit: one attempt may use the
        /// whole budget, like in Java.
        plain send_msg_max_timeout_per_request / set_send_msg_max_timeout_per_request: u64 = 0;
        /// How many times a failed send is retried. Default: 2.
        plain retry_times_when_send_failed / set_retry_times_when_send_failed: u32 = 2;
        /// How many times a failed `send_async` is retried. Default: 2.
        plain retry_times_when_send_async_failed / set_retry_times_when_send_async_failed: u32 = 2;
        /// Whether a weakly stored message (a status other than `SendOk`) is sent again to another broker,
        /// which may duplicate it. Default: false. Java: `retryAnotherBrokerWhenNotStoreOK`.
        plain retry_next_server / set_retry_next_server: bool = false;
        /// The largest stored body in bytes (after compression). Default: 4 MiB, the broker's default.
        plain max_message_size / set_max_message_size: usize = 4 * 1024 * 1024;
        /// Bodies of at least this many bytes are compressed, if that makes them smaller. Default: 4096.
        plain compress_msg_body_over_threshold / set_compress_msg_body_over_threshold: usize = 4096;
        /// The compression of bodies. Default: zlib. Zstd needs the feature `zstd`.
        plain compress_type / set_compress_type: CompressionType = CompressionType::Zlib;
        /// The level of zlib (0 to 9) and zstd (1 to 22). Default: 5.
        plain compress_level / set_compress_level: u32 = 5;
        /// The template topic for topics that a first send creates. Default: `TBW102`.
        text create_topic_key / set_create_topic_key: String = mix_all::AUTO_CREATE_TOPIC_KEY_TOPIC.to_owned();
        /// The largest number of queues of a created topic on each broker. Default: 4.
        plain default_topic_queue_nums / set_default_topic_queue_nums: u32 = 4;
        /// Topics whose routes are looked up at the start, so that their first sends are fast.
        list topics / set_topics: Vec<String> = Vec::new();
        /// Whether sends avoid brokers that were slow or failed, for a while. Default: false.
        plain send_latency_fault_enable / set_send_latency_fault_enable: bool = false;
        /// The latencies in ms, ascending, from which on brokers are avoided. Default: Java's 50, 100, 550, 1800,
        /// 3000, 5000, 15000.
        list latency_max / set_latency_max: Vec<u64> = vec![50, 100, 550, 1800, 3000, 5000, 15_000];
        /// How long to avoid a broker, in ms, for each latency. Default: Java's 0, 0, 2000, 5000, 6000, 10000, 30000.
        list not_available_duration / set_not_available_duration: Vec<u64> = vec![0, 0, 2000, 5000, 6000, 10_000, 30_000];
        /// Whether a background task checks when failed brokers can be reached again. Default: false.
        plain start_detector_enable / set_start_detector_enable: bool = false;
        /// The limit of one check, in ms. Default: 200.
        plain detect_timeout / set_detect_timeout: u64 = 200;
        /// The interval between checks of one broker, in ms. Default: 2000.
        plain detect_interval / set_detect_interval: u64 = 2000;
        /// Whether sends use the VIP channels of brokers (port minus two). Default: false.
        plain vip_channel_enabled / set_vip_channel_enabled: bool = false;
        /// Whether messages are marked as messages of a unit. Default: false.
        plain unit_mode / set_unit_mode: bool = false;
        /// The limit of sends in flight, in all modes; further sends wait within their deadline. Default: 65535.
        plain client_async_semaphore_value / set_client_async_semaphore_value: u32 = 65_535;
        /// The limit of body bytes in flight; a larger body takes all of it. Default: 100 MiB.
        plain client_async_semaphore_bytes / set_client_async_semaphore_bytes: usize = 100 * 1024 * 1024;
        /// Whether single messages sent at about the same time are gathered into one request for each topic, queue and
        /// tag: more messages per second, each a little later. Messages that no batch may contain (delayed, timer and
        /// transaction messages, requests, replies, retry topics) and messages large enough to be compressed go alone.
        /// All messages go alone if there is a `CheckForbiddenHook`, which must see single messages. Default: false.
        plain auto_batch / set_auto_batch: bool = false;
        /// How long a gathered batch waits for more messages, in ms: 1 to 30000, and at most half of the send time-out.
        /// Default: 10.
        plain batch_max_delay_ms / set_batch_max_delay_ms: u64 = 10;
        /// The largest gathered batch, in bytes: 1 to 2 MiB. Default: 32 KiB.
        plain batch_max_bytes / set_batch_max_bytes: usize = 32 * 1024;
        /// The limit of bytes in gathered batches, waiting and in flight; messages beyond it go alone. Default: 32 MiB.
        plain total_batch_max_bytes / set_total_batch_max_bytes: usize = 32 * 1024 * 1024;
        /// How many transaction checks a transaction producer answers at a time. Default: 1.
        plain check_thread_pool_max_size / set_check_thread_pool_max_size: u32 = 1;
        /// How many further checks wait; checks beyond it are dropped, and the broker asks again. Default: 2000.
        plain check_request_hold_max / set_check_request_hold_max: u32 = 2000;
        /// Whether each attempt to send is recorded in the trace topic, where `mqadmin queryMsgTraceById` and the
        /// dashboard find it by message id and keys. Failed attempts are recorded too; one-way sends are not. Records
        /// never delay a send: while 2048 records wait, further ones are dropped. Default: false. Java: `enableTrace`.
        plain enable_trace / set_enable_trace: bool = false;
        /// The trace topic. Default: `RMQ_SYS_TRACE_TOPIC`. Java: `traceTopic`, `customizedTraceTopic`.
        text trace_topic / set_trace_topic: String = mix_all::RMQ_SYS_TRACE_TOPIC.to_owned();
    }
}

impl ProducerOption {
    /// Adds a hook that sees every attempt to send. It runs after the hooks added before it.
    pub fn add_send_message_hook(&mut self, hook: Arc<dyn SendMessageHook>) -> &mut Self {
        self.hooks.send.push(hook);
        self
    }

    /// Adds a hook that may forbid messages. It runs after the hooks added before it.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use rocketmq_client::conf::ProducerOption;
    /// use rocketmq_client::hook::{CheckForbiddenHook, SendMessageContext};
    ///
    /// struct Nothing;
    ///
    /// impl CheckForbiddenHook for Nothing {
    ///     fn check_forbidden(&self, _: &SendMessageContext<'_>) -> Result<(), String> {
    ///         Err("this service only listens".to_owned())
    ///     }
    /// }
    ///
    /// let mut option = ProducerOption::default();
    /// option.add_check_forbidden_hook(Arc::new(Nothing));
    /// ```
    pub fn add_check_forbidden_hook(&mut self, hook: Arc<dyn CheckForbiddenHook>) -> &mut Self {
        self.hooks.forbidden.push(hook);
        self
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// The options of the inner producer that sends trace records.
    pub(crate) fn for_trace(&self, group: String) -> Self {
        let mut option = self.clone();
        option.set_group_name(group).set_enable_trace(false).set_auto_batch(false).set_topics(Vec::new());
        // The trace topic has no namespace, and hooks are for the user's own messages.
        option.set_namespace("").set_vip_channel_enabled(false).set_client_async_semaphore_value(64);
        option.hooks.send.clear();
        option.hooks.forbidden.clear();
        option
    }

    /// Checks these options.
    pub(crate) fn validate(&self) -> Result<(), MQClientError> {
        let group = &self.group_name;
        if group.is_empty() {
            return Err(invalid("group_name", "a producer needs one: set it to the name of your service"));
        }
        if let Err(error) = validators::check_group(group) {
            return Err(invalid("group_name", error.to_string()));
        }
        if group == mix_all::DEFAULT_PRODUCER_GROUP {
            return Err(invalid("group_name", format!("{group} is reserved: choose another name")));
        }
        if self.create_topic_key.is_empty() {
            return Err(invalid("create_topic_key", "it cannot be empty; the default is TBW102"));
        }
        if self.compress_type == CompressionType::Zlib && self.compress_level > 9 {
            return Err(invalid("compress_level", "the levels of zlib are 0 to 9"));
        }
        if self.latency_max.len() != self.not_available_duration.len() || !self.latency_max.is_sorted() {
            let reason = "it must be ascending, and as long as not_available_duration";
            return Err(invalid("latency_max", reason));
        }
        if let Err(error) = validators::check_topic(&self.trace_topic) {
            return Err(invalid("trace_topic", error.to_string()));
        }
        if !(1..=30_000).contains(&self.batch_max_delay_ms) {
            return Err(invalid("batch_max_delay_ms", "it must be 1 to 30000"));
        }
        if !(1..=2 * 1024 * 1024).contains(&self.batch_max_bytes) {
            return Err(invalid("batch_max_bytes", "it must be 1 to 2097152 (2 MiB)"));
        }
        at_least_one(&[
            ("total_batch_max_bytes", self.total_batch_max_bytes as u64),
            ("detect_timeout", self.detect_timeout),
            ("detect_interval", self.detect_interval),
            ("check_thread_pool_max_size", self.check_thread_pool_max_size.into()),
            ("check_request_hold_max", self.check_request_hold_max.into()),
            ("send_msg_timeout", self.send_msg_timeout),
            ("max_message_size", self.max_message_size as u64),
            ("default_topic_queue_nums", self.default_topic_queue_nums.into()),
            ("client_async_semaphore_value", self.client_async_semaphore_value.into()),
            ("client_async_semaphore_bytes", self.client_async_semaphore_bytes as u64),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_file_has_the_names_of_the_setters() {
        let json = r#"{"name_server_addr": "ns:9876", "group_name": "g", "send_msg_timeout": 5000,
                       "compress_type": "LZ4", "serialize_type": "JSON"}"#;
        let option: ProducerOption = serde_json::from_str(json).unwrap();
        assert_eq!((option.name_server_addr(), option.group_name()), (Some("ns:9876"), Some("g")));
        assert_eq!((option.send_msg_timeout(), option.compress_type()), (5000, CompressionType::Lz4));
        assert_eq!(option.serialize_type(), SerializeType::Json);
        assert_eq!(option.retry_times_when_send_failed(), 2, "what is not named keeps its default");
        assert!(option.validate().is_ok());
    }

    #[test]
    fn a_misspelt_name_in_a_configuration_file_is_an_error() {
        let error = serde_json::from_str::<ProducerOption>(r#"{"group": "g"}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `group`"), "{error}");
    }
}
