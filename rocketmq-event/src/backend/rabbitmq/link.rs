use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::tls;
use crate::backend::BackendError;

/// TCP, handshake and login.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// RabbitMQ itself gives up a queue that does not answer after some seconds.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// A peer that is silent for twice as long is gone. In seconds.
const HEARTBEAT: u16 = 10;

/// A connection that is made anew when it is lost. The library could recover by itself, but would not tell a consumer that its
/// unsettled deliveries are not its own any longer.
pub(super) struct Link {
    uri: AMQPUri,
    name: &'static str,
    trust: OwnedTLSConfig,
    current: Mutex<Option<Arc<Connection>>>,
}

impl Link {
    pub(super) fn new(mut uri: AMQPUri, name: &'static str, trust: OwnedTLSConfig) -> Self {
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Self { uri, name, trust, current: Mutex::default() }
    }

    /// A new channel. It connects first if there is no connection.
    pub(super) async fn channel(&self) -> Result<Channel, BackendError> {
        let failed = |error: lapin::Error| {
            BackendError::with_source(format!("cannot open a channel to RabbitMQ at {}", self.place()), error)
        };
        self.connection().await?.create_channel().await.map_err(failed)
    }

    pub(super) async fn connection(&self) -> Result<Arc<Connection>, BackendError> {
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| connection.status().connected()) {
            return Ok(connection.clone());
        }
        let properties = ConnectionProperties::default().with_connection_name(self.name.into());
        let what = || format!("cannot connect to RabbitMQ at {}", self.place());
        let connecting = tls::connect(self.uri.clone(), properties, self.trust.clone());
        let connection = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => Arc::new(connection),
            Ok(Err(error)) => return Err(BackendError::with_source(what(), error)),
            Err(_) => {
                return Err(BackendError::new(format!("{}: no answer for {CONNECT_TIMEOUT:?}", what())));
            }
        };
        *current = Some(connection.clone());
        Ok(connection)
    }

    pub(super) async fn close(&self) -> Result<(), BackendError> {
        let Some(connection) = self.current.lock().await.take() else { return Ok(()) };
        if !connection.status().connected() {
            return Ok(());
        }
        let closed = connection.close(200, "closed by the service".into()).await;
        closed.map_err(|error| BackendError::with_source("the connection to RabbitMQ did not close", error))
    }

    /// Host and port, without the password.
    fn place(&self) -> String {
        format!("{}:{}", self.uri.authority.host, self.uri.authority.port)
    }
}

/// Waits for the answer to requests, for a limited time: the library forgets a request that is made while the connection ends, and its
/// future never resolves.
pub(super) async fn answered<T>(
    asking: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    let late = || BackendError::new(format!("RabbitMQ did not answer for {ANSWERS_WITHIN:?}"));
    timeout(ANSWERS_WITHIN, asking).await.unwrap_or_else(|_| Err(late()))
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("place", &self.place()).field("name", &self.name).finish_non_exhaustive()
    }
}
