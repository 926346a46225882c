use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::back_off::random;
use super::callbacks::CallbackTask;
use super::connection::Ends;
use super::connection_task::ConnectionTask;
use super::later;
use super::tasks::TaskOwner;
use super::transport::{ByteStream, Transport};
use super::{Connection, ConnectionCell, ConnectionOptions, DialError, RequestHandler};

/// Connections by address: at most one for each, dialled when it is first needed and again after it ended.
///
/// At most one dial of an address runs at a time, and all callers of the address wait for it. It continues when its
/// first caller goes away. After a failed dial the next dial waits for the [back-off](super::BackOff); until then
/// callers get an error at once.
pub struct Pool {
    transport: Arc<dyn Transport>,
    options: Arc<ConnectionOptions>,
    handler: Arc<dyn RequestHandler>,
    tasks: TaskOwner,
    /// Every request reads the map and few change it: readers take a snapshot without a lock.
    endpoints: ArcSwap<Endpoints>,
}

type Endpoints = FxHashMap<Arc<str>, Arc<Endpoint>>;

impl Pool {
    /// An empty pool. `tasks` owns the tasks of its connections.
    pub fn new(
        transport: Arc<dyn Transport>,
        options: ConnectionOptions,
        handler: Arc<dyn RequestHandler>,
        tasks: TaskOwner,
    ) -> Self {
        Self { transport, options: Arc::new(options), handler, tasks, endpoints: ArcSwap::default() }
    }

    /// Returns the connection to `address` and opens it if need be. Dropping the future does not stop a dial that has
    /// begun.
    ///
    /// # Errors
    /// [`DialError`]: nothing was sent.
    pub async fn get(&self, address: &str, deadline: Instant) -> Result<Connection, DialError> {
        if let Some(connection) = self.open(address) {
            return Ok(connection);
        }
        let endpoint = self.endpoint(address);
        let dialing = match endpoint.open_or_dialing()? {
            Found::Open(connection) => return Ok(connection),
            Found::Dialing(dialing) => dialing,
            Found::MustDial(sender) => {
                let dialing = sender.subscribe();
                self.start_dial(endpoint.clone(), sender);
                dialing
            }
        };
        self.boxed_dialled(endpoint, dialing, deadline).await
    }

    /// Boxed: dials are rare, and this future would make the future of every request larger.
    fn boxed_dialled(
        &self,
        endpoint: Arc<Endpoint>,
        dialing: watch::Receiver<Option<DialOutcome>>,
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = DialOutcome> + Send + '_>> {
        Box::pin(self.dialled(endpoint, dialing, deadline))
    }

    /// Waits for the outcome of a dial that another task runs.
    async fn dialled(
        &self,
        endpoint: Arc<Endpoint>,
        mut dialing: watch::Receiver<Option<DialOutcome>>,
        deadline: Instant,
    ) -> DialOutcome {
        // The wait ends at the caller's deadline, or at the limit for another caller's dial.
        let patience = deadline.min(later(Instant::now(), self.options.try_lock_timeout));
        let outcome = match timeout_at(patience, dialing.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone(),
            // The dial's task was dropped, with its runtime or by a shutdown: nobody else will clear `dialing`.
            Ok(Err(_)) => {
                endpoint.state().dialing = None;
                None
            }
            Err(_) => return Err(DialError::GaveUp { address: endpoint.address.clone() }),
        };
        outcome.unwrap_or_else(|| Err(DialError::Stopped { address: endpoint.address.clone() }))
    }

    /// Returns the connection to `address` if it is open and usable; never dials.
    pub fn open(&self, address: &str) -> Option<Connection> {
        let endpoints = self.endpoints.load();
        endpoints.get(address)?.open.get()
    }

    /// Forgets an address that is no longer wanted, and closes its connection after its write buffer is written out.
    pub fn remove(&self, address: &str) {
        let mut removed = None;
        self.endpoints.rcu(|endpoints| {
            let mut left = Endpoints::clone(endpoints);
            removed = left.remove(address);
            left
        });
        if let Some(endpoint) = removed {
            endpoint.close();
        }
    }

    /// Closes all connections after their write buffers are written out.
    pub fn close(&self) {
        for endpoint in self.endpoints.swap(Arc::default()).values() {
            endpoint.close();
        }
    }

    fn endpoint(&self, address: &str) -> Arc<Endpoint> {
        if let Some(endpoint) = self.endpoints.load().get(address) {
            return endpoint.clone();
        }
        let address: Arc<str> = address.into();
        let new = Arc::new(Endpoint {
            address: address.clone(),
            open: ConnectionCell::default(),
            state: Mutex::default(),
        });
        let mut found = new.clone();
        self.endpoints.rcu(|endpoints| {
            // The closure may run again after a race: another caller may have added the address.
            let mut with_it = Endpoints::clone(endpoints);
            found = with_it.entry(address.clone()).or_insert_with(|| new.clone()).clone();
            with_it
        });
        found
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
            // Store the connection first: a caller that wakes now must find it.
            endpoint.dialled(&dialled, &options);
            sender.send_replace(Some(dialled));
        });
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.endpoints.load();
        f.debug_struct("Pool").field("addresses", &endpoints.keys()).finish_non_exhaustive()
    }
}

/// Makes a connection of a stream and starts the two tasks that serve it.
pub(crate) fn start_connection(
    ends: Ends,
    stream: Box<dyn ByteStream>,
    options: Arc<ConnectionOptions>,
    handler: Arc<dyn RequestHandler>,
    tasks: &TaskOwner,
) -> Connection {
    let connection = Connection::new(ends, options);
    tasks.spawn(CallbackTask::new(connection.shared.callbacks.clone()));
    tasks.spawn(ConnectionTask::new(connection.clone(), stream, handler));
    connection
}

type DialOutcome = Result<Connection, DialError>;

struct Endpoint {
    address: Arc<str>,
    /// The last connection that was opened; emptied when the address is no longer wanted.
    open: ConnectionCell,
    state: Mutex<EndpointState>,
}

impl Endpoint {
    fn state(&self) -> MutexGuard<'_, EndpointState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_or_dialing(&self) -> Result<Found, DialError> {
        let mut state = self.state();
        // Look again under the lock: a dial may just have ended.
        match self.open.get() {
            Some(connection) => Ok(Found::Open(connection)),
            None => state.dialing_or_due(&self.address),
        }
    }

    fn dialled(&self, outcome: &DialOutcome, options: &ConnectionOptions) {
        let mut state = self.state();
        if let Ok(connection) = outcome {
            self.open.set(connection);
        }
        state.dialled(outcome, options);
    }

    fn close(&self) {
        if let Some(connection) = self.open.take() {
            connection.close();
        }
    }
}

#[derive(Default)]
struct EndpointState {
    /// The dial that runs now.
    dialing: Option<watch::Receiver<Option<DialOutcome>>>,
    /// Failed dials in a row.
    failures: u32,
    /// When the next dial may begin, and the error of the last one.
    failed: Option<(Instant, DialError)>,
}

enum Found {
    Open(Connection),
    Dialing(watch::Receiver<Option<DialOutcome>>),
    MustDial(watch::Sender<Option<DialOutcome>>),
}

impl EndpointState {
    fn dialing_or_due(&mut self, address: &Arc<str>) -> Result<Found, DialError> {
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
            Ok(_) => (self.failures, self.failed) = (0, None),
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                // Jitter: many clients must not dial a restarted broker in the same instant.
                let wait = options.back_off.delay(self.failures, random());
                self.failed = Some((Instant::now() + wait, error.clone()));
            }
        }
    }
}
