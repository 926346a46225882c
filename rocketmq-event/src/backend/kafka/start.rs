use std::time::{Duration, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::{Instant, sleep};

use super::settings::{KafkaSettings, blocking, failed};
use crate::backend::{BackendError, Start, SubscriptionSpec};
use crate::error::wait_before;

const TIMEOUT: Duration = Duration::from_secs(10);
/// A broker that has just started, or makes its topic of offsets, answers after a while.
const LIMIT: Duration = Duration::from_secs(60);

/// Commits where a new group begins, so that what is published from now on is delivered, even before the group has members.
pub(super) async fn begin(
    settings: &KafkaSettings,
    spec: &SubscriptionSpec,
    group: &str,
    partitions: &[i32],
) -> Result<(), BackendError> {
    let deadline = Instant::now() + LIMIT;
    let mut attempt = 0;
    loop {
        let (config, topic, start) = (settings.reader(group), spec.stream.to_string(), spec.start);
        let partitions = partitions.to_vec();
        let began = blocking(move || {
            let consumer: BaseConsumer =
                config.create().map_err(failed("Kafka's consumer cannot be made"))?;
            commit_beginning(&consumer, &topic, &partitions, start)
                .map_err(failed(format!("cannot ask where the group begins in {topic:?}")))
        });
        let Err(error) = began.await else { return Ok(()) };
        attempt += 1;
        if Instant::now() > deadline || is_refused(&error) {
            return Err(error);
        }
        tracing::debug!("{}", crate::error::with_causes(&error));
        sleep(wait_before(attempt)).await;
    }
}

fn commit_beginning(
    consumer: &BaseConsumer,
    topic: &str,
    partitions: &[i32],
    start: Start,
) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    let committed = consumer.committed_offsets(list.clone(), TIMEOUT)?;
    if committed.elements().iter().any(|element| matches!(element.offset(), Offset::Offset(_))) {
        // The group is known, and goes on. A new partition begins with its oldest event.
        return Ok(());
    }
    let ends = |partition| consumer.fetch_watermarks(topic, partition, TIMEOUT);
    match start {
        Start::Earliest => {
            for partition in partitions {
                list.set_partition_offset(topic, *partition, Offset::Offset(ends(*partition)?.0))?;
            }
        }
        Start::Latest => {
            for partition in partitions {
                list.set_partition_offset(topic, *partition, Offset::Offset(ends(*partition)?.1))?;
            }
        }
        Start::At(time) => {
            let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            list.set_all_offsets(Offset::Offset(i64::try_from(millis).unwrap_or(i64::MAX)))?;
            let found = consumer.offsets_for_times(list.clone(), TIMEOUT)?;
            for element in found.elements() {
                // Without an event since that time the answer is the end.
                let offset = match element.offset() {
                    Offset::Offset(offset) => offset,
                    _ => ends(element.partition())?.1,
                };
                list.set_partition_offset(topic, element.partition(), Offset::Offset(offset))?;
            }
        }
    }
    match consumer.commit(&list, CommitMode::Sync) {
        // The group has members: one of them was first.
        Err(KafkaError::ConsumerCommit(
            RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::RebalanceInProgress,
        )) => Ok(()),
        committed => committed,
    }
}

fn is_refused(error: &BackendError) -> bool {
    let source = error.source.as_ref().and_then(|source| source.get().downcast_ref::<KafkaError>());
    matches!(
        source.and_then(KafkaError::rdkafka_error_code),
        Some(
            RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::Authentication
        )
    )
}
