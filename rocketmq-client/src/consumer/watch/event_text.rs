//! The line that an event prints.

use std::fmt;
use std::sync::Arc;

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
                write!(
                    f,
                    "the listener blocks a thread with {message}: it has run for {running_for:?} and cannot be dropped"
                )
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
            E::TopicMissing { topic, error, .. } => write!(f, "topic {topic} is missing: {error}"),
            E::SubscriptionsDiffer { topic, ours, theirs, client_id, .. } => {
                let wants = |who: &str, expression: &Option<Arc<str>>| match expression {
                    Some(expression) => format!("{who} subscribes to \"{expression}\""),
                    None => format!("{who} does not subscribe"),
                };
                let other = client_id.as_ref().map_or("another member".into(), |id| format!("member {id}"));
                write!(
                    f,
                    "members differ in topic {topic}: {}, {}",
                    wants("this", ours),
                    wants(&other, theirs)
                )
            }
            E::SubscriptionsUnchecked { error, .. } => {
                write!(f, "whether its members subscribe to the same cannot be checked: {error}")
            }
            E::DuplicateClientId { client_id, broker, addresses, .. } => {
                write!(f, "another client has the id {client_id}, says broker {broker}: {addresses:?}")
            }
            E::QueueStalled { queue, stalled_for, pulled, broker_max, .. } => {
                write!(
                    f,
                    "{queue} is stalled at {pulled} for {stalled_for:?}, its broker has messages up to {broker_max}: restarted"
                )
            }
            E::QueueHealed { queue, after, .. } => write!(f, "{queue} moves again after {after:?}"),
            E::NobodyReads { waiting, waiting_for, .. } => {
                write!(f, "nobody reads: {waiting} messages have waited for {waiting_for:?}")
            }
            E::BrokerUnreachable { broker, silent_for, .. } => {
                write!(f, "broker {broker} has not answered for {silent_for:?}")
            }
            E::BrokerReachable { broker, after, .. } => {
                write!(f, "broker {broker} answers again after {after:?}")
            }
            E::RouteDoubted { topic, brokers, name_server, .. } => {
                write!(
                    f,
                    "NameServer {name_server} says that topic {topic} is not on {}: its queues are kept until that is confirmed",
                    brokers.join(", ")
                )
            }
            E::Ended { reason, .. } => write!(f, "ended: {reason}"),
            _ => Ok(()),
        }
    }
}
