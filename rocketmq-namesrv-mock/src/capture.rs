//! The latest requests, kept for tests.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, RequestCode, ResponseCode};

use crate::MockError;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::wire::about;

/// The largest number of bytes that the fields of all kept requests may take.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A request that a server of the mock received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapturedRequest {
    /// The request code.
    pub code: RequestCode,
    /// When it was read from the socket, by the clock of the cluster.
    pub at: SystemTime,
    /// When it was answered; `None`: not yet, or never.
    pub answered_at: Option<SystemTime>,
    /// The code of the answer.
    pub answer: Option<ResponseCode>,
    /// The client's end of the connection, `ip:port`.
    pub peer: Arc<str>,
    /// The server that received it: the broker's name, or `namesrv-0`, `namesrv-1` ….
    pub server: Arc<str>,
    /// Whether the client asked for no answer.
    pub oneway: bool,
    /// The version that the client announced (`MQVersion`).
    pub version: i32,
    /// The fields of its header, under their names on the wire.
    pub fields: ExtFields,
    /// The length of its body in bytes.
    pub body_len: usize,
}

impl CapturedRequest {
    /// The topic that its header names.
    pub fn topic(&self) -> Option<Cow<'_, str>> {
        about::topic(self.code, &self.fields)
    }

    /// The group of producers or consumers that its header names.
    pub fn group(&self) -> Option<Cow<'_, str>> {
        about::group(self.code, &self.fields)
    }

    /// The time from request to answer.
    pub fn took(&self) -> Option<Duration> {
        // The clock may have been set back: then 0.
        self.answered_at.map(|at| at.duration_since(self.at).unwrap_or_default())
    }
}

/// The latest requests of all servers of a cluster.
#[derive(Debug)]
pub(crate) struct Capture {
    capacity: usize,
    clock: Arc<Clock>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<CapturedRequest>,
    /// The number of the first request that is kept.
    first: u64,
    /// Bytes of the fields of all kept requests.
    bytes: usize,
}

/// A captured request whose answer is still to be recorded.
#[derive(Debug)]
pub(crate) struct Noted {
    capture: Arc<Capture>,
    number: u64,
}

impl Capture {
    /// Keeps at most `capacity` requests; 0 switches it off.
    pub(crate) fn new(capacity: usize, clock: Arc<Clock>) -> Self {
        Self { capacity, clock, kept: Mutex::default() }
    }

    /// Records a request, and drops the oldest requests beyond the limits.
    pub(crate) fn note(
        self: &Arc<Self>,
        server: &Arc<str>,
        request: &RemotingCommand,
        peer: &Arc<str>,
    ) -> Option<Noted> {
        if self.capacity == 0 {
            return None;
        }
        let captured = CapturedRequest {
            code: request.request_code(),
            at: self.clock.system_time(),
            answered_at: None,
            answer: None,
            peer: peer.clone(),
            server: server.clone(),
            oneway: request.is_oneway(),
            version: request.version,
            fields: request.ext_fields.detached(),
            body_len: request.body.len(),
        };
        let mut kept = self.lock();
        kept.bytes += captured.fields.wire_len();
        kept.requests.push_back(captured);
        let number = kept.first + kept.requests.len() as u64 - 1;
        while kept.requests.len() > self.capacity || kept.bytes > MAX_BYTES {
            let Some(oldest) = kept.requests.pop_front() else { break };
            kept.bytes -= oldest.fields.wire_len();
            kept.first += 1;
        }
        Some(Noted { capture: self.clone(), number })
    }

    /// The requests, oldest first.
    pub(crate) fn requests(&self) -> Vec<CapturedRequest> {
        self.lock().requests.iter().cloned().collect()
    }

    /// Waits until there are at least `count` requests with this code, and returns them, oldest first.
    pub(crate) async fn wait_for(
        &self,
        changes: &Changes,
        code: RequestCode,
        count: usize,
        limit: Duration,
    ) -> Result<Vec<CapturedRequest>, MockError> {
        let of_code = |request: &&CapturedRequest| request.code == code;
        let there = || self.lock().requests.iter().filter(of_code).count();
        let enough = || {
            let kept = self.lock();
            let found: Vec<_> = kept.requests.iter().filter(of_code).collect();
            (found.len() >= count).then(|| found.into_iter().cloned().collect())
        };
        changes.wait(limit, enough).await.ok_or_else(|| {
            let there = format!("{} of {count} requests {code}", there());
            MockError::WaitedInVain { limit, there }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    /// Records the answer.
    pub(crate) fn answered(self, code: ResponseCode) {
        let mut kept = self.capture.lock();
        let index = self.number.checked_sub(kept.first).and_then(|index| usize::try_from(index).ok());
        if let Some(request) = index.and_then(|index| kept.requests.get_mut(index)) {
            request.answered_at = Some(self.capture.clock.system_time());
            request.answer = Some(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockKind;

    #[test]
    fn the_oldest_requests_are_forgotten_by_number_and_by_size() {
        let (server, peer): (Arc<str>, Arc<str>) = ("s".into(), "p".into());
        let capture = Arc::new(Capture::new(2, Clock::new(ClockKind::System)));
        let request = |text: &str| {
            RemotingCommand::request(RequestCode::PULL_MESSAGE).with_field("topic", text.to_owned())
        };
        let noted: Vec<_> =
            ["a", "b", "c"].map(|text| capture.note(&server, &request(text), &peer).unwrap()).into();
        noted.into_iter().for_each(|noted| noted.answered(ResponseCode::SUCCESS));
        let topics = || {
            let kept = capture.requests();
            kept.iter().map(|request| request.topic().unwrap().len()).collect::<Vec<_>>()
        };
        assert_eq!(capture.requests()[0].topic().as_deref(), Some("b"));
        assert!(capture.requests().iter().all(|request| request.answer == Some(ResponseCode::SUCCESS)));
        capture.note(&server, &request(&"x".repeat(MAX_BYTES - 100)), &peer);
        assert_eq!(topics(), [1, MAX_BYTES - 100]);
        capture.note(&server, &request(&"y".repeat(1000)), &peer);
        assert_eq!(topics(), [1000]);
        assert!(
            Arc::new(Capture::new(0, Clock::new(ClockKind::System)))
                .note(&server, &request("a"), &peer)
                .is_none()
        );
    }
}
