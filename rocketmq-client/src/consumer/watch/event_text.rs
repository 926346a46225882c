//! The line that an event prints.

use std::fmt;

use super::ConsumerEvent;

impl fmt::Display for ConsumerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "consumer group {}: ", self.group())?;
        self.write_rest(f)
    }
}

impl ConsumerEvent {
    fn write_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConsumerEvent as E;
        match self {
            E::Started { queues, .. } => write!(f, "started with {} queues", queues.len()),
            E::Assigned { topic, queues, .. } => write!(f, "got {} queues of {topic}", queues.len()),
            E::Revoked { topic, queues, .. } => write!(f, "gave up {} queues of {topic}", queues.len()),
            E::OffsetCorrected { queue, from, to, min, max, .. } => {
                write!(f, "the broker has offsets {min} to {max} of {queue}: going on at {to}, not at {from}")
            }
            E::OffsetReset { queue, from: Some(from), to, .. } => {
                write!(f, "{queue} was reset from {from} to {to}")
            }
            E::OffsetReset { queue, from: None, to, .. } => write!(f, "{queue} was reset to {to}"),
            E::QueueStalled { queue, offset, broker_max, .. } => {
                write!(f, "{queue} stands at {offset} though its broker has messages up to {broker_max}")
            }
            E::QueueHealed { queue, after, .. } => write!(f, "{queue} goes on after {after:?}"),
            E::LockAtRisk { queue, age, reason, .. } => {
                write!(f, "the lock of {queue}, {age:?} old, may be lost: {reason}")
            }
            E::LockLost { queue, .. } => write!(f, "another member has the lock of {queue}"),
            E::LockRegained { queue, after, .. } => {
                write!(f, "has the lock of {queue} again after {after:?}")
            }
            E::OffsetsNotStored { path, error, .. } => {
                write!(f, "offsets could not be written to {}: {error}", path.display())
            }
            E::Missed { count, .. } => write!(f, "{count} events were dropped: their reader is too slow"),
            _ if self.message().is_some() => self.write_message(f),
            _ => self.write_group(f),
        }
    }

    fn write_message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConsumerEvent as E;
        match self {
            E::SendBackFailed { message, attempt, retry_in, error, .. } => {
                write!(
                    f,
                    "{message} could not be stored for another delivery (attempt {attempt}, next in {retry_in:?}): {error}"
                )
            }
            E::DeadLettered { message, reason, .. } => write!(f, "{message} is a dead letter: {reason}"),
            E::MessageSkipped { message, reason, .. } => write!(f, "{message} was given up: {reason}"),
            E::ListenerPanicked { message, panic, .. } => {
                write!(f, "the listener panicked on {message}: {panic}")
            }
            E::ListenerSlow { message, running_for, .. } => {
                write!(f, "the listener is over its time with {message}: it has run for {running_for:?}")
            }
            E::ListenerStuck { message, running_for, .. } => {
                write!(f, "the listener has blocked its thread for {running_for:?} with {message}")
            }
            _ => Ok(()),
        }
    }

    fn write_group(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConsumerEvent as E;
        match self {
            E::MessageUndecodable { queue, offset: Some(offset), reason, .. } => {
                write!(f, "the record at {offset} in {queue} cannot be decoded: {reason}")
            }
            E::MessageUndecodable { queue, reason, .. } => {
                write!(f, "a record of {queue} cannot be decoded: {reason}")
            }
            E::NobodyReads { topic, .. } => {
                write!(f, "messages of {topic} wait: there is neither a listener nor a stream")
            }
            E::SubscriptionsDiffer { topic: Some(topic), client_id, ours, theirs, .. } => {
                write!(f, "subscribes to {ours} of {topic}, but {client_id} to {theirs}: messages are missed")
            }
            E::SubscriptionsDiffer { client_id, ours, theirs, .. } => {
                write!(f, "subscribes to {ours}, but {client_id} to {theirs}: messages are missed")
            }
            E::SubscriptionsUnchecked { error, .. } => {
                write!(f, "cannot compare its subscriptions with the ones of other members: {error}")
            }
            E::DuplicateClientId { client_id, .. } => {
                write!(f, "another process has the client id {client_id}: give each its own instance_name")
            }
            E::TopicMissing { topic, error, .. } => write!(f, "topic {topic} is missing: {error}"),
            E::RouteDoubted { topic, missing, .. } => {
                write!(f, "a route of {topic} lacks {}: kept until another answer agrees", missing.join(", "))
            }
            E::BrokerUnreachable { broker, error, .. } => {
                write!(f, "broker {broker} is out of reach: {error}")
            }
            _ => Ok(()),
        }
    }
}
