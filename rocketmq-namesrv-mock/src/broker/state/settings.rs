//! Settings with an effect in the mock; request 25 changes them at run time.

use std::sync::PoisonError;
use std::time::Duration;

use rocketmq_common::PermName;
use rocketmq_remoting::protocol::ExtFields;

use super::{Broker, TransactionOptions};
use crate::configuration::Configuration;
use crate::wire::Refusal;

/// Whether the broker asks for traces, as messages and answers carry it.
pub(super) const TRACE_SWITCH: [&str; 2] = ["false", "true"];

/// The settings with an effect. All other settings of Apache's broker are only stored and shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Obeyed {
    pub(crate) auto_create_topic: bool,
    pub(crate) auto_create_group: bool,
    pub(crate) transactions: TransactionOptions,
    /// Whether expressions over properties are supported.
    pub(crate) property_filter: bool,
    /// Whether slaves let clients pull.
    pub(crate) slave_read: bool,
    /// The number of copies for which a send is fully acknowledged.
    pub(crate) in_sync_replicas: usize,
    /// Whether timer messages can be recalled.
    pub(crate) recall: bool,
    /// The longest body, as it is transmitted.
    pub(crate) max_message_size: usize,
    /// The most messages of one answer to a pull or a pop.
    pub(crate) max_transfer_count: usize,
    /// The most bytes of such an answer, unless a single message has more.
    pub(crate) max_transfer_bytes: usize,
    /// Halves of transactions are refused.
    pub(crate) reject_transactions: bool,
    /// Held pulls and pops are woken by messages.
    pub(crate) long_polling: bool,
    /// How long a pull is held that is not woken.
    pub(crate) short_polling: Duration,
    /// Messages are to be traced.
    pub(crate) trace: bool,
    /// How many of a hundred pops look first at messages that come again.
    pub(crate) retry_first: u64,
    /// How many of a hundred pops by priority do so.
    pub(crate) retry_first_by_priority: u64,
    /// Pops by priority take the queue with the highest number first.
    pub(crate) highest_queue_first: bool,
}

/// All settings of a broker.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) configuration: Configuration,
    obeyed: Obeyed,
}

impl Settings {
    /// The settings at the start of a broker.
    pub(crate) fn new(mut obeyed: Obeyed, now_ms: i64) -> Self {
        let mut configuration = Configuration::of_broker(now_ms);
        obeyed.note(&mut configuration);
        obeyed.read(&configuration);
        Self { configuration, obeyed }
    }
}

impl Obeyed {
    /// Notes what a builder can set; all else is as Apache's broker has it.
    fn note(self, configuration: &mut Configuration) {
        let Self { transactions, .. } = self;
        configuration.set("autoCreateTopicEnable", self.auto_create_topic);
        configuration.set("autoCreateSubscriptionGroup", self.auto_create_group);
        configuration.set("transactionTimeOut", transactions.timeout.as_millis());
        configuration.set("transactionCheckInterval", transactions.check_interval.as_millis());
        configuration.set("transactionCheckMax", transactions.check_max);
        configuration.set("enablePropertyFilter", self.property_filter);
        configuration.set("slaveReadEnable", self.slave_read);
        configuration.set("inSyncReplicas", self.in_sync_replicas);
        configuration.set("recallMessageEnable", self.recall);
    }

    /// Reads the settings with an effect. The interval of transaction checks counts only at the start, like in Java.
    fn read(&mut self, configuration: &Configuration) {
        let number = |name| u64::try_from(configuration.number(name)).unwrap_or(0);
        let count = |name| usize::try_from(number(name)).unwrap_or(usize::MAX);
        *self = Self {
            auto_create_topic: configuration.is_on("autoCreateTopicEnable"),
            auto_create_group: configuration.is_on("autoCreateSubscriptionGroup"),
            transactions: TransactionOptions {
                timeout: Duration::from_millis(number("transactionTimeOut")),
                check_max: u32::try_from(number("transactionCheckMax")).unwrap_or(u32::MAX),
                ..self.transactions
            },
            property_filter: configuration.is_on("enablePropertyFilter"),
            slave_read: configuration.is_on("slaveReadEnable"),
            in_sync_replicas: count("inSyncReplicas"),
            recall: configuration.is_on("recallMessageEnable"),
            max_message_size: count("maxMessageSize"),
            max_transfer_count: count("maxTransferCountOnMessageInMemory"),
            max_transfer_bytes: count("maxTransferBytesOnMessageInMemory"),
            reject_transactions: configuration.is_on("rejectTransactionMessage"),
            long_polling: configuration.is_on("longPollingEnable"),
            short_polling: Duration::from_millis(number("shortPollingTimeMills")),
            trace: configuration.is_on("traceOn"),
            retry_first: number("popFromRetryProbability"),
            retry_first_by_priority: number("popFromRetryProbabilityForPriority"),
            highest_queue_first: configuration.is_on("priorityOrderAsc"),
        };
    }
}

impl Broker {
    /// The settings with an effect now.
    pub(crate) fn obeyed(&self) -> Obeyed {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).obeyed
    }

    /// Whether the broker moves groups to other offsets itself, instead of telling their members.
    pub(crate) fn resets_by_itself(&self) -> bool {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.configuration.is_on("useServerSideResetOffset")
    }

    /// Whether messages are to be traced, as messages and answers tell it.
    pub(crate) fn trace_switch(&self) -> &'static str {
        TRACE_SWITCH[usize::from(self.obeyed().trace)]
    }

    /// The fields that nearly every answer to a send carries.
    pub(crate) fn send_fields(&self) -> &ExtFields {
        &self.send_fields[usize::from(self.obeyed().trace)]
    }

    /// A setting by Java's name.
    pub(crate) fn setting(&self, name: &str) -> String {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.configuration.get(name).to_owned()
    }

    /// Stores a setting that only this broker knows.
    pub(crate) fn note_setting(&self, name: &str, value: impl ToString) {
        self.settings.write().unwrap_or_else(PoisonError::into_inner).configuration.set(name, value);
    }

    /// Applies a properties file.
    pub(crate) fn change_settings(&self, text: &[u8]) -> Result<(), Refusal> {
        let (obeyed, perm) = {
            let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
            let is_named = settings.configuration.update(text, self.now_ms())?;
            let Settings { configuration, obeyed } = &mut *settings;
            obeyed.read(configuration);
            let perm =
                is_named("brokerPermission").then(|| settings.configuration.number("brokerPermission"));
            (settings.obeyed, perm)
        };
        self.lock().groups.set_auto_create(obeyed.auto_create_group);
        if let Some(perm) = perm {
            // The conversion cannot fail: the setting is a 32-bit number.
            self.set_perm(PermName(i32::try_from(perm).unwrap_or(0)));
        }
        Ok(())
    }
}
