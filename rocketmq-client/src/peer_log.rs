//! Logs when a broker or NameServer goes, and when it is back: once each, and nothing while all is well.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::CallError;
use rocketmq_remoting::protocol::ResponseCode;
use tokio::time::Instant;

use crate::error::{MQClientError, with_causes};

/// A peer that comes and goes is not reported more often than this.
const AT_MOST_EVERY: Duration = Duration::from_secs(30);

/// The peers that are in trouble.
#[derive(Debug, Default)]
pub(crate) struct PeerLog {
    /// The number of peers below: mostly 0, which is all that a successful send looks at.
    count: AtomicUsize,
    peers: Mutex<HashMap<Box<str>, PeerState>>,
}

/// A peer that failed at least once.
#[derive(Debug, Default)]
struct PeerState {
    /// Since when it has failed, if its last request did.
    failing_since: Option<Instant>,
    /// When its trouble was last reported.
    reported: Option<Instant>,
    /// The present trouble is reported, so that its end will be, too.
    is_reported: bool,
}

impl PeerState {
    /// Whether this failure is to be reported.
    fn failed(&mut self, now: Instant) -> bool {
        self.failing_since.get_or_insert(now);
        if self.is_reported || self.reported.is_some_and(|reported| now < reported + AT_MOST_EVERY) {
            return false;
        }
        (self.reported, self.is_reported) = (Some(now), true);
        true
    }

    /// How long the trouble was that ends now, if it was reported.
    fn answered(&mut self, now: Instant) -> Option<Duration> {
        let since = self.failing_since.take()?;
        std::mem::take(&mut self.is_reported).then(|| now - since)
    }
}

impl PeerLog {
    /// Notes how a message to a broker went.
    #[inline]
    pub(crate) fn sent(&self, broker: &str, failure: Option<&MQClientError>) {
        match failure {
            None => self.answered("broker", broker),
            Some(failure) => self.message_failed(broker, failure),
        }
    }

    /// Notes how a request went, to a broker or NameServer.
    pub(crate) fn asked<T>(&self, kind: &'static str, peer: &str, answer: &Result<T, RemotingError>) {
        match answer {
            Ok(_) => self.answered(kind, peer),
            Err(error) if is_trouble(error) => self.failed(kind, peer, || with_causes(error)),
            // It answers, and that is all that matters here.
            Err(RemotingError::Refused { .. }) => self.answered(kind, peer),
            Err(_) => {}
        }
    }

    #[cold]
    fn message_failed(&self, broker: &str, failure: &MQClientError) {
        let is_trouble = match failure {
            MQClientError::Remoting { source, .. } | MQClientError::NotRegistered { source, .. } => {
                is_trouble(source)
            }
            other => other.response_code().is_some_and(is_refusal_of_service),
        };
        if is_trouble {
            self.failed("broker", broker, || failure.to_string());
        }
    }

    #[inline]
    fn answered(&self, kind: &'static str, peer: &str) {
        if self.count.load(Ordering::Relaxed) > 0 {
            self.is_back(kind, peer);
        }
    }

    #[cold]
    fn is_back(&self, kind: &'static str, peer: &str) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = peers.get_mut(peer) else { return };
        if let Some(away) = state.answered(Instant::now()) {
            tracing::info!(peer, ?away, "the {kind} is back");
        }
        // A peer that was reported a moment ago is kept, so that it is not reported again too soon.
        if state.reported.is_none_or(|reported| reported.elapsed() >= AT_MOST_EVERY) {
            peers.remove(peer);
            self.count.store(peers.len(), Ordering::Relaxed);
        }
    }

    fn failed(&self, kind: &'static str, peer: &str, error: impl FnOnce() -> String) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.entry(peer.into()).or_default().failed(Instant::now()) {
            tracing::warn!(
                peer,
                error = error(),
                "the {kind} is gone or refuses: nothing more until it is back"
            );
        }
        self.count.store(peers.len(), Ordering::Relaxed);
    }
}

/// Whether the peer is gone, silent, or refuses all requests. An error that one request caused says nothing about its
/// peer.
fn is_trouble(error: &RemotingError) -> bool {
    match error {
        RemotingError::Connect(_) => true,
        RemotingError::Call { source, .. } => {
            matches!(source, CallError::TimedOut | CallError::NoRoom | CallError::Ended { .. })
        }
        RemotingError::Refused { code, .. } => is_refusal_of_service(*code),
        _ => false,
    }
}

fn is_refusal_of_service(code: ResponseCode) -> bool {
    [
        ResponseCode::SYSTEM_ERROR,
        ResponseCode::SYSTEM_BUSY,
        ResponseCode::SERVICE_NOT_AVAILABLE,
        ResponseCode::NO_PERMISSION,
        ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
    ]
    .contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn trouble_is_reported_once_and_so_is_its_end() {
        let (mut peer, now) = (PeerState::default(), Instant::now());
        assert_eq!(peer.answered(now), None, "all is well");
        assert!(peer.failed(now) && !peer.failed(now + SECOND) && !peer.failed(now + 100 * SECOND));
        assert_eq!(peer.answered(now + 101 * SECOND), Some(101 * SECOND));
        assert_eq!(peer.answered(now + 102 * SECOND), None);
        assert!(peer.failed(now + 103 * SECOND), "again");
    }

    #[test]
    fn a_peer_that_comes_and_goes_is_reported_now_and_then() {
        let (mut peer, now) = (PeerState::default(), Instant::now());
        let (mut warnings, mut ends) = (0, 0);
        for second in 0..60 {
            warnings += u32::from(peer.failed(now + second * SECOND));
            ends += u32::from(peer.answered(now + second * SECOND).is_some());
        }
        assert_eq!((warnings, ends), (2, 2));
    }

    #[test]
    fn a_request_at_fault_says_nothing_about_its_peer() {
        let refused = |code| RemotingError::Refused { address: "a:1".into(), code, remark: None };
        assert!(is_trouble(&refused(ResponseCode::NO_PERMISSION)));
        for code in
            [ResponseCode::TOPIC_NOT_EXIST, ResponseCode::MESSAGE_ILLEGAL, ResponseCode::INVALID_PARAMETER]
        {
            assert!(!is_trouble(&refused(code)), "{code}");
        }
        let log = PeerLog::default();
        log.sent("a:1", Some(&MQClientError::from_remoting("a", refused(ResponseCode::MESSAGE_ILLEGAL))));
        assert_eq!(log.count.load(Ordering::Relaxed), 0);
        log.sent("a:1", Some(&MQClientError::from_remoting("a", refused(ResponseCode::NO_PERMISSION))));
        assert_eq!(log.count.load(Ordering::Relaxed), 1);
    }
}
