//! What brokers ask of clients, which meets the same rules as what clients ask.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::{CommandRef, EncodeHeader, RemotingCommand, RequestCode, ResponseCode};

use super::Broker;
use crate::clock::{Clock, deadline};
use crate::faults::{FaultAction, Faults};

/// The way from a broker to clients.
#[derive(Debug, Clone)]
pub(crate) struct Pushes {
    faults: Arc<Faults>,
    clock: Arc<Clock>,
    server: Arc<str>,
    address: SocketAddr,
}

/// What becomes of a request to a client.
enum Fate {
    /// It goes out this number of times.
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
    /// Sends a request that needs no answer; it may wait up to `limit` for room in the write buffer. False if it could not
    /// be written; one that a rule takes away was.
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

    /// Sends a request and waits up to `limit` for its answer. True if the client accepted it.
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

    /// Lets a request meet the rules, and waits if one of them says so.
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
            // All others are about answers that a client waits for.
            _ => Fate::Goes(1),
        }
    }
}
