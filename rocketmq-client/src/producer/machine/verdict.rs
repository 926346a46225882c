use std::time::Duration;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::{BackOff, CallError, ConnectionEnd, DialError};
use rocketmq_remoting::protocol::ResponseCode;

use crate::error::{MQClientError, is_retryable};

/// Pauses after a "busy" answer of a broker.
const BUSY: BackOff = BackOff { first: Duration::from_millis(50), cap: Duration::from_secs(1) };

/// The meaning of a failed attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Whether the broker may have stored the message.
    pub(super) maybe_stored: bool,
    /// Whether another attempt may succeed.
    pub(super) again: bool,
    /// Whether the failure hints at an old route.
    pub(super) stale_route: bool,
    /// Whether there was no connection to the broker.
    pub(super) not_connected: bool,
}

impl Verdict {
    pub(super) fn of(error: &MQClientError) -> Self {
        match error {
            MQClientError::Remoting { source, .. } => Self {
                maybe_stored: !source.is_unsent(),
                again: !matches!(&**source, RemotingError::Call { source, .. } if source.is_local())
                    && !is_stopped(source),
                stale_route: true,
                not_connected: matches!(&**source, RemotingError::Connect(_)),
            },
            // The heartbeat failed; the message was not sent.
            MQClientError::NotRegistered { source, .. } => Self {
                maybe_stored: false,
                again: !is_stopped(source),
                stale_route: true,
                not_connected: matches!(&**source, RemotingError::Connect(_)),
            },
            // The broker stored the message, but its answer is unreadable: a retry would duplicate the message.
            MQClientError::BadAnswer { .. } => Self { maybe_stored: true, ..Self::default() },
            _ => match error.response_code() {
                Some(code) => Self {
                    // Brokers answer SYSTEM_ERROR to any exception, even to one after the message was stored.
                    maybe_stored: code == ResponseCode::SYSTEM_ERROR,
                    again: is_retryable(code),
                    stale_route: wants_fresh_route(code),
                    not_connected: false,
                },
                None => Self::default(),
            },
        }
    }
}

/// Whether the client, or the runtime that it was started on, has ended: no attempt can succeed any more.
fn is_stopped(error: &RemotingError) -> bool {
    match error {
        RemotingError::Connect(DialError::Stopped { .. }) => true,
        RemotingError::Call { source: CallError::Ended { end, .. }, .. } => {
            matches!(end, ConnectionEnd::Stopped)
        }
        _ => false,
    }
}

fn wants_fresh_route(code: ResponseCode) -> bool {
    [
        ResponseCode::TOPIC_NOT_EXIST,
        ResponseCode::SERVICE_NOT_AVAILABLE,
        ResponseCode::NO_PERMISSION,
        ResponseCode::INVALID_PARAMETER,
        ResponseCode::GO_AWAY,
    ]
    .contains(&code)
}

/// Whether the broker has the topic, but fewer queues than in the route.
pub(super) fn has_no_such_queue(error: &MQClientError) -> bool {
    error.response_code() == Some(ResponseCode::INVALID_PARAMETER)
}

/// The pause before attempt number `attempt` (1 is the second attempt) after this failure. `same_broker`: there is no
/// other broker. `random` makes a number for jitter.
pub(super) fn pause(error: &MQClientError, attempt: u32, same_broker: bool, random: fn() -> u64) -> Duration {
    if error.response_code() == Some(ResponseCode::SYSTEM_BUSY) {
        // A busy broker needs time. Wait even if another broker is next: it is probably busy, too.
        return BUSY.delay(attempt, random());
    }
    if attempt > 1 && has_no_such_queue(error) {
        return BUSY.delay(attempt, random());
    }
    match error {
        MQClientError::Remoting { source, .. } | MQClientError::NotRegistered { source, .. }
            if same_broker =>
        {
            match &**source {
                // Before this the pool refuses to dial again.
                RemotingError::Connect(DialError::BackingOff { wait, .. }) => *wait,
                RemotingError::Connect(_) => BackOff::default().delay(attempt, random()),
                _ => Duration::ZERO,
            }
        }
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: ResponseCode) -> MQClientError {
        let refused = RemotingError::Refused { address: "a:1".into(), code, remark: None };
        MQClientError::from_remoting("broker-a", refused)
    }

    #[test]
    fn every_code_of_java_s_table_is_tried_again_and_no_other() {
        for code in 0..3000 {
            let again = [17, 14, 1, 2, 16, 204, 205, 1500].contains(&code);
            assert_eq!(Verdict::of(&refused(ResponseCode(code))).again, again, "{code}");
        }
    }

    #[test]
    fn a_client_whose_runtime_ended_does_not_try_again() {
        let stopped = DialError::Stopped { address: "a:1".into() };
        let ended = CallError::Ended { written: true, end: ConnectionEnd::Stopped };
        for error in [RemotingError::Connect(stopped), RemotingError::call("a:1", ended)] {
            assert!(!Verdict::of(&MQClientError::from_remoting("broker-a", error)).again);
        }
    }

    #[test]
    fn only_a_system_error_leaves_open_whether_the_message_is_stored() {
        for code in [1, 2, 13, 14, 16, 17, 29, 9999] {
            assert_eq!(Verdict::of(&refused(ResponseCode(code))).maybe_stored, code == 1, "{code}");
        }
    }

    #[test]
    fn a_busy_broker_is_given_time_and_others_are_tried_at_once() {
        assert!(pause(&refused(ResponseCode::SYSTEM_BUSY), 1, false, || 0) >= Duration::from_millis(25));
        assert_eq!(pause(&refused(ResponseCode::SERVICE_NOT_AVAILABLE), 1, true, || 0), Duration::ZERO);
    }
}
