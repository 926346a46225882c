use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::backend::BackendError;

/// The limit of RocketMQ: events fit in both. Kafka's own default is 1 MiB with headers; topics that are made here take this much.
pub(super) const MAX_BODY: usize = 4 * 1024 * 1024;
/// With key and headers.
pub(super) const MAX_RECORD: usize = MAX_BODY + 1024 * 1024;

/// How to connect to Kafka.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KafkaSettings {
    /// `host:port,host:port`: some of the brokers; the others are found.
    pub brokers: String,
    /// Partitions of streams that are made here. Default: the broker's `num.partitions`.
    pub partitions: Option<u16>,
    /// Replicas of topics that are made here. Default: the broker's `default.replication.factor`.
    pub replicas: Option<u16>,
    /// How long a message waits until the brokers have it. Default: 30 s.
    pub publish_timeout: Duration,
    /// Further properties of librdkafka, for all clients. TLS is `security.protocol` = `ssl` or `sasl_ssl`, with `ssl.ca.location` and
    /// others, if librdkafka is built with OpenSSL: the program names `rdkafka` in its Cargo.toml with the feature `ssl` (or `ssl-vendored`).
    pub properties: Vec<(String, String)>,
}

impl KafkaSettings {
    /// Settings with defaults.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            partitions: None,
            replicas: None,
            publish_timeout: Duration::from_secs(30),
            properties: Vec::new(),
        }
    }

    /// Whether librdkafka takes the properties.
    pub(super) fn check(&self) -> Result<(), BackendError> {
        let is_tls = |(name, value): &(String, String)| {
            name == "security.protocol" && value.to_ascii_lowercase().ends_with("ssl")
        };
        let advice = if self.properties.iter().any(is_tls) {
            ": for TLS, name `rdkafka` in the Cargo.toml of the program, of the version that this crate uses, with the feature \"ssl\" \
             (OpenSSL of the system) or \"ssl-vendored\""
        } else {
            ""
        };
        let made = self.common().create_native_config();
        made.map(drop).map_err(failed(format!("Kafka's client does not take the properties{advice}")))
    }

    /// The settings of every client.
    pub(super) fn common(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "rocketmq-event")
            .set("allow.auto.create.topics", "false")
            // A broker that restarts is found again soon.
            .set("reconnect.backoff.max.ms", "2000");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.common();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", self.publish_timeout.as_millis().max(1).to_string())
            .set("message.max.bytes", MAX_RECORD.to_string())
            .set("queue.buffering.max.kbytes", "65536")
            .set("linger.ms", "2")
            .set("partitioner", "murmur2_random");
        config
    }

    pub(super) fn member(&self, group: &str) -> ClientConfig {
        let mut config = self.reader(group);
        config
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("enable.auto.offset.store", "false")
            // Members that join or leave stop only the partitions that move.
            .set("partition.assignment.strategy", "cooperative-sticky")
            // A partition without a commit of the group, a new one for example, is read from its beginning.
            .set("auto.offset.reset", "earliest");
        config
    }

    pub(super) fn reader(&self, group: &str) -> ClientConfig {
        let mut config = self.common();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            // The rest waits at the broker.
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.wait.max.ms", "100");
        config
    }
}

pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(KafkaError) -> BackendError {
    let what = what.into();
    move |error| BackendError::with_source(what, error)
}

pub(super) fn refused(what: impl Into<String>, code: RDKafkaErrorCode) -> BackendError {
    BackendError::with_source(what, KafkaError::Global(code))
}

/// Runs one of librdkafka's blocking calls beside the tasks of the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, BackendError> + Send + 'static,
) -> Result<T, BackendError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => Err(BackendError::with_source("a call of librdkafka ended", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_that_is_not_built_in_says_what_to_do() {
        let mut settings = KafkaSettings::new("127.0.0.1:1");
        assert!(settings.check().is_ok());
        settings.properties.push(("security.protocol".to_owned(), "SASL_SSL".to_owned()));
        let error = settings.check().unwrap_err();
        assert!(error.to_string().contains("ssl-vendored"), "{error}");
    }
}
