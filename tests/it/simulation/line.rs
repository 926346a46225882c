//! The network of one consumer.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use rocketmq::conf::{ByteStream, Connecting, Transport};
use rocketmq_namesrv_mock::InMemoryNetwork;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a client dials through. When the line is down, all that it carries vanishes in both directions, and so do
/// farewells: the servers go on believing in their streams.
#[derive(Debug, Clone)]
pub(super) struct Line {
    network: InMemoryNetwork,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    down: bool,
    streams: Vec<Arc<AtomicBool>>,
    /// How many streams the client has, dead or not.
    open: usize,
    /// What clients closed without the servers learning it.
    lost: Vec<Box<dyn ByteStream>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("down", &self.down).finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(network: &InMemoryNetwork) -> Self {
        Self { network: network.clone(), state: Arc::default() }
    }

    /// Takes the line down. What it carried is dead for good.
    pub(super) fn take_down(&self) {
        let mut state = self.state.lock().unwrap();
        state.down = true;
        state.streams.drain(..).for_each(|stream| stream.store(true, Ordering::Relaxed));
    }

    /// New streams work again.
    pub(super) fn bring_up(&self) {
        self.state.lock().unwrap().down = false;
    }

    /// How many streams the client has.
    pub(super) fn streams(&self) -> usize {
        self.state.lock().unwrap().open
    }

    /// Servers learn that the streams are gone.
    pub(super) fn bury(&self) {
        let lost = std::mem::take(&mut self.state.lock().unwrap().lost);
        drop(lost);
    }
}

impl Transport for Line {
    fn connect<'a>(&'a self, address: &'a str) -> Connecting<'a> {
        Box::pin(async move {
            let stream = self.network.connect(address).await?;
            let dead = Arc::new(AtomicBool::new(false));
            {
                let mut state = self.state.lock().unwrap();
                if !state.down {
                    state.streams.push(dead.clone());
                    state.open += 1;
                    let stream = Some(stream);
                    return Ok(
                        Box::new(Stream { stream, dead, line: self.state.clone() }) as Box<dyn ByteStream>
                    );
                }
            }
            drop(stream);
            std::future::pending().await
        })
    }
}

struct Stream {
    /// `None` while it is dropped.
    stream: Option<Box<dyn ByteStream>>,
    dead: Arc<AtomicBool>,
    line: Arc<Mutex<State>>,
}

impl Stream {
    /// `None`: it is dead.
    fn alive(&mut self) -> Option<Pin<&mut Box<dyn ByteStream>>> {
        if self.dead.load(Ordering::Relaxed) { None } else { self.stream.as_mut().map(Pin::new) }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive().map_or(Poll::Pending, |stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.alive().map_or(Poll::Ready(Ok(bytes.len())), |stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive().map_or(Poll::Ready(Ok(())), |stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive().map_or(Poll::Ready(Ok(())), |stream| stream.poll_shutdown(cx))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let is_dead = self.alive().is_none();
        let mut line = self.line.lock().unwrap();
        line.open -= 1;
        if is_dead {
            line.lost.extend(self.stream.take());
        }
    }
}
