//! From clients to servers: requests.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};

use super::answers::Expected;
use super::relay::Relay;
use super::{frames, routes};
use crate::capture::Noted;
use crate::faults::{FaultAction, GO_AWAY_AFTER, GO_AWAY_REMARK};
use crate::lines::{Emission, Then};

/// Passes a frame of a client on, or applies the rule that it meets.
pub(super) async fn pass(relay: &Arc<Relay>, frame: Bytes) -> io::Result<()> {
    let (site, gate) = (&relay.site, &relay.gate);
    let Some(request) = frames::look_into(&frame).filter(|command| !command.is_response()) else {
        return relay.to_server(&frame).await;
    };
    let noted = site.capture.note(&gate.name, &request, &relay.peer);
    let hit = match site.faults.is_armed() {
        true => site.faults.next(&gate.name, &gate.upstream, &request),
        false => None,
    };
    let fault = hit.map(|hit| hit.action);
    let passed = match fault {
        Some(FaultAction::GoAway) if request.version <= GO_AWAY_AFTER => {
            forward(relay, frame, &request, noted, None).await
        }
        Some(FaultAction::Delay(delay)) => {
            let relay = relay.clone();
            let tasks = relay.site.tasks.clone();
            tasks.spawn(async move {
                relay.site.clock.sleep(delay).await;
                // A write error means that the connection ended: nothing is left to do.
                let _ = forward(&relay, frame, &request, noted, None).await;
            });
            Ok(())
        }
        Some(fault) if fault.carries_out() => forward(relay, frame, &request, noted, Some(fault)).await,
        Some(fault) => {
            refuse(relay, &request, noted, fault);
            Ok(())
        }
        None => forward(relay, frame, &request, noted, None).await,
    };
    site.changes.tell();
    passed
}

async fn forward(
    relay: &Arc<Relay>,
    frame: Bytes,
    request: &RemotingCommand,
    noted: Option<Noted>,
    fault: Option<FaultAction>,
) -> io::Result<()> {
    let code = request.request_code();
    let addresses_of = (relay.gate.is_name_server && routes::tells_addresses(code)).then_some(code);
    if request.is_oneway() {
        relay.to_server(&frame).await?;
        // There will be no answer.
        if let Some(fault) = fault {
            Expected { noted: None, fault: Some(fault), addresses_of: None }.without_answer(relay);
        }
        return Ok(());
    }
    if noted.is_some() || fault.is_some() || addresses_of.is_some() {
        relay.expect(request.opaque, Expected { noted, fault, addresses_of });
    }
    relay.to_server(&frame).await
}

/// Applies a fault that comes in place of passing a request on.
fn refuse(relay: &Relay, request: &RemotingCommand, noted: Option<Noted>, fault: FaultAction) {
    let line = &relay.line;
    let answer = |answer: RemotingCommand| {
        if request.is_oneway() {
            return;
        }
        let code = answer.response_code();
        let answer = RemotingCommand {
            opaque: request.opaque,
            serialize_type: request.serialize_type,
            language: rocketmq_remoting::protocol::LanguageCode::JAVA,
            ..answer
        };
        if let Some(frame) = frames::frame(&answer) {
            if let Some(noted) = noted {
                noted.answered(code);
            }
            line.emit(Emission::new(frame, Then::Stay));
        }
    };
    match fault {
        FaultAction::Refuse { code, remark } => answer(RemotingCommand::response(code).with_remark(remark)),
        FaultAction::Answer { code, remark, fields, body } => {
            let mut made_up = RemotingCommand::response(code).with_body(body);
            made_up.ext_fields = fields.into_iter().collect();
            answer(if remark.is_empty() { made_up } else { made_up.with_remark(remark) });
        }
        FaultAction::GoAway => {
            answer(RemotingCommand::response(ResponseCode::GO_AWAY).with_remark(GO_AWAY_REMARK));
        }
        other => other.strike(line),
    }
}
