//! What an event is about, and how it is logged.

use std::sync::Arc;

use rocketmq_common::namespace::without_namespace;

use super::{ConsumerEvent, MessageIdentity};
use crate::model::MessageQueue;

impl ConsumerEvent {
    /// The consumer group.
    pub fn group(&self) -> &str {
        match self {
            ConsumerEvent::Started { group, .. }
            | ConsumerEvent::Assigned { group, .. }
            | ConsumerEvent::Revoked { group, .. }
            | ConsumerEvent::OffsetCorrected { group, .. }
            | ConsumerEvent::OffsetReset { group, .. }
            | ConsumerEvent::MessageUndecodable { group, .. }
            | ConsumerEvent::SendBackFailed { group, .. }
            | ConsumerEvent::DeadLettered { group, .. }
            | ConsumerEvent::MessageSkipped { group, .. }
            | ConsumerEvent::ListenerPanicked { group, .. }
            | ConsumerEvent::ListenerSlow { group, .. }
            | ConsumerEvent::ListenerStuck { group, .. }
            | ConsumerEvent::QueueStalled { group, .. }
            | ConsumerEvent::QueueHealed { group, .. }
            | ConsumerEvent::NobodyReads { group, .. }
            | ConsumerEvent::BrokerUnreachable { group, .. }
            | ConsumerEvent::BrokerReachable { group, .. }
            | ConsumerEvent::RouteDoubted { group, .. }
            | ConsumerEvent::Ended { group, .. }
            | ConsumerEvent::LockAtRisk { group, .. }
            | ConsumerEvent::LockLost { group, .. }
            | ConsumerEvent::LockRegained { group, .. }
            | ConsumerEvent::TopicMissing { group, .. }
            | ConsumerEvent::SubscriptionsDiffer { group, .. }
            | ConsumerEvent::SubscriptionsUnchecked { group, .. }
            | ConsumerEvent::DuplicateClientId { group, .. }
            | ConsumerEvent::OffsetsNotStored { group, .. }
            | ConsumerEvent::Missed { group, .. } => group,
        }
    }

    /// The queue; of an event about a message, the queue that it came from.
    pub fn queue(&self) -> Option<&MessageQueue> {
        match self {
            ConsumerEvent::OffsetCorrected { queue, .. }
            | ConsumerEvent::OffsetReset { queue, .. }
            | ConsumerEvent::MessageUndecodable { queue, .. }
            | ConsumerEvent::QueueStalled { queue, .. }
            | ConsumerEvent::QueueHealed { queue, .. }
            | ConsumerEvent::LockAtRisk { queue, .. }
            | ConsumerEvent::LockLost { queue, .. }
            | ConsumerEvent::LockRegained { queue, .. } => Some(queue),
            _ => self.message().map(|message| &message.queue),
        }
    }

    /// The message.
    pub fn message(&self) -> Option<&MessageIdentity> {
        match self {
            ConsumerEvent::SendBackFailed { message, .. }
            | ConsumerEvent::DeadLettered { message, .. }
            | ConsumerEvent::MessageSkipped { message, .. }
            | ConsumerEvent::ListenerPanicked { message, .. }
            | ConsumerEvent::ListenerSlow { message, .. }
            | ConsumerEvent::ListenerStuck { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The topic; of an event about a message, its topic as the listener sees it.
    pub fn topic(&self) -> Option<&str> {
        match self {
            ConsumerEvent::Assigned { topic, .. }
            | ConsumerEvent::Revoked { topic, .. }
            | ConsumerEvent::SubscriptionsDiffer { topic, .. }
            | ConsumerEvent::RouteDoubted { topic, .. }
            | ConsumerEvent::TopicMissing { topic, .. } => Some(topic),
            _ => match self.message() {
                Some(message) => Some(&message.topic),
                None => self.queue().map(MessageQueue::topic),
            },
        }
    }

    /// Names topics as users do: without the namespace.
    pub(super) fn leave_namespace(&mut self, namespace: &str) {
        let plain = |topic: &str| Arc::<str>::from(without_namespace(topic, namespace));
        let rename = |queue: &mut MessageQueue| *queue = queue.with_topic(plain(queue.topic()));
        match self {
            ConsumerEvent::Started { queues, .. } => queues.iter_mut().for_each(rename),
            ConsumerEvent::Assigned { topic, queues, .. } | ConsumerEvent::Revoked { topic, queues, .. } => {
                *topic = plain(topic);
                queues.iter_mut().for_each(rename);
            }
            ConsumerEvent::SubscriptionsDiffer { topic, .. }
            | ConsumerEvent::RouteDoubted { topic, .. }
            | ConsumerEvent::TopicMissing { topic, .. } => *topic = plain(topic),
            ConsumerEvent::OffsetCorrected { queue, .. }
            | ConsumerEvent::OffsetReset { queue, .. }
            | ConsumerEvent::MessageUndecodable { queue, .. }
            | ConsumerEvent::QueueStalled { queue, .. }
            | ConsumerEvent::QueueHealed { queue, .. }
            | ConsumerEvent::LockAtRisk { queue, .. }
            | ConsumerEvent::LockLost { queue, .. }
            | ConsumerEvent::LockRegained { queue, .. } => rename(queue),
            ConsumerEvent::SendBackFailed { message, .. }
            | ConsumerEvent::DeadLettered { message, .. }
            | ConsumerEvent::MessageSkipped { message, .. }
            | ConsumerEvent::ListenerPanicked { message, .. }
            | ConsumerEvent::ListenerSlow { message, .. }
            | ConsumerEvent::ListenerStuck { message, .. } => {
                message.topic = plain(&message.topic);
                rename(&mut message.queue);
            }
            _ => {}
        }
    }

    /// Writes the event to the log.
    pub(super) fn log(&self) {
        match self.severity() {
            Severity::Info => tracing::info!("{self}"),
            Severity::Warn => tracing::warn!("{self}"),
            Severity::Error => tracing::error!("{self}"),
        }
    }

    fn severity(&self) -> Severity {
        match self {
            ConsumerEvent::Started { .. }
            | ConsumerEvent::Assigned { .. }
            | ConsumerEvent::Revoked { .. }
            | ConsumerEvent::QueueHealed { .. }
            | ConsumerEvent::BrokerReachable { .. }
            | ConsumerEvent::LockRegained { .. } => Severity::Info,
            ConsumerEvent::MessageUndecodable { .. }
            | ConsumerEvent::MessageSkipped { .. }
            | ConsumerEvent::ListenerPanicked { .. }
            | ConsumerEvent::ListenerStuck { .. }
            | ConsumerEvent::Ended { .. }
            | ConsumerEvent::SubscriptionsDiffer { .. }
            | ConsumerEvent::DuplicateClientId { .. }
            | ConsumerEvent::OffsetsNotStored { .. } => Severity::Error,
            _ => Severity::Warn,
        }
    }
}

enum Severity {
    Info,
    Warn,
    Error,
}
