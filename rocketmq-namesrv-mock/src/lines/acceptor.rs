use std::io;
use std::sync::Arc;

use rocketmq_remoting::net::{Acceptor, ByteStream, Connecting};
use tokio::net::TcpStream;

use super::stream::Socket;
use super::{Line, LineStream, Lines};

/// Makes streams that can be made to misbehave, over plain TCP or what another acceptor makes of it.
#[derive(Debug, Clone)]
pub(crate) struct LineAcceptor {
    lines: Arc<Lines>,
    /// TLS.
    upper: Option<Arc<dyn Acceptor>>,
}

impl LineAcceptor {
    pub(crate) fn new(lines: Arc<Lines>, upper: Option<Arc<dyn Acceptor>>) -> Self {
        Self { lines, upper }
    }

    /// A stream of an accepted socket, with the line that steers it.
    pub(crate) async fn open(&self, stream: TcpStream) -> io::Result<(LineStream, Arc<Line>)> {
        let (remote, local) = (stream.peer_addr()?, stream.local_addr()?);
        let socket = match &self.upper {
            None => Socket::Plain(stream),
            Some(upper) => {
                let below = stream.into_std()?;
                let handle = below.try_clone()?;
                Socket::Layered(upper.accept(TcpStream::from_std(below)?).await?, handle)
            }
        };
        Ok(LineStream::new(socket, self.lines.clone(), remote, local))
    }
}

impl Acceptor for LineAcceptor {
    fn accept(&self, stream: TcpStream) -> Connecting<'_> {
        Box::pin(async move {
            let (stream, _) = self.open(stream).await?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}
