//! Settings with an effect in the mock; request 25 changes them at run time.

use std::sync::PoisonError;
use std::time::Duration;

use rocketmq_common::PermName;

use super::{Broker, TransactionOptions};
use crate::configuration::Configuration;
use crate::wire::Refusal;

/// The settings with an effect. All other settings of Apache's broker are only stored and shown.
#[derive(Debug, Clone, Copy)]
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
}

/// All settings of a broker.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) configuration: Configuration,
    obeyed: Obeyed,
}

impl Settings {
    /// The settings at the start of a broker.
    pub(crate) fn new(obeyed: Obeyed, now_ms: i64) -> Self {
        let mut configuration = Configuration::of_broker(now_ms);
        obeyed.note(&mut configuration);
        Self { configuration, obeyed }
    }
}

impl Obeyed {
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
            in_sync_replicas: usize::try_from(number("inSyncReplicas")).unwrap_or(usize::MAX),
            recall: configuration.is_on("recallMessageEnable"),
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
