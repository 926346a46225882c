//! From servers to clients: answers, and requests of brokers.

use std::sync::Arc;

use bytes::Bytes;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use super::relay::Relay;
use super::{frames, routes};
use crate::capture::Noted;
use crate::faults::FaultAction;
use crate::lines::{Emission, Then};
use crate::wire::answer_frames;

/// The plan for the answer to a request.
pub(super) struct Expected {
    pub(super) noted: Option<Noted>,
    pub(super) fault: Option<FaultAction>,
    /// The request's code, if its answer holds addresses of brokers.
    pub(super) addresses_of: Option<RequestCode>,
}

/// Returns the frame to write to the client; `None` if nothing is written here.
pub(super) async fn pass(relay: &Arc<Relay>, frame: Bytes) -> Option<Bytes> {
    if relay.expects_nothing() {
        return Some(frame);
    }
    let Some(command) = frames::look_into(&frame) else { return Some(frame) };
    if !command.is_response() {
        return push(relay, frame, &command);
    }
    let Some(Expected { noted, fault, addresses_of }) = relay.take_expected(command.opaque) else {
        return Some(frame);
    };
    let mut frame = frame;
    if let Some(code) = addresses_of {
        let body = routes::through_the_proxy(&relay.site, code, &command.body).await;
        frame = body.and_then(|body| frames::with_body(&frame, body.as_bytes())).unwrap_or(frame);
    }
    let told =
        fault.as_ref().map_or(Some(command.response_code()), |fault| fault.told(command.response_code()));
    if let (Some(noted), Some(code)) = (noted, told) {
        noted.answered(code);
    }
    relay.site.changes.tell();
    match fault {
        None => Some(frame),
        Some(fault) => go_wrong(relay, frame, command, fault),
    }
}

fn go_wrong(relay: &Arc<Relay>, frame: Bytes, answer: RemotingCommand, fault: FaultAction) -> Option<Bytes> {
    match fault {
        FaultAction::AnswerWith { code, remark } => {
            let changed = RemotingCommand { code: code.0, ..frames::look_into(&frame)? };
            return frames::frame(&changed.with_remark(remark));
        }
        FaultAction::ChangeAnswer(change) => return frames::frame(&change.apply(frames::look_into(&frame)?)),
        FaultAction::StrayAnswer => {
            let stray = answer_frames::stray_opaque(answer.opaque);
            let stray =
                frames::look_into(&frame).and_then(|answer| frames::frame(&answer.with_opaque(stray)));
            answer_frames::write(&fault, frame, stray, &relay.line, &relay.site.tasks);
        }
        FaultAction::CloseAfterwards | FaultAction::Crash { .. } => {
            Expected { noted: None, fault: Some(fault), addresses_of: None }.without_answer(relay);
        }
        fault => answer_frames::write(&fault, frame, None, &relay.line, &relay.site.tasks),
    }
    None
}

impl Expected {
    /// Applies the fault of a request that was carried out and gets no answer.
    pub(super) fn without_answer(self, relay: &Relay) {
        match self.fault {
            Some(FaultAction::CloseAfterwards) => {
                relay.line.emit(Emission::new(Bytes::new(), Then::Close));
            }
            Some(FaultAction::Crash { back_after, new_port }) => {
                relay.site.tasks.spawn(relay.gate.clone().crash(back_after, new_port));
            }
            _ => {}
        }
    }
}

/// Passes on a request of the server. Its answer goes the other way and is not expected here.
fn push(relay: &Arc<Relay>, frame: Bytes, request: &RemotingCommand) -> Option<Bytes> {
    let hit = relay.site.faults.next(&relay.gate.name, &relay.gate.upstream, request);
    match hit.map(|hit| hit.action) {
        None => return Some(frame),
        Some(FaultAction::Delay(delay) | FaultAction::DelayAnswer(delay)) => {
            let delayed = FaultAction::DelayAnswer(delay);
            answer_frames::write(&delayed, frame, None, &relay.line, &relay.site.tasks);
        }
        Some(
            fault @ (FaultAction::CutAnswer { .. }
            | FaultAction::CorruptAnswer { .. }
            | FaultAction::AnswerTwice
            | FaultAction::Trickle(_)),
        ) => answer_frames::write(&fault, frame, None, &relay.line, &relay.site.tasks),
        Some(FaultAction::DropRequest | FaultAction::DropAnswer) => {}
        Some(fault @ (FaultAction::Close | FaultAction::Reset | FaultAction::Garbage(_))) => {
            fault.strike(&relay.line);
        }
        // All other faults concern answers that a client waits for.
        Some(_) => return Some(frame),
    }
    None
}
