use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::protocol::body::encode_body;
use tokio::time::{Instant, timeout_at};

use super::groups::{Groups, Membership};
use crate::error::{MQClientError, with_causes};
use crate::mq_client_api::{Group, MQClientApi};
use crate::peer_log::PeerLog;
use crate::waiting;

/// A broker forgets a silent connection after 120 s, and looks every 10 s.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(150);

/// Sends heartbeats, and records the version that each broker knows. A broker remembers a client only while the
/// connection lasts: its pushes (replies, transaction checks) come on that connection.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    api: Arc<MQClientApi>,
    client_id: Arc<str>,
    groups: Arc<Groups>,
    /// Ordered, so that each run of a simulation does the same.
    told: Mutex<BTreeMap<Arc<str>, Arc<Told>>>,
}

/// The last heartbeat to a broker. The lock is held during a request, so that no older heartbeat, which still names a
/// group, arrives after the group has left.
type Told = tokio::sync::Mutex<Option<LastTold>>;

#[derive(Debug, Clone, Copy)]
struct LastTold {
    /// The id of its connection.
    connection: u64,
    /// Its version of the registry.
    version: u64,
    /// Since when the broker knows this connection; `None` for the first one, before which it knew none of this client.
    since: Option<Instant>,
}

impl Heartbeats {
    pub(crate) fn new(api: Arc<MQClientApi>, client_id: Arc<str>, groups: Arc<Groups>) -> Self {
        Self { api, client_id, groups, told: Mutex::default() }
    }

    pub(crate) fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }

    /// Sends a broker a heartbeat, even if it knows this version.
    pub(crate) async fn send(&self, address: &Arc<str>) -> Result<(), RemotingError> {
        let told = self.told(address);
        let mut told = told.lock().await;
        self.tell(address, &mut told, Instant::now() + self.api.timeout()).await
    }

    pub(crate) fn peers(&self) -> &PeerLog {
        self.api.peers()
    }

    /// Makes sure that a broker knows all groups of this client on the connection that is open now. Sends a heartbeat
    /// only if the broker does not.
    pub(crate) async fn reach(&self, address: &Arc<str>, deadline: Instant) -> Result<(), MQClientError> {
        let began = Instant::now();
        let told = self.told(address);
        let reached = timeout_at(deadline, async {
            let mut told = told.lock().await;
            let open = self.api.remoting().connection(address).map(|connection| connection.id());
            if told.is_some_and(|told| told.covers(open, self.groups.version())) {
                return Ok(());
            }
            let deadline = deadline.min(Instant::now() + self.api.timeout());
            self.tell(address, &mut told, deadline).await
        });
        match reached.await {
            Ok(reached) => reached.map_err(|source| MQClientError::NotRegistered {
                broker: address.clone(),
                source: Arc::new(source),
                context: Box::default(),
            }),
            Err(_) => Err(MQClientError::TimedOut {
                timeout: deadline.saturating_duration_since(began),
                waited_for: "a heartbeat that makes this client known to the broker",
                context: Box::default(),
            }),
        }
    }

    /// Whether a broker can know one connection of this client only: connections that were replaced are forgotten by now, even
    /// those that ended unnoticed.
    pub(crate) async fn knows_one_connection(&self, address: &Arc<str>) -> bool {
        let told = *self.told(address).lock().await;
        told.is_some_and(|told| told.is_alone(Instant::now()))
    }

    /// Whether a broker knows all groups of this client on the connection that is open now. While a heartbeat is on its way, the
    /// connection alone counts.
    pub(crate) fn is_known_to(&self, address: &Arc<str>) -> bool {
        let open = self.api.remoting().connection(address).map(|connection| connection.id());
        // The lock is held during a request.
        self.told(address)
            .try_lock()
            .map_or(open.is_some(), |told| told.is_some_and(|told| told.covers(open, self.groups.version())))
    }

    /// Removes a group from the registry and tells every broker that got a heartbeat that the group leaves (35).
    /// Returns the brokers that could not be told before the deadline.
    pub(crate) async fn leave(&self, membership: &Membership, deadline: Instant) -> Vec<Arc<str>> {
        // End the membership first: no later heartbeat may name the group.
        membership.end();
        let told: Vec<(Arc<str>, Arc<Told>)> = {
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.iter().map(|(address, told)| (address.clone(), told.clone())).collect()
        };
        let goodbyes = told.into_iter().map(|(address, told)| async move {
            let said = timeout_at(deadline, self.say_goodbye(&address, &told, membership.group(), deadline));
            match said.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => {
                    tracing::debug!(broker = %address, error = with_causes(&error), "cannot unregister");
                    Some(address)
                }
                Err(_) => Some(address),
            }
        });
        waiting::all(goodbyes).await.into_iter().flatten().collect()
    }

    /// Forgets brokers with other addresses, unless they are connected.
    pub(crate) fn keep(&self, addresses: &[Arc<str>]) {
        let connected = |address: &str| self.api.remoting().connection(address).is_some();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|address, _| addresses.contains(address) || connected(address));
    }

    async fn say_goodbye(
        &self,
        address: &Arc<str>,
        told: &Told,
        group: &Group,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let told = told.lock().await;
        let open = self.api.remoting().connection(address).map(|connection| connection.id());
        // On a new connection the broker knows nothing about this client.
        if told.is_none_or(|told| open != Some(told.connection)) {
            return Ok(());
        }
        self.api.unregister(address, &self.client_id, group, deadline).await
    }

    async fn tell(
        &self,
        address: &str,
        told: &mut Option<LastTold>,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let Some((version, data)) = self.groups.heartbeat(&self.client_id) else { return Ok(()) };
        // Cannot fail: the data consist of texts and numbers.
        let data = encode_body(&data).unwrap_or_default();
        let connection = self.api.remoting().connect(address, deadline).await?;
        self.api.heartbeat(&connection, &data, deadline).await?;
        *told = Some(LastTold::after(*told, connection.id(), version, Instant::now()));
        Ok(())
    }

    fn told(&self, address: &Arc<str>) -> Arc<Told> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.entry(address.clone()).or_default().clone()
    }
}

impl LastTold {
    /// Whether the broker has forgotten the connections before this one.
    fn is_alone(&self, now: Instant) -> bool {
        self.since.is_none_or(|since| now.saturating_duration_since(since) > FORGOTTEN_AFTER)
    }

    /// Notes a heartbeat that came after `before`.
    fn after(before: Option<Self>, connection: u64, version: u64, now: Instant) -> Self {
        let since = match before {
            Some(before) if before.connection == connection => before.since,
            before => before.map(|_| now),
        };
        Self { connection, version, since }
    }

    /// Whether a broker that got this heartbeat knows `version` on the open connection.
    fn covers(&self, open: Option<u64>, version: u64) -> bool {
        open == Some(self.connection) && self.version >= version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_connection_may_be_known_for_two_minutes() {
        let start = Instant::now();
        let first = LastTold::after(None, 7, 1, start);
        assert!(first.is_alone(start), "there was none before");
        let second = LastTold::after(Some(first), 8, 1, start);
        assert!(
            !second.is_alone(start + Duration::from_secs(149)),
            "the broker may not have noticed its end"
        );
        let later = start + Duration::from_secs(151);
        assert!(LastTold::after(Some(second), 8, 2, later).is_alone(later), "it has by now");
    }

    #[test]
    fn a_broker_knows_what_it_was_told_on_the_connection_that_is_open() {
        let told = LastTold { connection: 7, version: 3, since: None };
        assert!(told.covers(Some(7), 3), "told");
        assert!(told.covers(Some(7), 2), "told, and of more");
        assert!(!told.covers(Some(7), 4), "a group came later");
        assert!(!told.covers(Some(8), 3), "another connection");
        assert!(!told.covers(None, 3), "no connection");
    }
}
