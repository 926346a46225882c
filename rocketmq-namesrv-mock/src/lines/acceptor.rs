use std::io;
use std::sync::Arc;

use rocketmq_remoting::net::{Acceptor, ByteStream, Connecting, Socket};
use tokio::net::TcpStream;

use super::stream::Below;
use super::{Line, LineStream, Lines};

/// Makes streams that can misbehave, over plain sockets or over the streams of another acceptor.
#[derive(Debug, Clone)]
pub(crate) struct LineAcceptor {
    lines: Arc<Lines>,
    /// The protocol above the socket: TLS.
    upper: Option<Arc<dyn Acceptor>>,
}

impl LineAcceptor {
    pub(crate) fn new(lines: Arc<Lines>, upper: Option<Arc<dyn Acceptor>>) -> Self {
        Self { lines, upper }
    }

    /// Opens the stream of an accepted socket, with the line that controls it.
    pub(crate) async fn open(&self, socket: Socket) -> io::Result<(LineStream, Arc<Line>)> {
        let (remote, local) = (socket.peer_addr()?, socket.local_addr()?);
        let below = match (&self.upper, socket) {
            (Some(upper), Socket::Tcp(stream)) => {
                let stream = stream.into_std()?;
                let handle = stream.try_clone()?;
                Below::Layered(upper.accept(TcpStream::from_std(stream)?.into()).await?, handle)
            }
            (_, socket) => Below::Plain(socket),
        };
        Ok(LineStream::new(below, self.lines.clone(), remote, local))
    }
}

impl Acceptor for LineAcceptor {
    fn accept(&self, socket: Socket) -> Connecting<'_> {
        Box::pin(async move {
            let (stream, _) = self.open(socket).await?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}
