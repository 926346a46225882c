use rocketmq_remoting::protocol::ResponseCode;

use super::{MQClientError, with_causes};

/// The failure of one of several servers or queues.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failure {
    /// The name of the server or queue.
    pub of: Box<str>,
    /// The error.
    pub error: MQClientError,
}

impl Failure {
    pub(crate) fn new(of: impl ToString, error: MQClientError) -> Self {
        Self { of: of.to_string().into(), error }
    }
}

pub(super) fn list(failures: &[Failure]) -> String {
    let texts: Vec<String> =
        failures.iter().map(|failure| format!("{}: {}", failure.of, with_causes(&failure.error))).collect();
    texts.join("; ")
}

/// The code that all failures share.
pub(super) fn common_code(failures: &[Failure]) -> Option<ResponseCode> {
    let first = failures.first()?.error.response_code();
    first.filter(|_| failures.iter().all(|failure| failure.error.response_code() == first))
}
