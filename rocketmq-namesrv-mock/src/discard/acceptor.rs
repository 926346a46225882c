use std::sync::Arc;

use rocketmq_remoting::net::{Acceptor, ByteStream, Connecting};
use rocketmq_remoting::protocol::SerializeType;
use tokio::net::TcpStream;

use super::stream::{DiscardStream, Quick};
use crate::broker::Broker;

/// Makes streams that answer sends to a broker.
#[derive(Debug, Clone)]
pub(crate) struct DiscardAcceptor {
    below: Arc<dyn Acceptor>,
    broker: Arc<Broker>,
    serialize_type: SerializeType,
}

impl DiscardAcceptor {
    /// `serialize_type`: of the headers of answers.
    pub(crate) fn new(below: Arc<dyn Acceptor>, broker: Arc<Broker>, serialize_type: SerializeType) -> Self {
        Self { below, broker, serialize_type }
    }
}

impl Acceptor for DiscardAcceptor {
    fn accept(&self, stream: TcpStream) -> Connecting<'_> {
        Box::pin(async move {
            let remote = stream.peer_addr()?;
            let below = self.below.accept(stream).await?;
            let quick = Quick { broker: self.broker.clone(), remote, serialize_type: self.serialize_type };
            Ok(Box::new(DiscardStream::new(below, quick)) as Box<dyn ByteStream>)
        })
    }
}
