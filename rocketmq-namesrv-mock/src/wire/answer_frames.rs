//! Frames of answers that go wrong on the way.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rocketmq_remoting::net::TaskOwner;

use crate::faults::FaultAction;
use crate::lines::{Emission, Line, Then};

/// The id of a request that the client never made, from the id of a request that it did make.
pub(crate) fn stray_opaque(opaque: i32) -> i32 {
    // Far from all ids in flight.
    opaque.wrapping_add(1 << 30)
}

/// Writes the frame of an answer with a fault; `stray` goes out before it.
pub(crate) fn write(
    action: &FaultAction,
    frame: Bytes,
    stray: Option<Bytes>,
    line: &Arc<Line>,
    tasks: &TaskOwner,
) {
    let whole = |bytes| Emission::new(bytes, Then::Stay);
    match action {
        FaultAction::DelayAnswer(delay) => {
            let (line, delay) = (line.clone(), *delay);
            tasks.spawn(async move {
                line.clock().sleep(delay).await;
                line.emit(whole(frame));
            });
        }
        FaultAction::CutAnswer { at, reset } => {
            let then = if *reset { Then::Reset } else { Then::Close };
            line.emit(Emission::new(frame.slice(..frame.len().min(*at)), then));
        }
        FaultAction::CorruptAnswer { at } => line.emit(whole(corrupt(frame, *at))),
        FaultAction::AnswerTwice => {
            line.emit(whole(frame.clone()));
            line.emit(whole(frame));
        }
        FaultAction::StrayAnswer => {
            stray.into_iter().for_each(|stray| line.emit(whole(stray)));
            line.emit(whole(frame));
        }
        FaultAction::Trickle(pace) => line.emit(Emission { pace: Some(*pace), ..whole(frame) }),
        // All other faults write no answer here.
        _ => {}
    }
}

/// Flips all bits of one byte.
fn corrupt(frame: Bytes, at: i64) -> Bytes {
    let length = i64::try_from(frame.len()).unwrap_or(i64::MAX);
    let place = if at < 0 { at + length } else { at };
    let mut frame = BytesMut::from(frame);
    if let Some(byte) = usize::try_from(place).ok().and_then(|place| frame.get_mut(place)) {
        *byte = !*byte;
    }
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_is_corrupted_counted_from_either_end() {
        let frame = || Bytes::from_static(&[1, 2, 3]);
        assert_eq!(corrupt(frame(), 0)[..], [254, 2, 3]);
        assert_eq!(corrupt(frame(), -1)[..], [1, 2, 252]);
        assert_eq!(corrupt(frame(), 3), frame());
        assert_eq!(corrupt(frame(), -4), frame());
    }
}
