use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::back_off::random;
use super::connection::Ends;
use super::connection_task::ConnectionTask;
use super::later;
use super::tasks::TaskOwner;
use super::transport::{ByteStream, Transport};
use super::{Connection, ConnectionOptions, DialError, RequestHandler};

/// Connections by address: one for each, dialled when it is first needed and again after it ended.
///
/// At most one dial of an address runs at a time, whoever waits for it; it goes on when its first caller goes
/// away. After a failed dial the next one waits for the [back-off](super::BackOff), and callers are told at
/// once instead of waiting with it.
pub struct Pool {
    transport: Arc<dyn Transport>,
    options: Arc<ConnectionOptions>,
    handler: Arc<dyn RequestHandler>,
    tasks: TaskOwner,
    endpoints: RwLock<HashMap<Arc<str>, Arc<Endpoint>>>,
}

impl Pool {
    /// An empty pool whose tasks belong to `tasks`.
    pub fn new(
        transport: Arc<dyn Transport>,
        options: ConnectionOptions,
        handler: Arc<dyn RequestHandler>,
        tasks: TaskOwner,
    ) -> Self {
        Self { transport, options: Arc::new(options), handler, tasks, endpoints: RwLock::default() }
    }

    /// The connection to `address`, opened if need be. Dropping the future leaves a dial going.
    ///
    /// # Errors
    /// [`DialError`]: nothing was sent.
    pub async fn get(&self, address: &str, deadline: Instant) -> Result<Connection, DialError> {
        let endpoint = self.endpoint(address);
        let dialing = match endpoint.state().open_or_dialing(&endpoint.address)? {
            Found::Open(connection) => return Ok(connection),
            Found::Dialing(dialing) => dialing,
            Found::MustDial(sender) => {
                let dialing = sender.subscribe();
                self.start_dial(endpoint.clone(), sender);
                dialing
            }
        };
        // Boxed: it is rare, and would make the future of every request larger.
        Box::pin(self.dialled(endpoint, dialing, deadline)).await
    }

    /// The outcome of a dial under way.
    async fn dialled(
        &self,
        endpoint: Arc<Endpoint>,
        mut dialing: watch::Receiver<Option<DialOutcome>>,
        deadline: Instant,
    ) -> DialOutcome {
        let patience = deadline.min(later(Instant::now(), self.options.try_lock_timeout));
        let outcome = match timeout_at(patience, dialing.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone(),
            // The dial's task was dropped with its runtime or by a shutdown.
            Ok(Err(_)) => {
                endpoint.state().dialing = None;
                None
            }
            Err(_) => return Err(DialError::GaveUp { address: endpoint.address.clone() }),
        };
        outcome.unwrap_or_else(|| Err(DialError::Stopped { address: endpoint.address.clone() }))
    }

    /// The connection to `address` if it is open and usable, without dialling.
    pub fn open(&self, address: &str) -> Option<Connection> {
        let endpoints = self.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        let endpoint = endpoints.get(address)?;
        let state = endpoint.state();
        state.connection.clone().filter(Connection::is_usable)
    }

    /// Closes the connection to an address that is no longer wanted, once its write buffer is empty, and
    /// forgets the address.
    pub fn remove(&self, address: &str) {
        let removed = self.endpoints.write().unwrap_or_else(PoisonError::into_inner).remove(address);
        if let Some(connection) = removed.and_then(|endpoint| endpoint.state().connection.take()) {
            connection.close();
        }
    }

    /// Closes all connections once their write buffers are empty.
    pub fn close(&self) {
        let endpoints = std::mem::take(&mut *self.endpoints.write().unwrap_or_else(PoisonError::into_inner));
        for endpoint in endpoints.into_values() {
            if let Some(connection) = endpoint.state().connection.take() {
                connection.close();
            }
        }
    }

    fn endpoint(&self, address: &str) -> Arc<Endpoint> {
        if let Some(endpoint) = self.endpoints.read().unwrap_or_else(PoisonError::into_inner).get(address) {
            return endpoint.clone();
        }
        let mut endpoints = self.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        let address: Arc<str> = address.into();
        endpoints
            .entry(address.clone())
            .or_insert_with(|| Arc::new(Endpoint { address, state: Mutex::default() }))
            .clone()
    }

    fn start_dial(&self, endpoint: Arc<Endpoint>, sender: watch::Sender<Option<DialOutcome>>) {
        let (transport, options) = (self.transport.clone(), self.options.clone());
        let (handler, tasks) = (self.handler.clone(), self.tasks.clone());
        self.tasks.spawn(async move {
            let address = endpoint.address.clone();
            let dialled = match timeout(options.connect_timeout, transport.connect(&address)).await {
                Ok(Ok(stream)) => {
                    let ends = Ends { peer: address, accepted: None };
                    Ok(start_connection(ends, stream, options.clone(), handler, &tasks))
                }
                Ok(Err(error)) => Err(DialError::Failed { address, source: Arc::new(error) }),
                Err(_) => Err(DialError::TimedOut { address, after: options.connect_timeout }),
            };
            endpoint.state().dialled(&dialled, &options);
            sender.send_replace(Some(dialled));
        });
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.endpoints.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Pool").field("addresses", &endpoints.keys()).finish_non_exhaustive()
    }
}

/// Gives a stream its connection and the task that owns it.
pub(crate) fn start_connection(
    ends: Ends,
    stream: Box<dyn ByteStream>,
    options: Arc<ConnectionOptions>,
    handler: Arc<dyn RequestHandler>,
    tasks: &TaskOwner,
) -> Connection {
    let connection = Connection::new(ends, options);
    tasks.spawn(ConnectionTask::new(connection.clone(), stream, handler));
    connection
}

type DialOutcome = Result<Connection, DialError>;

struct Endpoint {
    address: Arc<str>,
    state: Mutex<EndpointState>,
}

impl Endpoint {
    fn state(&self) -> MutexGuard<'_, EndpointState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct EndpointState {
    connection: Option<Connection>,
    /// The dial under way.
    dialing: Option<watch::Receiver<Option<DialOutcome>>>,
    /// Failed dials in a row.
    failures: u32,
    /// How the last dial failed, and when the next one may begin.
    failed: Option<(Instant, DialError)>,
}

enum Found {
    Open(Connection),
    Dialing(watch::Receiver<Option<DialOutcome>>),
    MustDial(watch::Sender<Option<DialOutcome>>),
}

impl EndpointState {
    fn open_or_dialing(&mut self, address: &Arc<str>) -> Result<Found, DialError> {
        if let Some(connection) = &self.connection {
            if connection.is_usable() {
                return Ok(Found::Open(connection.clone()));
            }
            self.connection = None;
        }
        if let Some(dialing) = &self.dialing {
            return Ok(Found::Dialing(dialing.clone()));
        }
        if let Some((next, last)) = &self.failed {
            let wait = next.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                let (address, last) = (address.clone(), Box::new(last.clone()));
                return Err(DialError::BackingOff { address, wait, last });
            }
        }
        let (sender, receiver) = watch::channel(None);
        self.dialing = Some(receiver);
        Ok(Found::MustDial(sender))
    }

    fn dialled(&mut self, outcome: &DialOutcome, options: &ConnectionOptions) {
        self.dialing = None;
        match outcome {
            Ok(connection) => {
                self.connection = Some(connection.clone());
                (self.failures, self.failed) = (0, None);
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let wait = options.back_off.delay(self.failures, random());
                self.failed = Some((Instant::now() + wait, error.clone()));
            }
        }
    }
}
