use std::error::Error;
use std::fmt::{self, Write};
use std::time::Duration;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::{CallError, DialError};

use super::{Context, MQClientError, NameServerAnswer, SendReport, fan_out, with_causes};

impl fmt::Display for MQClientError {
    /// Prints one line: the failed operation, the reason, what to do, and the context in parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        self.write_reason(&mut line)?;
        if let Some(context) = self.context() {
            context.append_to(&mut line);
        }
        f.write_str(&line)
    }
}

impl Error for MQClientError {
    /// The cause below the reason that `{}` prints. The reason itself, with its type, is the field `source`.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            MQClientError::InvalidArgument { source, .. }
            | MQClientError::MessageIllegal { source, .. }
            | MQClientError::BadReply { source, .. }
            | MQClientError::BadAnswer { source, .. } => source.source(),
            _ => None,
        }
    }
}

impl MQClientError {
    fn write_reason(&self, line: &mut String) -> fmt::Result {
        match self {
            MQClientError::NotStarted { client } => {
                write!(line, "the {client} is not started: call start first")
            }
            MQClientError::AlreadyStarted { client } => write!(line, "the {client} was started before"),
            MQClientError::ShutDown { client } => write!(line, "the {client} is shut down: make a new one"),
            MQClientError::NoRuntime => {
                line.write_str("no tokio runtime with timers and I/O: call this in #[tokio::main], or in a runtime with enable_all()")
            }
            MQClientError::InvalidOption { option, reason } => write!(line, "option {option}: {reason}"),
            MQClientError::InvalidArgument { argument, source } => {
                write!(line, "invalid {argument}: {source}")
            }
            MQClientError::MessageIllegal { source, context } => write_illegal(line, &**source, context),
            MQClientError::Json { source } => write!(line, "JSON cannot be written or read: {source}"),
            MQClientError::NameServerUnreachable { answers, .. } => {
                write!(line, "no NameServer answered: {}; check their addresses (option name_server_addr)", list(answers))
            }
            MQClientError::BrokerNotFound { topic, answers, hint, .. } if answers.is_empty() => {
                write!(line, "no route for topic {topic}: {hint}")
            }
            MQClientError::BrokerNotFound { topic, answers, hint, .. } => {
                write!(line, "no route for topic {topic}: {}; {hint}", list(answers))
            }
            MQClientError::NoMaster { broker } => {
                write!(line, "broker {broker} has no master now: start it, or wait until a slave takes over")
            }
            MQClientError::NotSettled { group, queue, offset, reason } => {
                write!(line, "the message at {offset} of {queue} is not settled for {group}: {reason}; it may come again")
            }
            MQClientError::MessagesDeleted { queue, from, to } => {
                write!(line, "the messages from {from} to {} of {queue} were deleted: reading goes on at {to}", to - 1)
            }
            MQClientError::FanOut { asked, failures } => {
                write!(line, "{} of {asked} failed: {}", failures.len(), fan_out::list(failures))
            }
            _ => self.write_trouble(line),
        }
    }

    /// Writes the errors of requests that reached the network.
    fn write_trouble(&self, line: &mut String) -> fmt::Result {
        match self {
            MQClientError::ServiceNotAvailable { broker, remark, .. } => {
                write!(line, "broker {broker} refuses service{}", remark_text(remark))
            }
            MQClientError::Broker { broker, code, remark, .. } => {
                let hint = access_hint(remark);
                let text = remark_text(remark);
                let text = if hint.is_empty() { &*text } else { text.trim_end_matches('.') };
                write!(line, "broker {broker} answered {code}{text}{hint}")
            }
            MQClientError::Remoting { broker, source, context } => {
                write!(line, "no answer from broker {broker}{}", silence(source, context.report()))
            }
            MQClientError::NotRegistered { broker, source, context } => {
                let why = silence(source, context.report());
                write!(
                    line,
                    "broker {broker} does not know this client yet, and the heartbeat to it failed{why}"
                )
            }
            MQClientError::TimedOut { timeout, waited_for, .. } => {
                write!(line, "gave up after {timeout:?}: waited for {waited_for}")
            }
            MQClientError::NoReply { timeout, request } => write!(
                line,
                "no reply within {timeout:?} to request {}, which is stored in {} at offset {}: is there a consumer \
                 that replies?",
                request.msg_id, request.message_queue, request.queue_offset
            ),
            MQClientError::BadReply { request, source } => {
                write!(line, "the reply to request {} cannot be read: {source}", request.msg_id)
            }
            MQClientError::BadAnswer { peer, source, .. } => {
                write!(line, "the answer of {peer} cannot be read: {source}")
            }
            _ => line.write_str("given up on the way: the producer was shut down, or its runtime ended"),
        }
    }
}

/// Puts the topic first, unless the reason names it.
fn write_illegal(line: &mut String, source: &dyn Error, context: &Context) -> fmt::Result {
    let reason = source.to_string();
    match context.topic().filter(|topic| !reason.contains(topic)) {
        Some(topic) => write!(line, "illegal message for topic {topic}: {reason}"),
        None => write!(line, "illegal message: {reason}"),
    }
}

/// Why a request has no answer. Dialling errors name the address; for other errors it is put in front.
fn silence(source: &RemotingError, report: &SendReport) -> String {
    match source {
        RemotingError::Call { address, source: CallError::TimedOut } => {
            format!(" at {address}{}: the deadline passed", after(report))
        }
        RemotingError::Call { address, source } => format!(" at {address}: {}", with_causes(source)),
        RemotingError::Connect(DialError::GaveUp { .. }) => {
            format!("{}: {}", after(report), with_causes(source))
        }
        other => format!(": {}{}", with_causes(other), report.dialled()),
    }
}

/// The time that the last attempt took.
fn after(report: &SendReport) -> String {
    let took = report.attempts().last().map(|attempt| attempt.took);
    let millis = took.and_then(|took| u64::try_from(took.as_millis()).ok()).map(Duration::from_millis);
    millis.map_or_else(String::new, |took| format!(" after {took:?}"))
}

/// What to do when a broker refuses because of who asks. Brokers have no code of their own for it, and remarks that differ
/// from version to version.
fn access_hint(remark: &Option<Box<str>>) -> &'static str {
    let remark = remark.as_deref().unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| remark.contains(word));
    if says(&["username cannot be null", "No accessKey"]) {
        ": the broker wants credentials (set_credentials)"
    } else if remark.starts_with("User:") || says(&["AclException", "signature", "accessKey"]) {
        ": check the credentials (set_credentials)"
    } else {
        ""
    }
}

fn remark_text(remark: &Option<Box<str>>) -> String {
    remark.as_deref().map_or_else(String::new, |remark| format!(": {remark}"))
}

fn list(answers: &[NameServerAnswer]) -> String {
    let texts: Vec<String> = answers.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
