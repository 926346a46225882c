//! What can go wrong, and what it means for the message.

mod attempts;
mod fan_out;
mod shared;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::CallError;
use rocketmq_remoting::protocol::ResponseCode;

use crate::model::SendResult;
pub(crate) use attempts::with_causes;
pub use attempts::{Attempt, NameServerAnswer, SendReport};
pub use fan_out::Failure;

/// What became of a message whose send failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// No broker has it: sending it again makes no duplicate.
    NotStored,
    /// A broker may have stored it: sending it again may make a duplicate. Consumers tell one by its
    /// `UNIQ_KEY`, if the same `Message` with the same id is sent again.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::NotStored => "not stored",
            Outcome::Unknown => "may be stored",
        })
    }
}

/// Any failure of this client. Java: `MQClientException`, `MQBrokerException`, `RemotingException` and its kin.
///
/// The variant is the cause of the last attempt; [`attempts`](Self::attempts) tells of all of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MQClientError {
    /// `start` was not called, or has not finished.
    #[error("the {client} is not started: call start first")]
    NotStarted {
        /// What kind of client.
        client: &'static str,
    },
    /// `start` was called a second time.
    #[error("the {client} was started before")]
    AlreadyStarted {
        /// What kind of client.
        client: &'static str,
    },
    /// `shutdown` was called. A client does not start again: make a new one.
    #[error("the {client} is shut down: make a new one")]
    ShutDown {
        /// What kind of client.
        client: &'static str,
    },
    /// There is no tokio runtime to run on.
    #[error("this must be called within a tokio runtime")]
    NoRuntime,
    /// An option cannot be what it is.
    #[error("option {option}: {reason}")]
    InvalidOption {
        /// The name of the option: its setter without `set_`.
        option: &'static str,
        /// What is wrong and what would do.
        reason: String,
    },
    /// An argument, such as an id, is malformed.
    #[error("invalid {argument}")]
    InvalidArgument {
        /// Which one.
        argument: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The message cannot be sent as it is; nothing was tried.
    #[error("illegal message")]
    MessageIllegal {
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No NameServer answered.
    #[error("no NameServer answered: {}", list(answers))]
    NameServerUnreachable {
        /// Each NameServer that was asked, and what happened.
        answers: Box<[NameServerAnswer]>,
        /// How far the send got, if it was one.
        report: Box<SendReport>,
    },
    /// There is no broker, or no route, for the topic.
    #[error("no route for topic {topic}: {}; {hint}", list(answers))]
    BrokerNotFound {
        /// The topic.
        topic: Arc<str>,
        /// Each NameServer that was asked, and what it said.
        answers: Box<[NameServerAnswer]>,
        /// What to do.
        hint: &'static str,
        /// How far the send got.
        report: Box<SendReport>,
    },
    /// The broker refuses service (code 14): it is starting, shutting down, a slave, or its disk is full.
    #[error("broker {broker} refuses service{}", remark_text(remark))]
    ServiceNotAvailable {
        /// The broker's name or address.
        broker: Arc<str>,
        /// Its explanation.
        remark: Option<Box<str>>,
        /// The attempts.
        report: Box<SendReport>,
    },
    /// The broker refused with another code.
    #[error("broker {broker} answered {code}{}", remark_text(remark))]
    Broker {
        /// The broker's name or address.
        broker: Arc<str>,
        /// The response code.
        code: ResponseCode,
        /// Its explanation.
        remark: Option<Box<str>>,
        /// The attempts.
        report: Box<SendReport>,
    },
    /// The broker could not be reached, did not answer in time, or its connection ended.
    #[error("no answer from broker {broker}{}", report.dialled())]
    Remoting {
        /// The broker's name or address.
        broker: Arc<str>,
        /// What happened.
        #[source]
        source: Box<RemotingError>,
        /// The attempts.
        report: Box<SendReport>,
    },
    /// The deadline passed before the message could be handed to a broker: while it waited for permits, for a
    /// route, or between attempts.
    #[error("not sent within {timeout:?}: {waited_for}")]
    TimedOut {
        /// The whole budget.
        timeout: Duration,
        /// What it was waiting for.
        waited_for: &'static str,
        /// The attempts, if there were any.
        report: Box<SendReport>,
    },
    /// The broker that a request was meant for could not be told who this client is, so that no reply could have
    /// reached it: the request was not sent.
    #[error("broker {broker} does not know this client yet, and the heartbeat to it failed")]
    NotRegistered {
        /// The broker's name or address.
        broker: Arc<str>,
        /// What happened to the heartbeat.
        #[source]
        source: Box<RemotingError>,
        /// The attempts.
        report: Box<SendReport>,
    },
    /// The request is stored, but no reply came in time. Java: `RequestTimeoutException`, code 10006.
    #[error("no reply within {timeout:?} to request {}, which is stored in {} at offset {}: is there a consumer \
             that replies?", request.msg_id, request.message_queue, request.queue_offset)]
    NoReply {
        /// The whole budget of the request.
        timeout: Duration,
        /// Where the request is stored.
        request: Box<SendResult>,
    },
    /// The request is stored and a reply came, but its body cannot be inflated.
    #[error("the reply to request {} cannot be read", request.msg_id)]
    BadReply {
        /// Where the request is stored.
        request: Box<SendResult>,
        /// What is wrong with the reply.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The producer was shut down, or its runtime ended, while the message was on its way.
    #[error("given up on the way: the producer was shut down, or its runtime ended")]
    Abandoned {
        /// How far it got is not known.
        report: Box<SendReport>,
    },
    /// What a broker or NameServer sent cannot be read.
    #[error("what {peer} sent cannot be read")]
    BadAnswer {
        /// Who sent it.
        peer: Arc<str>,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
        /// The attempts, if it was the answer to a send.
        report: Box<SendReport>,
    },
    /// A broker that has to be written to has no master now: it is down, or its slaves elect a new one.
    #[error("broker {broker} has no master now")]
    NoMaster {
        /// The broker's name.
        broker: Arc<str>,
    },
    /// Of several servers or queues that were asked, all failed; or some did, where all were needed.
    #[error("{} of {asked} failed: {}", failures.len(), fan_out::list(failures))]
    FanOut {
        /// How many were asked.
        asked: usize,
        /// Those that failed, and why.
        failures: Box<[Failure]>,
    },
}

/// The report in those errors that have one, for reading or for writing.
macro_rules! report_of {
    ($error:expr) => {
        match $error {
            MQClientError::NameServerUnreachable { report, .. }
            | MQClientError::BrokerNotFound { report, .. }
            | MQClientError::ServiceNotAvailable { report, .. }
            | MQClientError::Broker { report, .. }
            | MQClientError::Remoting { report, .. }
            | MQClientError::TimedOut { report, .. }
            | MQClientError::NotRegistered { report, .. }
            | MQClientError::Abandoned { report }
            | MQClientError::BadAnswer { report, .. } => Some(report),
            _ => None,
        }
    };
}

impl MQClientError {
    /// What became of the message: *unknown* as soon as one attempt may have stored it. A request that found no reply
    /// is stored for sure; `NoReply` says where.
    pub fn outcome(&self) -> Outcome {
        match (self, self.report()) {
            (MQClientError::NoReply { .. } | MQClientError::BadReply { .. }, _) => Outcome::Unknown,
            (_, Some(report)) if report.maybe_stored() => Outcome::Unknown,
            _ => Outcome::NotStored,
        }
    }

    /// Whether the cause is one that the client itself tries again, within its deadline and count: a later
    /// call may succeed without any change.
    pub fn is_retryable(&self) -> bool {
        match self {
            MQClientError::ServiceNotAvailable { .. }
            | MQClientError::TimedOut { .. }
            | MQClientError::NotRegistered { .. }
            | MQClientError::Remoting { .. }
            | MQClientError::NameServerUnreachable { .. }
            | MQClientError::BrokerNotFound { .. }
            | MQClientError::NoMaster { .. } => true,
            MQClientError::FanOut { failures, .. } => {
                failures.iter().all(|failure| failure.error.is_retryable())
            }
            MQClientError::Broker { code, .. } => crate::producer::retry::is_retryable(*code),
            _ => false,
        }
    }

    /// The broker's response code, if it answered; of several brokers, if all that failed answered the same.
    pub fn response_code(&self) -> Option<ResponseCode> {
        match self {
            MQClientError::ServiceNotAvailable { .. } => Some(ResponseCode::SERVICE_NOT_AVAILABLE),
            MQClientError::Broker { code, .. } => Some(*code),
            MQClientError::FanOut { failures, .. } => fan_out::common_code(failures),
            _ => None,
        }
    }

    /// What was tried, in order. Empty when no broker was reached for.
    pub fn attempts(&self) -> &[Attempt] {
        self.report().map_or(&[], SendReport::attempts)
    }

    /// How far a send got and where its time went.
    pub fn report(&self) -> Option<&SendReport> {
        report_of!(self).map(|report| &**report)
    }

    /// The same error, with what was tried before it.
    pub(crate) fn with_report(mut self, full: SendReport) -> Self {
        if let Some(report) = report_of!(&mut self) {
            **report = full;
        }
        self
    }

    pub(crate) fn illegal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        MQClientError::MessageIllegal { source: source.into() }
    }

    /// A broker's refusal, or its silence, as the error of one request to it.
    pub(crate) fn from_remoting(broker: &str, error: RemotingError) -> Self {
        let (broker, report) = (Arc::from(broker), Box::default());
        match error {
            RemotingError::Refused { code, remark, .. } => {
                let remark = remark.map(|text| Box::from(&*text));
                if code == ResponseCode::SERVICE_NOT_AVAILABLE {
                    MQClientError::ServiceNotAvailable { broker, remark, report }
                } else {
                    MQClientError::Broker { broker, code, remark, report }
                }
            }
            RemotingError::BadAnswer { source, .. } => {
                MQClientError::BadAnswer { peer: broker, source, report }
            }
            RemotingError::Call { source: CallError::BadAnswer(source), .. } => {
                MQClientError::BadAnswer { peer: broker, source: Box::new(source), report }
            }
            other => MQClientError::Remoting { broker, source: Box::new(other), report },
        }
    }
}

fn remark_text(remark: &Option<Box<str>>) -> String {
    remark.as_deref().map_or_else(String::new, |remark| format!(": {remark}"))
}

fn list(answers: &[NameServerAnswer]) -> String {
    let texts: Vec<String> = answers.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use rocketmq_remoting::protocol::FrameError;

    use super::*;

    #[test]
    fn an_answer_that_cannot_be_read_is_the_same_error_whoever_found_it() {
        let unreadable = CallError::BadAnswer(Arc::new(FrameError::NotUtf8));
        let error = MQClientError::from_remoting("broker-a", RemotingError::call("broker:1", unreadable));
        assert!(matches!(&error, MQClientError::BadAnswer { peer, .. } if &**peer == "broker-a"), "{error}");
        assert!(!error.is_retryable());
    }
}
