//! The entrance for all requests to a server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::net::{Connection, Responder, TaskOwner};
use rocketmq_remoting::protocol::{ExtFields, NoHeader, RemotingCommand, ResponseCode, SerializeType};

use super::{FaultAction, Faults, Hit};
use crate::capture::Capture;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::cluster::{ServerChange, Servers};
use crate::history::History;
use crate::lines::{Line, Lines};
use crate::wire::{AnswerFault, Reply};

/// The remark that tells clients to reconnect.
pub(crate) const GO_AWAY_REMARK: &str = "please go away";

/// The last version without support for `GO_AWAY` (5.3.1).
pub(crate) const GO_AWAY_AFTER: i32 = 475;

/// Shared by all servers of a cluster: captures requests and applies fault rules.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) faults: Arc<Faults>,
    pub(crate) lines: Arc<Lines>,
    pub(crate) capture: Arc<Capture>,
    pub(crate) history: Arc<History>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) servers: Arc<Servers>,
    /// The header encoding of answers.
    pub(crate) serialize_type: SerializeType,
    /// Runs delayed work.
    pub(crate) tasks: TaskOwner,
}

/// The decision about a request.
struct Admitted {
    request: RemotingCommand,
    reply: Reply,
    /// The wait before it is carried out.
    delay: Option<Duration>,
    /// The fault after it is carried out.
    afterwards: Option<Afterwards>,
}

enum Afterwards {
    Close(Connection),
    Change(ServerChange),
}

impl Admission {
    /// Carries a request out, unless a rule says otherwise.
    pub(crate) fn serve(
        self: &Arc<Self>,
        server: &Arc<str>,
        request: RemotingCommand,
        responder: Responder,
        carry_out: impl FnOnce(RemotingCommand, Reply) + Send + 'static,
    ) {
        let noted = self.capture.note(server, &request, responder.connection().peer());
        let reply = Reply::new(responder, noted, self.changes.clone());
        let admitted = match self.faults.is_armed() {
            true => self.meet(server, request, reply),
            false => Some(Admitted { request, reply, delay: None, afterwards: None }),
        };
        match admitted {
            None => self.changes.tell(),
            Some(Admitted { request, reply, delay: None, afterwards }) => {
                carry_out(request, reply);
                self.finish(server, afterwards);
            }
            Some(Admitted { request, reply, delay: Some(delay), afterwards }) => {
                let (door, server) = (self.clone(), server.clone());
                self.changes.tell();
                self.tasks.spawn(async move {
                    door.clock.sleep(delay).await;
                    carry_out(request, reply);
                    door.finish(&server, afterwards);
                });
            }
        }
    }

    fn finish(&self, server: &Arc<str>, afterwards: Option<Afterwards>) {
        match afterwards {
            None => {}
            Some(Afterwards::Close(connection)) => connection.close(),
            Some(Afterwards::Change(change)) => self.servers.change(server, change, &self.tasks),
        }
        self.changes.tell();
    }

    /// Decides about a request; `None` if it is settled already.
    fn meet(&self, server: &Arc<str>, request: RemotingCommand, reply: Reply) -> Option<Admitted> {
        let ends = reply.connection().accepted();
        let line = ends.and_then(|ends| self.lines.find(ends));
        if line.as_ref().is_some_and(|line| line.is_deaf()) {
            // The request was read before the connection stopped reading.
            return None;
        }
        let address = ends.map(|ends| ends.local.to_string()).unwrap_or_default();
        let whole = |request, reply| Some(Admitted { request, reply, delay: None, afterwards: None });
        let Some(Hit { action }) = self.faults.next(server, &address, &request) else {
            return whole(request, reply);
        };
        match action {
            FaultAction::GoAway if request.version <= GO_AWAY_AFTER => whole(request, reply),
            FaultAction::Delay(delay) => Some(Admitted { delay: Some(delay), ..whole(request, reply)? }),
            action if action.carries_out() => {
                let afterwards = afterwards(&action, reply.connection());
                let (opaque, tasks) = (request.opaque, self.tasks.clone());
                let fault = AnswerFault { action, opaque, line, serialize_type: self.serialize_type, tasks };
                let reply = reply.with_fault(fault);
                Some(Admitted { afterwards, ..whole(request, reply)? })
            }
            action => {
                refuse(action, reply, line);
                None
            }
        }
    }
}

fn afterwards(action: &FaultAction, connection: &Connection) -> Option<Afterwards> {
    match action {
        FaultAction::CloseAfterwards => Some(Afterwards::Close(connection.clone())),
        FaultAction::Crash { back_after, new_port } => Some(Afterwards::Change(ServerChange::Down {
            noticed: false,
            back_after: *back_after,
            new_port: *new_port,
        })),
        FaultAction::Stop { back_after, new_port } => Some(Afterwards::Change(ServerChange::Down {
            noticed: true,
            back_after: *back_after,
            new_port: *new_port,
        })),
        FaultAction::ReadOnly(time) => Some(Afterwards::Change(ServerChange::ReadOnly(*time))),
        _ => None,
    }
}

/// Applies a fault that comes in place of carrying a request out.
fn refuse(action: FaultAction, reply: Reply, line: Option<Arc<Line>>) {
    let (none, no_body) = (ExtFields::absent(), Bytes::new());
    match action {
        FaultAction::Refuse { code, remark } => reply.answer(code, Some(&remark), &NoHeader, &none, &no_body),
        FaultAction::Answer { code, remark, fields, body } => {
            let fields: ExtFields = fields.into_iter().collect();
            let remark = Some(&*remark).filter(|remark| !remark.is_empty());
            reply.answer(code, remark, &NoHeader, &fields, &body);
        }
        FaultAction::GoAway => {
            reply.answer(ResponseCode::GO_AWAY, Some(GO_AWAY_REMARK), &NoHeader, &none, &no_body);
        }
        FaultAction::Close => reply.connection().close(),
        other => {
            if let Some(line) = &line {
                other.strike(line);
            }
        }
    }
}
