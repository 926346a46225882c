use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rocketmq_remoting::client::RemotingError;
use tokio::time::{Instant, timeout_at};

use crate::error::MQClientError;
use crate::mq_client_api::MQClientApi;

/// Tells brokers who this client is, and knows whom it has told. A broker remembers it for as long as the connection
/// lasts: what it pushes (replies, questions about transactions) comes on that connection.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    api: Arc<MQClientApi>,
    /// A `HeartbeatData`.
    data: Bytes,
    told: Mutex<HashMap<Arc<str>, Arc<Told>>>,
}

/// The id of the connection on which a broker was told. One heartbeat to a broker at a time.
type Told = tokio::sync::Mutex<Option<u64>>;

impl Heartbeats {
    pub(crate) fn new(api: Arc<MQClientApi>, data: Bytes) -> Self {
        Self { api, data, told: Mutex::default() }
    }

    /// Tells a broker, whether it knows or not.
    pub(crate) async fn send(&self, address: &Arc<str>) -> Result<(), RemotingError> {
        let told = self.told(address);
        let mut told = told.lock().await;
        self.tell(address, &mut told, Instant::now() + self.api.timeout()).await
    }

    /// Makes sure that a broker knows this client on the connection that is open now. It costs a request only if it
    /// does not.
    pub(crate) async fn reach(&self, address: &Arc<str>, deadline: Instant) -> Result<(), MQClientError> {
        let began = Instant::now();
        let told = self.told(address);
        let reached = timeout_at(deadline, async {
            let mut told = told.lock().await;
            let open = self.api.remoting().connection(address);
            if open.is_some_and(|connection| *told == Some(connection.id())) {
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

    /// Forgets the brokers that are not among these.
    pub(crate) fn keep(&self, addresses: &[Arc<str>]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|address, _| addresses.contains(address));
    }

    async fn tell(
        &self,
        address: &str,
        told: &mut Option<u64>,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let connection = self.api.remoting().connect(address, deadline).await?;
        self.api.heartbeat(&connection, &self.data, deadline).await?;
        *told = Some(connection.id());
        Ok(())
    }

    fn told(&self, address: &Arc<str>) -> Arc<Told> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.entry(address.clone()).or_default().clone()
    }
}
