//! The requests that came in lately.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};
use std::sync::Arc;

/// A request that a server of the mock got.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapturedRequest {
    /// What was asked for.
    pub code: RequestCode,
    /// When it was read from the socket.
    pub at: SystemTime,
    /// The client's end of the connection, `ip:port`.
    pub peer: Arc<str>,
    /// The server that got it: the broker's name, or `namesrv-0`, `namesrv-1` ….
    pub server: Arc<str>,
    /// Whether the client wanted no answer.
    pub oneway: bool,
    /// The version that the client said to have (`MQVersion`).
    pub version: i32,
}

/// The last requests of all servers of a cluster.
#[derive(Debug)]
pub(crate) struct Capture {
    capacity: usize,
    requests: Mutex<VecDeque<CapturedRequest>>,
}

impl Capture {
    /// Keeps at most `capacity` requests; 0 switches it off.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, requests: Mutex::default() }
    }

    /// Notes a request, and forgets the oldest one if there are too many.
    pub(crate) fn note(&self, server: &Arc<str>, request: &RemotingCommand, connection: &Connection) {
        if self.capacity == 0 {
            return;
        }
        let captured = CapturedRequest {
            code: request.request_code(),
            at: SystemTime::now(),
            peer: connection.peer().clone(),
            server: server.clone(),
            oneway: request.is_oneway(),
            version: request.version,
        };
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == self.capacity {
            requests.pop_front();
        }
        requests.push_back(captured);
    }

    /// The requests, oldest first.
    pub(crate) fn requests(&self) -> Vec<CapturedRequest> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().cloned().collect()
    }
}
