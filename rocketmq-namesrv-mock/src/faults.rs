//! What servers are to do wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::net::Responder;
use rocketmq_remoting::protocol::{ExtFields, NoHeader, RemotingCommand, RequestCode, ResponseCode};

use crate::wire::{Reply, ReplyFault};

/// What a server does wrong with the requests that a [`Fault`] is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultAction {
    /// It answers this instead of carrying the request out: `SYSTEM_BUSY`, `GO_AWAY`, any number.
    Refuse {
        /// The code of the answer.
        code: ResponseCode,
        /// The remark of the answer.
        remark: String,
    },
    /// It carries the request out and answers with another code: a message that is stored with
    /// `FLUSH_DISK_TIMEOUT`, `SLAVE_NOT_AVAILABLE` or `FLUSH_SLAVE_TIMEOUT`. The fields of the answer stay.
    AnswerWith {
        /// The code of the answer.
        code: ResponseCode,
        /// The remark of the answer.
        remark: String,
    },
    /// It leaves the request alone for this long by the clock of the system.
    Delay(Duration),
    /// It does not carry the request out, and says nothing.
    DropRequest,
    /// It carries the request out, and says nothing.
    DropAnswer,
    /// It closes the connection without carrying the request out.
    Close,
    /// It carries the request out and closes the connection instead of answering.
    CloseAfterwards,
}

/// Which requests go wrong, and how. See [`MockCluster::inject`](crate::MockCluster::inject).
///
/// ```
/// use rocketmq_namesrv_mock::{Fault, FaultAction};
/// use rocketmq_remoting::protocol::ResponseCode;
///
/// let busy = FaultAction::Refuse { code: ResponseCode::SYSTEM_BUSY, remark: "[TIMEOUT_CLEAN_QUEUE]".into() };
/// let twice = Fault::on_sends(busy).topic("TopicTest").server("broker-a").times(2);
/// assert_eq!(twice.times, Some(2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The requests that it is about; empty for all.
    pub codes: Vec<RequestCode>,
    /// Only requests of this topic.
    pub topic: Option<String>,
    /// Only requests to this server: a broker's name, or `namesrv-0` ….
    pub server: Option<String>,
    /// How many requests go well before.
    pub after: u32,
    /// How many requests go wrong then; `None` for all.
    pub times: Option<u32>,
    /// What goes wrong.
    pub action: FaultAction,
}

impl Fault {
    /// For requests of one kind.
    pub fn on(code: RequestCode, action: FaultAction) -> Self {
        Self { codes: vec![code], ..Self::on_all(action) }
    }

    /// For all sends of messages, whichever request carries them: 10, 310, 320, 324, 325.
    pub fn on_sends(action: FaultAction) -> Self {
        let codes = vec![
            RequestCode::SEND_MESSAGE,
            RequestCode::SEND_MESSAGE_V2,
            RequestCode::SEND_BATCH_MESSAGE,
            RequestCode::SEND_REPLY_MESSAGE,
            RequestCode::SEND_REPLY_MESSAGE_V2,
        ];
        Self { codes, ..Self::on_all(action) }
    }

    /// For all requests.
    pub fn on_all(action: FaultAction) -> Self {
        Self { codes: Vec::new(), topic: None, server: None, after: 0, times: None, action }
    }

    /// Only for requests of this topic.
    #[must_use]
    pub fn topic(self, topic: impl Into<String>) -> Self {
        Self { topic: Some(topic.into()), ..self }
    }

    /// Only for requests to this server: a broker's name, or `namesrv-0` ….
    #[must_use]
    pub fn server(self, server: impl Into<String>) -> Self {
        Self { server: Some(server.into()), ..self }
    }

    /// Lets so many requests go well first.
    #[must_use]
    pub fn after(self, requests: u32) -> Self {
        Self { after: requests, ..self }
    }

    /// Only so many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    fn fits(&self, server: &str, request: &RemotingCommand) -> bool {
        let has_code = self.codes.is_empty() || self.codes.contains(&request.request_code());
        let has_server = self.server.as_ref().is_none_or(|wanted| wanted == server);
        has_code
            && has_server
            && self.topic.as_ref().is_none_or(|wanted| topic(request) == Some(wanted.as_str().into()))
    }
}

/// The faults of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// There is any: the one thing that every request looks at.
    armed: AtomicBool,
    faults: Mutex<Vec<Fault>>,
}

/// What a server has to do with a request.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) request: RemotingCommand,
    pub(crate) reply: Reply,
    /// How long it has to wait first.
    pub(crate) delay: Option<Duration>,
}

impl Faults {
    pub(crate) fn inject(&self, fault: Fault) {
        let mut faults = self.lock();
        faults.push(fault);
        self.armed.store(true, Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        let mut faults = self.lock();
        faults.clear();
        self.armed.store(false, Ordering::Release);
    }

    /// Decides on a request; `None` if it is done with already.
    pub(crate) fn admit(
        &self,
        server: &str,
        request: RemotingCommand,
        responder: Responder,
    ) -> Option<Admitted> {
        let action = if self.armed.load(Ordering::Acquire) { self.next(server, &request) } else { None };
        let (reply, delay) = match action {
            None => (Reply::new(responder), None),
            Some(FaultAction::Delay(delay)) => (Reply::new(responder), Some(delay)),
            Some(FaultAction::AnswerWith { code, remark }) => {
                (Reply::with_fault(responder, ReplyFault::Change(code, remark)), None)
            }
            Some(FaultAction::DropAnswer) => (Reply::with_fault(responder, ReplyFault::Drop), None),
            Some(FaultAction::CloseAfterwards) => (Reply::with_fault(responder, ReplyFault::Close), None),
            Some(FaultAction::DropRequest) => return None,
            Some(FaultAction::Close) => {
                responder.connection().close();
                return None;
            }
            Some(FaultAction::Refuse { code, remark }) => {
                responder.answer(code, Some(&remark), &NoHeader, &ExtFields::absent(), &Bytes::new());
                return None;
            }
        };
        Some(Admitted { request, reply, delay })
    }

    /// What goes wrong with a request: the first fault that fits and is not used up.
    fn next(&self, server: &str, request: &RemotingCommand) -> Option<FaultAction> {
        let mut faults = self.lock();
        for fault in faults.iter_mut().filter(|fault| fault.fits(server, request)) {
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            match &mut fault.times {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => {}
            }
            return Some(fault.action.clone());
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The topic of a request; sends in the short form have it under a short name.
fn topic(request: &RemotingCommand) -> Option<std::borrow::Cow<'_, str>> {
    let name = match request.request_code() {
        RequestCode::SEND_MESSAGE_V2
        | RequestCode::SEND_BATCH_MESSAGE
        | RequestCode::SEND_REPLY_MESSAGE_V2 => "b",
        _ => "topic",
    };
    request.ext_fields.get(name)
}
