use std::time::Duration;

use rocketmq_remoting::protocol::body::{ConsumerRunningInfo, PopProcessQueueInfo, ProcessQueueInfo};
use rocketmq_remoting::protocol::mq_version;
use tokio::time::Instant;

use super::mq_consumer_inner::MQConsumerInner;
use crate::clock::now_ms;
use crate::consumer::lock::LockState;
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pop::PopBook;

const MIB: u64 = 1024 * 1024;

impl MQConsumerInner {
    pub(crate) fn running_info(&self) -> ConsumerRunningInfo {
        let Some(running) = self.life.started() else { return ConsumerRunningInfo::default() };
        running_info(&running.member, running.pool.as_ref().map_or(0, |pool| pool.wanted()))
    }
}

/// The state of a running consumer for operators. Java: `MQConsumerInner.consumerRunningInfo`.
pub(crate) fn running_info(member: &Member, handlers: usize) -> ConsumerRunningInfo {
    let (settings, data) = (&member.settings, &member.data);
    let name_servers = member.instance.api().name_servers().addresses().join(";");
    // Names in capitals are of the protocol; the others are Java's names of options.
    let properties = [
        (ConsumerRunningInfo::PROP_NAMESERVER_ADDR, name_servers),
        (ConsumerRunningInfo::PROP_CONSUME_TYPE, data.consume_type.name().to_owned()),
        (ConsumerRunningInfo::PROP_CLIENT_VERSION, mq_version::CURRENT_VERSION_NAME.to_owned()),
        (ConsumerRunningInfo::PROP_THREADPOOL_CORE_SIZE, handlers.to_string()),
        (ConsumerRunningInfo::PROP_CONSUMEORDERLY, settings.orderly.to_string()),
        (ConsumerRunningInfo::PROP_CONSUMER_START_TIMESTAMP, member.started_ms.to_string()),
        ("consumerGroup", settings.group.to_string()),
        ("messageModel", data.message_model.name().to_owned()),
        ("consumeFromWhere", data.consume_from_where.name().to_owned()),
        ("consumeMessageBatchMaxSize", settings.batch_max.to_string()),
        ("pullBatchSize", settings.pull_batch_size.to_string()),
        ("pullThresholdForQueue", settings.limits.queue_count.to_string()),
        (
            "maxReconsumeTimes",
            settings.max_reconsume_times.map_or_else(|| "-1".to_owned(), |max| max.to_string()),
        ),
    ];
    let (popped, pulled): (Vec<_>, Vec<_>) = member.queues.all().into_iter().partition(|owned| owned.is_pop);
    ConsumerRunningInfo {
        mq_table: pulled.iter().map(|owned| (owned.queue.clone(), queue_info(owned))).collect(),
        mq_pop_table: popped.iter().map(|owned| (owned.queue.clone(), pop_info(owned))).collect(),
        properties: properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        subscription_set: member.consumer_data().subscription_data_set,
        ..ConsumerRunningInfo::default()
    }
}

fn pop_info(owned: &OwnedQueue) -> PopProcessQueueInfo {
    let state = owned.lock();
    let age = i64::try_from(state.pulled_at.elapsed().as_millis()).unwrap_or(i64::MAX);
    let waiting = state.pop.as_ref().map_or(0, PopBook::unacknowledged);
    PopProcessQueueInfo {
        last_pop_timestamp: now_ms().saturating_sub(age),
        wait_ack_count: i32::try_from(waiting).unwrap_or(i32::MAX),
        ..PopProcessQueueInfo::default()
    }
}

fn queue_info(owned: &OwnedQueue) -> ProcessQueueInfo {
    let (state, now) = (owned.lock(), Instant::now());
    let before = |age: Duration| now_ms() - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let at = |instant: Instant| before(now.saturating_duration_since(instant));
    let mut info = ProcessQueueInfo {
        last_pull_timestamp: at(state.pulled_at),
        last_consume_timestamp: at(state.consumed_at),
        ..ProcessQueueInfo::default()
    };
    if let Some(window) = &state.window {
        let (min, max) = window.ends().unwrap_or_default();
        (info.cached_msg_min_offset, info.cached_msg_max_offset) = (min, max);
        info.cached_msg_count = i32::try_from(window.count()).unwrap_or(i32::MAX);
        info.cached_msg_size_in_mib = i32::try_from(window.pinned() / MIB).unwrap_or(i32::MAX);
        info.commit_offset = window.lowest_unfinished();
    }
    if let Some(order) = &state.order {
        info.locked = order.lock.state(now) == LockState::Held;
        info.last_lock_timestamp = order.lock.age(now).map_or(0, before);
        info.transaction_msg_count = i32::try_from(state.in_hand()).unwrap_or(i32::MAX);
        if info.transaction_msg_count > 0 {
            // An orderly listener has the first message.
            info.transaction_msg_min_offset = info.commit_offset;
            info.transaction_msg_max_offset = info.commit_offset + i64::from(info.transaction_msg_count) - 1;
        }
    }
    info
}
