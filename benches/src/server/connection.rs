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

/// Bytes that one read brings at most.
const READ: usize = 256 * 1024;

/// Reads in one turn.
const READS_PER_TURN: usize = 16;

/// While more bytes of answers than these wait to be written, nothing is read.
const ANSWERS_LIMIT: usize = 1024 * 1024;

/// Serves all who connect.
pub(super) async fn accept_all(listener: TcpListener, broker: Arc<Broker>, tasks: TaskOwner) {
    while let Ok((stream, _)) = listener.accept().await {
        if stream.set_nodelay(true).is_ok() {
            tasks.spawn(serve(stream, broker.clone()));
        }
    }
}

async fn serve(stream: TcpStream, broker: Arc<Broker>) {
    let mut connection = Connection { stream, incoming: BytesMut::new(), answers: BytesMut::new() };
    // The peer sees that its connection ended, and says so.
    let _: io::Result<()> = std::future::poll_fn(|cx| connection.poll_serve(cx, &broker)).await;
}

struct Connection {
    stream: TcpStream,
    incoming: BytesMut,
    answers: BytesMut,
}

impl Connection {
    /// Ready when the peer has closed the connection, broke it or sent what is no frame.
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
        // Other connections of this thread get their turn.
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
        // Takes all of the memory again, rather than what is left of it.
        self.answers.clear();
        Poll::Ready(Ok(()))
    }
}
