use std::time::SystemTime;

use bytes::Bytes;
use bytestring::ByteString;

use crate::backend::{Incoming, Tag};
use crate::event::{Envelope, FailureKind, FailureRecord, Position};

/// An event that a group could not handle.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The attributes that the publisher wrote beside the payload.
    pub envelope: Envelope,
    /// The payload, byte for byte.
    pub body: Bytes,
    /// The error of the last attempt, with its causes.
    pub reason: ByteString,
    /// How the last attempt failed.
    pub kind: FailureKind,
    /// Failed attempts.
    pub attempts: u32,
    /// When the first attempt failed.
    pub first: SystemTime,
    /// When the last attempt failed.
    pub last: SystemTime,
    /// Where the event was first read.
    pub origin: Position,
    /// The group that could not handle it.
    pub group: ByteString,
    /// How often it was put back before.
    pub replays: u32,
    pub(super) tag: Tag,
}

impl DeadLetter {
    /// A message that the broker itself put there has no record: only its place is known.
    pub(super) fn of(incoming: Incoming, group: &ByteString) -> Self {
        let Incoming { tag, mut envelope, body, position, .. } = incoming;
        let record = envelope.failure.take().map_or_else(
            || FailureRecord {
                group: group.clone(),
                attempts: 0,
                kind: FailureKind::Failed,
                reason: ByteString::from_static("the broker put it here"),
                first: envelope.time,
                last: envelope.time,
                origin: position,
                replays: 0,
            },
            |record| *record,
        );
        let FailureRecord { group, attempts, kind, reason, first, last, origin, replays } = record;
        Self { envelope, body, reason, kind, attempts, first, last, origin, group, replays, tag }
    }

    /// The record of a copy that is put back: its attempts are counted anew, its replays go on.
    pub(super) fn record(&self) -> FailureRecord {
        FailureRecord {
            group: self.group.clone(),
            attempts: 0,
            kind: self.kind,
            reason: self.reason.clone(),
            first: self.first,
            last: self.last,
            origin: self.origin.clone(),
            replays: self.replays + 1,
        }
    }
}
