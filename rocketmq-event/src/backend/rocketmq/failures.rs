use rocketmq_client::Error;
use rocketmq_client::error::{Outcome, ResponseCode};

use crate::backend::BackendError;
use crate::error::{PublishError, PublishErrorKind};

/// Why a message is not published.
pub(super) fn not_published(error: Error) -> PublishError {
    use PublishErrorKind::{Closed, Disconnected, Invalid, NoRoute, Refused, Timeout};
    let kind = match &error {
        Error::BrokerNotFound { .. } => NoRoute,
        Error::MessageIllegal { .. } | Error::InvalidArgument { .. } => Invalid,
        Error::ShutDown { .. } | Error::NotStarted { .. } | Error::Abandoned { .. } | Error::NoRuntime => {
            Closed
        }
        Error::TimedOut { .. } => Timeout,
        Error::Remoting { .. } | Error::NameServerUnreachable { .. } => Disconnected,
        _ => Refused,
    };
    let what = "RocketMQ did not confirm the event";
    let failed = match error.outcome() {
        Outcome::NotStored => PublishError::not_stored(kind, what),
        _ => PublishError::maybe_stored(kind, what),
    };
    failed.with_source(error)
}

/// Whether the broker stored nothing because it had too much to do.
pub(super) fn is_busy(error: &Error) -> bool {
    error.outcome() == Outcome::NotStored && error.response_code() == Some(ResponseCode::SYSTEM_BUSY)
}

/// An error of anything else.
pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(Error) -> BackendError {
    let what = what.into();
    move |error| BackendError::with_source(what, error)
}
