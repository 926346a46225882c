use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;
use tokio::time::{Instant, sleep};

use super::settings::{KafkaSettings, MAX_RECORD, blocking, failed, refused};
use crate::backend::BackendError;
use crate::backend::steps::{STEPS, step};

const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// Retries that no member takes for 30 days are gone; in milliseconds.
const RETRY_RETENTION: &str = "2592000000";
/// As Kafka says it: for ever.
const NO_LIMIT: &str = "-1";
const FOREVER: [(&str, &str); 3] =
    [("retention.ms", NO_LIMIT), ("retention.bytes", NO_LIMIT), ("cleanup.policy", "delete")];
/// The longest name that Kafka takes for a topic, in characters.
const MAX_NAME: usize = 249;

/// The names of a group and of its topics at the brokers. Users name one group for several streams, and each stream has a group of its own:
/// members of one stream neither wait for members of another stream nor take over where they begin. Dots, and characters that the name
/// of a topic cannot have, are escaped, so that two groups never share a name.
#[derive(Debug, Clone)]
pub(super) struct GroupTopics {
    base: String,
}

impl GroupTopics {
    pub(super) fn new(stream: &str, group: &str) -> Self {
        let mut base = format!("{stream}.");
        for byte in group.bytes() {
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' => base.push(char::from(byte)),
                b'_' => base.push_str("__"),
                byte => base.push_str(&format!("_{byte:02X}")),
            }
        }
        Self { base }
    }

    /// The consumer group.
    pub(super) fn group(&self) -> &str {
        &self.base
    }

    pub(super) fn retry(&self) -> String {
        format!("{}.retry", self.base)
    }

    pub(super) fn dead(&self) -> String {
        format!("{}.dead", self.base)
    }
}

/// The partition of the retry topic that keeps records for this delay: the first has no delay.
pub(super) fn partition_of(delay: Duration) -> i32 {
    let number = step(delay).map_or(0, |step| step + 1);
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn delay_of(partition: i32) -> Duration {
    let step = usize::try_from(partition).unwrap_or(0).checked_sub(1);
    step.and_then(|step| STEPS.get(step)).copied().unwrap_or_default()
}

/// Which topics exist, and how they are made.
#[derive(Clone)]
pub(super) struct Topics {
    admin: Arc<AdminClient<DefaultClientContext>>,
    settings: KafkaSettings,
    known: Arc<Mutex<HashSet<String>>>,
}

impl Topics {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, BackendError> {
        let admin = settings.common().create().map_err(failed("the settings of Kafka are not valid"))?;
        Ok(Self { admin: Arc::new(admin), settings: settings.clone(), known: Arc::default() })
    }

    pub(super) async fn ensure_stream(&self, topic: &str) -> Result<(), BackendError> {
        let partitions = self.settings.partitions.map_or(-1, i32::from);
        self.ensure(topic, partitions, &[]).await
    }

    pub(super) async fn ensure_log(&self, topic: &str) -> Result<(), BackendError> {
        let partitions = self.settings.partitions.map_or(-1, i32::from);
        self.ensure(topic, partitions, &FOREVER).await
    }

    pub(super) async fn ensure_retry(&self, topics: &GroupTopics) -> Result<(), BackendError> {
        let partitions = i32::try_from(STEPS.len() + 1).unwrap_or(i32::MAX);
        self.ensure(&topics.retry(), partitions, &[("retention.ms", RETRY_RETENTION)]).await
    }

    pub(super) async fn ensure_dead(&self, topics: &GroupTopics) -> Result<(), BackendError> {
        self.ensure(&topics.dead(), 1, &FOREVER).await
    }

    /// The partitions of a topic; `None` when the topic does not exist, or a partition has no leader yet.
    pub(super) async fn partitions(&self, topic: &str) -> Result<Option<Vec<i32>>, BackendError> {
        let (admin, topic) = (self.admin.clone(), topic.to_owned());
        blocking(move || {
            let what = || format!("Kafka does not tell of the topic {topic:?}");
            let metadata = admin.inner().fetch_metadata(Some(&topic), TIMEOUT).map_err(failed(what()))?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            let Some(found) = found else { return Ok(None) };
            match found.error().map(RDKafkaErrorCode::from) {
                Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(None),
                Some(code) => Err(refused(what(), code)),
                None => {
                    let has_leader = found.partitions().iter().all(|partition| partition.leader() >= 0);
                    let partitions = found.partitions().iter().map(|partition| partition.id()).collect();
                    Ok(Some(partitions).filter(|_| has_leader))
                }
            }
        })
        .await
    }

    async fn ensure(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<(), BackendError> {
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(topic) {
            return Ok(());
        }
        if !is_name(topic) {
            let what = format!(
                "{topic:?} is no name of a topic: at most {MAX_NAME} letters, digits, dots, `_` and `-`"
            );
            return Err(BackendError::new(what));
        }
        if self.partitions(topic).await?.is_none() {
            self.create(topic, partitions, settings).await?;
            // Brokers learn of a topic one after the other.
            let deadline = Instant::now() + TIMEOUT;
            while self.partitions(topic).await?.is_none() {
                if Instant::now() > deadline {
                    return Err(BackendError::new(format!("the topic {topic:?} is made, and has no leader")));
                }
                sleep(POLL).await;
            }
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned());
        Ok(())
    }

    async fn create(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<(), BackendError> {
        let max_record = MAX_RECORD.to_string();
        let replicas = self.settings.replicas.map_or(-1, i32::from);
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas))
            .set("max.message.bytes", &max_record);
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        let what = format!("cannot make the topic {topic:?}");
        let made = self.admin.create_topics([&new], &options).await.map_err(failed(what.clone()))?;
        match made.into_iter().next() {
            Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => Err(refused(what, code)),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topics").field("known", &self.known).finish_non_exhaustive()
    }
}

pub(super) fn is_name(topic: &str) -> bool {
    let is_fitting = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !topic.is_empty()
        && topic.len() <= MAX_NAME
        && topic != "."
        && topic != ".."
        && topic.bytes().all(is_fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_groups_share_a_topic_and_each_group_has_a_topic() {
        let retry = |stream, group| GroupTopics::new(stream, group).retry();
        assert_eq!(retry("users", "mailer"), "users.mailer.retry");
        assert_ne!(retry("shop.orders", "mail"), retry("shop", "orders.mail"));
        assert_ne!(retry("users", "a_2E"), retry("users", "a."));
        assert!(is_name(&retry("users", "größe, und mehr")));
    }

    #[test]
    fn each_delay_has_a_partition_of_its_own() {
        for (number, step) in STEPS.iter().enumerate() {
            assert_eq!(partition_of(*step), i32::try_from(number + 1).unwrap());
            assert_eq!(delay_of(partition_of(*step)), *step);
        }
        assert_eq!((partition_of(Duration::ZERO), delay_of(0)), (0, Duration::ZERO));
    }
}
