use std::time::Duration;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::{BackOff, DialError};
use rocketmq_remoting::protocol::ResponseCode;

use crate::error::{MQClientError, is_retryable};

/// The waits after a broker said that it is busy.
const BUSY: BackOff = BackOff { first: Duration::from_millis(50), cap: Duration::from_secs(1) };

/// What the failure of one attempt means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The broker may have stored the message.
    pub(super) maybe_stored: bool,
    /// Another attempt may succeed.
    pub(super) again: bool,
    /// It looks as if the route were old.
    pub(super) stale_route: bool,
    /// There was no connection to the broker.
    pub(super) not_connected: bool,
}

impl Verdict {
    pub(super) fn of(error: &MQClientError) -> Self {
        match error {
            MQClientError::Remoting { source, .. } => Self {
                maybe_stored: !source.is_unsent(),
                again: !matches!(&**source, RemotingError::Call { source, .. } if source.is_local()),
                stale_route: true,
                not_connected: matches!(&**source, RemotingError::Connect(_)),
            },
            // The heartbeat failed; the message was not sent.
            MQClientError::NotRegistered { source, .. } => Self {
                maybe_stored: false,
                again: true,
                stale_route: true,
                not_connected: matches!(&**source, RemotingError::Connect(_)),
            },
            // Success, but unreadable: sending again would make a duplicate.
            MQClientError::BadAnswer { .. } => Self { maybe_stored: true, ..Self::default() },
            _ => match error.response_code() {
                Some(code) => Self {
                    // Brokers answer SYSTEM_ERROR to any exception, also one that came after the store.
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

/// Whether the broker has the topic, but fewer queues of it than the route said.
pub(super) fn has_no_such_queue(error: &MQClientError) -> bool {
    error.response_code() == Some(ResponseCode::INVALID_PARAMETER)
}

/// How long to wait before attempt number `attempt` (1 is the second one) after this failure. `same_broker`: there
/// is no other broker to go to. `random` makes a number for jitter, if there is any.
pub(super) fn pause(error: &MQClientError, attempt: u32, same_broker: bool, random: fn() -> u64) -> Duration {
    if error.response_code() == Some(ResponseCode::SYSTEM_BUSY) {
        // A busy broker needs time, also if the next attempt goes to another one: that is likely to be busy, too.
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
                // The connection is not dialled again before that.
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
