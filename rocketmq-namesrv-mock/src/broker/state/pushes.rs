//! Requests of brokers to clients. They meet the same fault rules as requests of clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::{CommandRef, EncodeHeader, RemotingCommand, RequestCode, ResponseCode};

use super::Broker;
use crate::clock::{Clock, deadline};
use crate::faults::{FaultAction, Faults};

/// Sends requests of a broker to clients.
#[derive(Debug, Clone)]
pub(crate) struct Pushes {
    faults: Arc<Faults>,
    clock: Arc<Clock>,
    server: Arc<str>,
    address: SocketAddr,
}

/// The fate of a request to a client under the fault rules.
enum Fate {
    /// It is sent this many times.
    Goes(usize),
    /// It never arrives.
    Lost,
}

impl Broker {
    /// The way to clients.
    pub(crate) fn pushes(&self) -> Pushes {
        Pushes {
            faults: self.faults.clone(),
            clock: self.clock.clone(),
            server: self.server.clone(),
            address: self.address(),
        }
    }
}

impl Pushes {
    /// Sends a request without an answer; it waits at most `limit` for room in the write buffer. Returns false if it
    /// could not be written; a request that a rule drops counts as written.
    pub(crate) async fn oneway<H: EncodeHeader + ?Sized>(
        &self,
        connection: &Connection,
        request: &CommandRef<'_, H>,
        limit: Duration,
    ) -> bool {
        let Fate::Goes(times) = self.fate(connection, request).await else { return true };
        for _ in 0..times {
            let deadline = deadline(limit);
            if connection.oneway(request, deadline).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Sends a request and waits at most `limit` for its answer. Returns true if the client accepted it.
    pub(crate) async fn call<H: EncodeHeader + ?Sized>(
        &self,
        connection: &Connection,
        request: &CommandRef<'_, H>,
        limit: Duration,
    ) -> bool {
        let deadline = deadline(limit);
        let Fate::Goes(times) = self.fate(connection, request).await else {
            self.clock.sleep(limit).await;
            return false;
        };
        let mut is_taken = false;
        for _ in 0..times {
            let answer = connection.call(request, deadline).await;
            is_taken |= answer.is_ok_and(|answer| answer.response_code() == ResponseCode::SUCCESS);
        }
        is_taken
    }

    /// Applies the rules to a request, including their delays.
    async fn fate<H: EncodeHeader + ?Sized>(
        &self,
        connection: &Connection,
        request: &CommandRef<'_, H>,
    ) -> Fate {
        if !self.faults.is_armed() {
            return Fate::Goes(1);
        }
        let request = RemotingCommand::request(RequestCode(request.code)).with_header(request.header);
        let hit = self.faults.next(&self.server, &self.address.to_string(), &request);
        match hit.map(|hit| hit.action) {
            Some(FaultAction::DropRequest | FaultAction::DropAnswer) => Fate::Lost,
            Some(FaultAction::Close | FaultAction::CloseAfterwards | FaultAction::Reset) => {
                connection.close();
                Fate::Lost
            }
            Some(FaultAction::Delay(delay) | FaultAction::DelayAnswer(delay)) => {
                self.clock.sleep(delay).await;
                Fate::Goes(1)
            }
            Some(FaultAction::AnswerTwice) => Fate::Goes(2),
            // All other faults concern answers that a client waits for.
            _ => Fate::Goes(1),
        }
    }
}
