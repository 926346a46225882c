//! The subject of an event, and its line in the log.

use std::sync::Arc;

use rocketmq_common::namespace::without_namespace;

use super::{ConsumerEvent, MessageIdentity};
use crate::model::MessageQueue;

/// A pattern for the events of these kinds, which binds their field.
macro_rules! any_of {
    ($field:ident: $($kind:ident)+) => {
        $(ConsumerEvent::$kind { $field, .. })|+
    };
}

/// Events about a topic.
macro_rules! about_topic {
    ($field:ident) => {
        any_of!($field: Assigned Revoked SubscriptionsDiffer RouteDoubted TopicMissing)
    };
}

/// Events about a queue.
macro_rules! about_queue {
    ($field:ident) => {
        any_of!($field: OffsetCorrected OffsetReset MessageUndecodable QueueStalled QueueHealed LockAtRisk LockLost
            LockRegained)
    };
}

/// Events about a message.
macro_rules! about_message {
    ($field:ident) => {
        any_of!($field: SendBackFailed DeadLettered MessageSkipped ListenerPanicked ListenerSlow ListenerStuck)
    };
}

impl ConsumerEvent {
    /// The consumer group.
    pub fn group(&self) -> &str {
        match self {
            about_topic!(group) | about_queue!(group) | about_message!(group) => group,
            any_of!(group: Started NobodyReads BrokerUnreachable BrokerReachable Ended SubscriptionsUnchecked
                DuplicateClientId OffsetsNotStored Missed) => group,
        }
    }

    /// The queue; of an event about a message, the queue that it came from.
    pub fn queue(&self) -> Option<&MessageQueue> {
        match self {
            about_queue!(queue) => Some(queue),
            about_message!(message) => Some(&message.queue),
            _ => None,
        }
    }

    /// The message.
    pub fn message(&self) -> Option<&MessageIdentity> {
        match self {
            about_message!(message) => Some(message),
            _ => None,
        }
    }

    /// The topic; of an event about a message, its topic as the listener sees it.
    pub fn topic(&self) -> Option<&str> {
        match self {
            about_topic!(topic) => Some(topic),
            about_message!(message) => Some(&message.topic),
            _ => self.queue().map(MessageQueue::topic),
        }
    }

    /// Names topics as users do: without the namespace.
    pub(super) fn leave_namespace(&mut self, namespace: &str) {
        let plain = |topic: &str| Arc::<str>::from(without_namespace(topic, namespace));
        let rename = |queue: &mut MessageQueue| *queue = queue.with_topic(plain(queue.topic()));
        if let about_topic!(topic) = self {
            *topic = plain(topic);
        }
        match self {
            any_of!(queues: Started Assigned Revoked) => queues.iter_mut().for_each(rename),
            about_queue!(queue) => rename(queue),
            about_message!(message) => {
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
