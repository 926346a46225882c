//! One connection of a broker: a task that reads, answers and writes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rocketmq_remoting::net::TaskOwner;
use tokio::io::AsyncWrite;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::io::poll_read_buf;

use super::broker::Broker;

/// The largest number of bytes of one read.
const READ: usize = 256 * 1024;

/// Reads of one turn; then the task yields.
const READS_PER_TURN: usize = 16;

/// While more bytes of answers than these wait to be written, nothing is read.
const ANSWERS_LIMIT: usize = 1024 * 1024;

/// Serves all clients that connect.
pub(super) async fn accept_all(listener: TcpListener, broker: Arc<Broker>, tasks: TaskOwner) {
    while let Ok((stream, _)) = listener.accept().await {
        if stream.set_nodelay(true).is_ok() {
            tasks.spawn(serve(stream, broker.clone()));
        }
    }
}

async fn serve(stream: TcpStream, broker: Arc<Broker>) {
    let mut connection = Connection { stream, incoming: BytesMut::new(), answers: BytesMut::new() };
    // The peer notices and reports the end of its connection.
    let _: io::Result<()> = std::future::poll_fn(|cx| connection.poll_serve(cx, &broker)).await;
}

struct Connection {
    stream: TcpStream,
    incoming: BytesMut,
    answers: BytesMut,
}

impl Connection {
    /// Ready when the peer has closed or broken the connection, or sent bytes that are no frame.
    fn poll_serve(&mut self, cx: &mut Context<'_>, broker: &Broker) -> Poll<io::Result<()>> {
        for _ in 0..READS_PER_TURN {
            let wrote = self.poll_answers(cx)?;
            if wrote.is_pending() && self.answers.len() > ANSWERS_LIMIT {
                return Poll::Pending;
            }
            self.incoming.reserve(READ);
            if ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.incoming))? == 0 {
                return Poll::Ready(Ok(()));
            }
            broker.answer(&mut self.incoming, &mut self.answers).map_err(io::Error::other)?;
        }
        // Yield to other connections of this thread.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.answers.has_remaining() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.answers))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.answers.advance(written),
            }
        }
        // Reuse the whole memory, not only its unused rest.
        self.answers.clear();
        Poll::Ready(Ok(()))
    }
}
