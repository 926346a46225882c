//! Connections, the pool that dials them, and their byte streams.
//!
//! How a request leaves: its caller takes the connection's one short lock, gets a slot of the in-flight table and encodes
//! its frame straight into the write buffer. The connection's task takes the whole buffer and writes it at once. Answers
//! of one read are matched under one lock, and their callers are woken after it. There is no task, timer or channel per
//! request.
//!
//! * `connection`: the handle; `connection_task`: the one task that reads, writes and keeps deadlines.
//! * `outgoing`, `read_buffer`, `inbox`: frames to write, bytes read, frames to hand out.
//! * `call`, `callbacks`: a request's answer, awaited or passed to a callback.
//! * `handler`: answers requests of the peer.
//! * `pool`, `connection_cell`, `back_off`: connections by address, their cache, waits between dials.
//! * `transport`, `tls`, `memory`: byte streams. `socket`: the streams that a server accepts.
//! * `tasks`: owns all tasks.
//! * `options`, `error`: settings of connections, and why they end.

mod back_off;
mod call;
mod callbacks;
mod connection;
mod connection_cell;
mod connection_task;
mod error;
mod handler;
mod inbox;
pub mod memory;
mod options;
mod outgoing;
mod pool;
mod read_buffer;
mod socket;
mod tasks;
#[cfg(feature = "tls")]
pub mod tls;
mod transport;

pub use back_off::{BackOff, random};
pub use call::{BegunCall, PendingCall};
pub use callbacks::OnAnswer;
pub use connection::{Accepted, Connection};
pub use connection_cell::ConnectionCell;
pub use error::{CallError, ConnectionEnd, DialError};
pub use handler::{NoRequests, RequestHandler, Responder};
pub use options::ConnectionOptions;
pub use pool::Pool;
pub use socket::{Acceptor, Listener, Socket, TcpAcceptor};
pub use tasks::TaskOwner;
pub use transport::{ByteStream, Connecting, TcpTransport, Transport};

pub(crate) use connection::Ends;
pub(crate) use pool::start_connection;

use std::time::Duration;

use tokio::time::Instant;

/// `now + wait`, or a far future instead of an overflow: a limit of centuries must not panic.
pub(crate) fn later(now: Instant, wait: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    now + wait.min(FAR)
}
