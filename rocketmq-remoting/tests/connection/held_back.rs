//! Streams with a buffer of their own, like TLS: bytes go out at a flush, perhaps not at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ByteStream, Connecting, ConnectionOptions, NoRequests, Transport};
use rocketmq_remoting::protocol::ResponseCode;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;

use crate::peer::{ADDRESS, Fixture, Memory, Peer};
use crate::{SECONDS_3, ask, run};

/// Takes any number of bytes and passes them on at a flush.
struct HoldsBack {
    inner: Box<dyn ByteStream>,
    held: BytesMut,
}

impl AsyncWrite for HoldsBack {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.held.is_empty() {
            let count = ready!(Pin::new(&mut this.inner).poll_write(cx, &this.held))?;
            this.held.advance(count);
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl AsyncRead for HoldsBack {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

#[derive(Debug)]
struct HoldingBack(Arc<Memory>);

impl Transport for HoldingBack {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let inner = self.0.connect(address).await?;
            Ok(Box::new(HoldsBack { inner, held: BytesMut::new() }) as Box<dyn ByteStream>)
        })
    }
}

/// A client whose streams hold back, through pipes that take 64 bytes at a time.
fn fixture() -> Fixture {
    let (far_ends, accept): (mpsc::Sender<DuplexStream>, _) = mpsc::channel(1);
    let transport = Arc::new(Memory::new(far_ends, 64));
    let holding = Arc::new(HoldingBack(transport.clone()));
    let client =
        RemotingClient::with_transport(holding, ConnectionOptions::default(), Arc::new(NoRequests)).unwrap();
    Fixture { client: Arc::new(client), transport, accept }
}

#[test]
fn what_a_stream_took_reaches_the_peer_without_another_write() {
    run(async {
        let mut fixture = fixture();
        let call = ask(&fixture, vec![7; 10_000], SECONDS_3);
        let mut peer = Peer::accept(&mut fixture).await;
        let request = peer.read().await.unwrap();
        assert_eq!(request.body, vec![7; 10_000]);
        peer.answer(&request, ResponseCode::SUCCESS).await;
        assert_eq!(call.await.unwrap().unwrap().body, vec![7; 10_000]);
    });
}

#[test]
fn what_a_stream_took_is_written_out_before_the_connection_closes() {
    run(async {
        let mut fixture = fixture();
        let call = ask(&fixture, vec![7; 10_000], SECONDS_3);
        let mut peer = Peer::accept(&mut fixture).await;
        let connection = loop {
            match fixture.client.connection(ADDRESS).filter(|connection| connection.in_flight() == 1) {
                Some(connection) => break connection,
                None => tokio::task::yield_now().await,
            }
        };
        connection.close();
        assert_eq!(peer.read().await.unwrap().body, vec![7; 10_000]);
        assert!(peer.read().await.is_none(), "then it closes");
        assert!(call.await.unwrap().is_err());
    });
}
