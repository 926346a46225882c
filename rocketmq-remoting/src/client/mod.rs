//! The asking side: typed requests in, typed answers out, by address.
//!
//! * `error`: reasons for which a request has no usable answer.
//! * `hook`: user code that sees and changes every request.

mod error;
mod hook;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use tokio::time::Instant;

pub use error::RemotingError;
pub use hook::RpcHook;

use crate::net::{
    BegunCall, CallError, Connection, ConnectionOptions, Pool, RequestHandler, TaskOwner, TcpTransport,
    Transport, later,
};
use crate::protocol::{CommandRef, EncodeHeader, RemotingCommand, RequestCode, RequestHeader, ResponseCode};

/// Sends requests to any number of NameServers and brokers. Java: `NettyRemotingClient`.
///
/// Opens connections on demand and shares them: one for each address, with any number of requests in flight. A
/// time-out ends its own request only, never the connection's other requests.
pub struct RemotingClient {
    pool: Pool,
    tasks: TaskOwner,
    hooks: Vec<Arc<dyn RpcHook>>,
}

/// A successful answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reply<R> {
    /// The response header.
    pub header: R,
    /// The body; empty when the answer has none.
    pub body: Bytes,
    /// The peer's version ordinal (`MQVersion`).
    pub version: i32,
    /// The remark of the answer. Brokers attach a remark to many successful answers: it is no error.
    pub remark: Option<ByteString>,
}

impl<R> Reply<R> {
    /// A reply from an answer whose header has been read.
    pub fn new(header: R, answer: RemotingCommand) -> Self {
        Self { header, body: answer.body, version: answer.version, remark: answer.remark }
    }
}

impl RemotingClient {
    /// A client over plain TCP. Requests from peers go to `handler`.
    ///
    /// # Errors
    /// Called outside a tokio runtime.
    pub fn new(
        options: ConnectionOptions,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<Self, tokio::runtime::TryCurrentError> {
        Self::with_transport(Arc::new(TcpTransport), options, handler)
    }

    /// A client over any transport.
    ///
    /// # Errors
    /// Called outside a tokio runtime.
    pub fn with_transport(
        transport: Arc<dyn Transport>,
        options: ConnectionOptions,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<Self, tokio::runtime::TryCurrentError> {
        let tasks = TaskOwner::new()?;
        let pool = Pool::new(transport, options, handler, tasks.clone());
        Ok(Self { pool, tasks, hooks: Vec::new() })
    }

    /// Adds a hook. It runs after the hooks added before it.
    pub fn add_hook(&mut self, hook: Arc<dyn RpcHook>) {
        self.hooks.push(hook);
    }

    /// Whether any hook was added. With hooks, each request takes a slower path: its header becomes a list of fields.
    pub fn has_hooks(&self) -> bool {
        !self.hooks.is_empty()
    }

    /// Sends a request and waits for a successful answer. Dropping the future forgets the request, which the
    /// peer may still act on.
    ///
    /// # Errors
    /// No connection, no answer, an answer with another code than 0, or an answer that cannot be read.
    pub async fn call<H: RequestHeader>(
        &self,
        address: &str,
        header: &H,
        body: &Bytes,
        timeout: Duration,
    ) -> Result<Reply<H::Response>, RemotingError> {
        let request = CommandRef::request(header.code(), header).with_body(body);
        let answer = self.invoke(address, &request, later(Instant::now(), timeout)).await?;
        if answer.code != ResponseCode::SUCCESS.0 {
            return Err(RemotingError::refused(address, &answer));
        }
        let header = answer.header().map_err(|source| RemotingError::BadAnswer {
            address: address.into(),
            source: Box::new(source),
        })?;
        Ok(Reply::new(header, answer))
    }

    /// Sends a request and waits for its answer, whatever its code. Dropping the future forgets the request,
    /// which the peer may still act on.
    ///
    /// # Errors
    /// No connection, or no answer before the deadline.
    pub async fn invoke<H: EncodeHeader + ?Sized>(
        &self,
        address: &str,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<RemotingCommand, RemotingError> {
        let connection = self.pool.get(address, deadline).await?;
        self.invoke_on(&connection, request, deadline).await
    }

    /// Like [`invoke`](Self::invoke), but on the given connection: for requests whose effect belongs to a connection,
    /// such as heartbeats. Dropping the future forgets the request, which the peer may still act on.
    ///
    /// # Errors
    /// No answer before the deadline.
    pub async fn invoke_on<H: EncodeHeader + ?Sized>(
        &self,
        connection: &Connection,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<RemotingCommand, RemotingError> {
        let answer = if self.hooks.is_empty() {
            connection.call(request, deadline).await
        } else {
            // Boxed: few clients have hooks, and the future of every request would grow.
            let hooked = self.hooked(connection, request);
            Box::pin(self.call_hooked(connection, hooked, request.hold, deadline)).await
        };
        answer.map_err(|source| RemotingError::call(connection.peer(), source))
    }

    /// Sends a request on this very connection without waiting for anything; see [`Connection::begin_call`]. Hooks see
    /// the request, and not its answer.
    ///
    /// # Errors
    /// As [`Connection::begin_call`]: nothing was sent.
    pub fn begin_on<'c, H: EncodeHeader + ?Sized>(
        &self,
        connection: &'c Connection,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<Option<BegunCall<'c>>, CallError> {
        if self.hooks.is_empty() {
            return connection.begin_call(request, deadline);
        }
        let hooked = self.hooked(connection, request);
        connection.begin_call(&CommandRef::from(&hooked).held_for(request.hold), deadline)
    }

    /// Sends a one-way request. `Ok` means that its frame is in the write buffer; nothing tells whether the peer got
    /// it. Dropping the future before it resolves sends nothing.
    ///
    /// # Errors
    /// No connection, or no room in the write buffer before the deadline: nothing was sent.
    pub async fn oneway<H: EncodeHeader + ?Sized>(
        &self,
        address: &str,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let connection = self.pool.get(address, deadline).await?;
        self.oneway_on(&connection, request, deadline).await
    }

    /// Like [`oneway`](Self::oneway), but on the given connection: an answer to a broker's request goes back on the
    /// connection that the request came on. Dropping the future before it resolves sends nothing.
    ///
    /// # Errors
    /// The connection has ended, or there is no room in its write buffer before the deadline: nothing was sent.
    pub async fn oneway_on<H: EncodeHeader + ?Sized>(
        &self,
        connection: &Connection,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let sent = if self.hooks.is_empty() {
            connection.oneway(request, deadline).await
        } else {
            let request = self.hooked(connection, request);
            Box::pin(async move { connection.oneway(&CommandRef::from(&request), deadline).await }).await
        };
        sent.map_err(|source| RemotingError::call(connection.peer(), source))
    }

    /// Returns the connection to `address` and opens it if need be. Dropping the future does not stop a dial that has
    /// begun.
    ///
    /// # Errors
    /// The connection could not be opened before the deadline.
    pub async fn connect(&self, address: &str, deadline: Instant) -> Result<Connection, RemotingError> {
        Ok(self.pool.get(address, deadline).await?)
    }

    /// Returns the connection to `address` if it is open; never dials.
    pub fn connection(&self, address: &str) -> Option<Connection> {
        self.pool.open(address)
    }

    /// Closes the connection to an address that is no longer wanted, after its write buffer is written out.
    pub fn forget(&self, address: &str) {
        self.pool.remove(address);
    }

    /// The owner of this client's tasks. A task started through it is stopped and joined with the client.
    pub fn tasks(&self) -> &TaskOwner {
        &self.tasks
    }

    /// Writes out the write buffers, closes all connections and joins all tasks within `limit`. Requests in flight
    /// fail. Returns whether all tasks ended by themselves. Dropping the future leaves the tasks stopping.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        let deadline = later(Instant::now(), limit);
        self.pool.close();
        self.tasks.wait(limit).await;
        self.tasks.shutdown(deadline.saturating_duration_since(Instant::now())).await
    }

    /// Runs the hooks and returns the request as they leave it. A hook cannot change the code.
    fn hooked<H: EncodeHeader + ?Sized>(
        &self,
        connection: &Connection,
        request: &CommandRef<'_, H>,
    ) -> RemotingCommand {
        let code = RequestCode(request.code);
        let mut hooked =
            RemotingCommand::request(code).with_header(request.header).with_body(request.body.clone());
        hooked.remark = request.remark.map(ByteString::from);
        for (name, value) in request.fields {
            hooked.ext_fields.insert(&*name, &*value);
        }
        for hook in &self.hooks {
            hook.before_request(connection.peer(), &mut hooked);
        }
        hooked.code = code.0;
        hooked
    }

    async fn call_hooked(
        &self,
        connection: &Connection,
        request: RemotingCommand,
        hold: Duration,
        deadline: Instant,
    ) -> Result<RemotingCommand, CallError> {
        let answer = connection.call(&CommandRef::from(&request).held_for(hold), deadline).await?;
        for hook in &self.hooks {
            hook.after_response(connection.peer(), &request, &answer);
        }
        Ok(answer)
    }
}

impl Drop for RemotingClient {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl fmt::Debug for RemotingClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemotingClient").field("pool", &self.pool).finish_non_exhaustive()
    }
}
