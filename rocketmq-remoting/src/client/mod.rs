//! The asking side: typed requests in, typed answers out, by address.

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
    Connection, ConnectionOptions, Pool, RequestHandler, TaskOwner, TcpTransport, Transport, later,
};
use crate::protocol::{
    EncodeHeader, ExtFields, NoHeader, RemotingCommand, RequestCode, RequestHeader, ResponseCode,
};

/// Speaks to any number of NameServers and brokers. Java: `NettyRemotingClient`.
///
/// Connections are opened on demand and shared: one for each address, with any number of requests in flight.
/// A time-out ends its own request only.
pub struct RemotingClient {
    pool: Pool,
    tasks: TaskOwner,
    hooks: Vec<Arc<dyn RpcHook>>,
    no_fields: ExtFields,
}

/// A successful answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reply<R> {
    /// The response header.
    pub header: R,
    /// The body; empty when the answer had none.
    pub body: Bytes,
    /// The peer's version ordinal (`MQVersion`).
    pub version: i32,
    /// Text that came with it. Brokers send one with many successful answers: it is no error.
    pub remark: Option<ByteString>,
}

impl<R> Reply<R> {
    /// An answer whose header was read already.
    pub fn new(header: R, answer: RemotingCommand) -> Self {
        Self { header, body: answer.body, version: answer.version, remark: answer.remark }
    }
}

impl RemotingClient {
    /// A client over plain TCP. Requests from peers go to `handler`.
    ///
    /// # Errors
    /// Outside a tokio runtime.
    pub fn new(
        options: ConnectionOptions,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<Self, tokio::runtime::TryCurrentError> {
        Self::with_transport(Arc::new(TcpTransport), options, handler)
    }

    /// A client over any transport.
    ///
    /// # Errors
    /// Outside a tokio runtime.
    pub fn with_transport(
        transport: Arc<dyn Transport>,
        options: ConnectionOptions,
        handler: Arc<dyn RequestHandler>,
    ) -> Result<Self, tokio::runtime::TryCurrentError> {
        let tasks = TaskOwner::new()?;
        let pool = Pool::new(transport, options, handler, tasks.clone());
        Ok(Self { pool, tasks, hooks: Vec::new(), no_fields: ExtFields::default() })
    }

    /// Adds a hook, behind those that are there.
    pub fn add_hook(&mut self, hook: Arc<dyn RpcHook>) {
        self.hooks.push(hook);
    }

    /// Whether there are hooks. With hooks, requests take a slower path: their fields become a list.
    pub fn has_hooks(&self) -> bool {
        !self.hooks.is_empty()
    }

    /// Sends a request and waits for a successful answer. Dropping the future forgets the request, which the
    /// peer may still act on.
    ///
    /// # Errors
    /// No connection, no answer, an answer with another code than 0, or one that cannot be read.
    pub async fn call<H: RequestHeader>(
        &self,
        address: &str,
        header: &H,
        body: &Bytes,
        timeout: Duration,
    ) -> Result<Reply<H::Response>, RemotingError> {
        let answer =
            self.invoke(address, header.code(), header, body, later(Instant::now(), timeout)).await?;
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
        code: RequestCode,
        header: &H,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<RemotingCommand, RemotingError> {
        let connection = self.pool.get(address, deadline).await?;
        self.invoke_on(&connection, code, header, body, deadline).await
    }

    /// [`invoke`](Self::invoke) on this very connection: for requests whose effect belongs to a connection, such as
    /// heartbeats. Dropping the future forgets the request, which the peer may still act on.
    ///
    /// # Errors
    /// No answer before the deadline.
    pub async fn invoke_on<H: EncodeHeader + ?Sized>(
        &self,
        connection: &Connection,
        code: RequestCode,
        header: &H,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<RemotingCommand, RemotingError> {
        let address = connection.peer();
        if self.hooks.is_empty() {
            let answer = connection.call(code, header, &self.no_fields, body, deadline).await;
            return answer.map_err(|source| RemotingError::call(address, source));
        }
        let request = self.hooked_request(address, code, header, body);
        let fields = &request.ext_fields;
        let answer = connection.call(code, &NoHeader, fields, &request.body, deadline).await;
        let answer = answer.map_err(|source| RemotingError::call(address, source))?;
        for hook in &self.hooks {
            hook.after_response(address, &request, &answer);
        }
        Ok(answer)
    }

    /// Sends a one-way request. `Ok` means that its frame is in the write buffer; what becomes of it is not
    /// known. Dropping the future before that sends nothing.
    ///
    /// # Errors
    /// No connection, or no room in the write buffer before the deadline: nothing was sent.
    pub async fn oneway<H: EncodeHeader + ?Sized>(
        &self,
        address: &str,
        code: RequestCode,
        header: &H,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let connection = self.pool.get(address, deadline).await?;
        self.oneway_on(&connection, code, None, header, body, deadline).await
    }

    /// [`oneway`](Self::oneway) on this very connection, and with a remark: what a broker asked for on a connection
    /// is answered there. Dropping the future before it is ready sends nothing.
    ///
    /// # Errors
    /// The connection has ended, or there is no room in its write buffer before the deadline: nothing was sent.
    pub async fn oneway_on<H: EncodeHeader + ?Sized>(
        &self,
        connection: &Connection,
        code: RequestCode,
        remark: Option<&str>,
        header: &H,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let address = connection.peer();
        let sent = if self.hooks.is_empty() {
            connection.oneway_with_remark(code, remark, header, &self.no_fields, body, deadline).await
        } else {
            let request = self.hooked_request(address, code, header, body);
            let fields = &request.ext_fields;
            connection.oneway_with_remark(code, remark, &NoHeader, fields, &request.body, deadline).await
        };
        sent.map_err(|source| RemotingError::call(address, source))
    }

    /// The connection to `address`, opened if need be. Dropping the future leaves a dial going.
    ///
    /// # Errors
    /// It could not be opened before the deadline.
    pub async fn connect(&self, address: &str, deadline: Instant) -> Result<Connection, RemotingError> {
        Ok(self.pool.get(address, deadline).await?)
    }

    /// The connection to `address` if it is open, without dialling.
    pub fn connection(&self, address: &str) -> Option<Connection> {
        self.pool.open(address)
    }

    /// Closes the connection to an address that is no longer wanted.
    pub fn forget(&self, address: &str) {
        self.pool.remove(address);
    }

    /// Starts a task that is stopped and joined with this client.
    pub fn tasks(&self) -> &TaskOwner {
        &self.tasks
    }

    /// Writes out what is in the write buffers, closes all connections and joins all tasks, at most for
    /// `limit`. Requests in flight fail. Returns whether all tasks ended by themselves. Dropping the future
    /// leaves the tasks stopping.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        let deadline = later(Instant::now(), limit);
        self.pool.close();
        self.tasks.close_and_wait(limit).await;
        self.tasks.shutdown(deadline.saturating_duration_since(Instant::now())).await
    }

    fn hooked_request<H: EncodeHeader + ?Sized>(
        &self,
        address: &str,
        code: RequestCode,
        header: &H,
        body: &Bytes,
    ) -> RemotingCommand {
        let mut request = RemotingCommand::request(code).with_header(header).with_body(body.clone());
        for hook in &self.hooks {
            hook.before_request(address, &mut request);
        }
        request
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
