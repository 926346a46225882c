use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Buf;
use rocketmq_remoting::net::{ByteStream, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Emission, Line, Lines, Then};

/// A stream that writes the emissions of its [`Line`] between the frames of its server. The server must flush after
/// whole frames and at no other time: the flush marks the gap between frames.
pub(crate) struct LineStream {
    below: Below,
    line: Arc<Line>,
    lines: Arc<Lines>,
    remote: SocketAddr,
    local: SocketAddr,
    /// Whether the last flush came after the last write.
    between_frames: bool,
    current: Option<Emission>,
    /// When the next byte of a slow emission may be written.
    pace: Option<Wait>,
    /// Wakes the task that waits to write until an emission ends.
    writer: Option<Waker>,
    /// When reading starts again.
    deaf: Option<(i64, Wait)>,
    end: Option<Then>,
}

/// A wait for the clock.
type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The stream below.
pub(super) enum Below {
    Plain(Socket),
    /// TLS, with a second handle of its socket, for resets.
    Layered(Box<dyn ByteStream>, std::net::TcpStream),
}

impl LineStream {
    /// A stream with the line that controls it.
    pub(super) fn new(
        below: Below,
        lines: Arc<Lines>,
        remote: SocketAddr,
        local: SocketAddr,
    ) -> (Self, Arc<Line>) {
        let line = lines.open(remote, local);
        let stream = Self {
            below,
            line: line.clone(),
            lines,
            remote,
            local,
            between_frames: true,
            current: None,
            pace: None,
            writer: None,
            deaf: None,
            end: None,
        };
        (stream, line)
    }

    fn below(&mut self) -> Pin<&mut dyn ByteStream> {
        match &mut self.below {
            Below::Plain(stream) => Pin::new(stream),
            Below::Layered(stream, _) => Pin::new(&mut **stream),
        }
    }

    /// Writes the queued emissions as far as possible now.
    fn poll_emit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.end.is_none() {
            let Some(mut emission) = self.current.take().or_else(|| self.line.next()) else { break };
            match self.poll_emission(&mut emission, cx) {
                Poll::Pending => {
                    self.current = Some(emission);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(())) if emission.then == Then::Stay => {}
                Poll::Ready(Ok(())) => self.finish(emission.then),
                // The next read reports the error.
                Poll::Ready(Err(_)) => self.end = Some(Then::Close),
            }
        }
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        Poll::Ready(())
    }

    fn poll_emission(&mut self, emission: &mut Emission, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while emission.bytes.has_remaining() {
            if let Some(pace) = &mut self.pace {
                ready!(pace.as_mut().poll(cx));
                self.pace = None;
            }
            let part = if emission.pace.is_some() { &emission.bytes[..1] } else { &emission.bytes[..] };
            let written = ready!(self.below().poll_write(cx, part))?;
            emission.bytes.advance(written);
            if let Some(time) = emission.pace {
                self.pace = emission.bytes.has_remaining().then(|| {
                    let clock = self.line.clock().clone();
                    Box::pin(async move { clock.sleep(time).await }) as Wait
                });
            }
        }
        self.below().poll_flush(cx)
    }

    fn finish(&mut self, then: Then) {
        if then == Then::Reset {
            // If the option cannot be set, the socket closes normally.
            let _ = match &self.below {
                Below::Plain(socket) => socket.reset(),
                Below::Layered(_, handle) => socket2::SockRef::from(handle).set_linger(Some(Duration::ZERO)),
            };
        }
        self.end = Some(then);
        self.line.wake_reader();
    }

    /// Whether reading is stopped now.
    fn poll_deaf(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.line.is_deaf() {
            let Ok(until) = self.line.deaf_until() else { break };
            let Some(until) = until else { return Poll::Pending };
            let clock = self.line.clock();
            let known = self.deaf.take_if(|(due, _)| *due == until);
            let (_, wait) = self.deaf.insert(known.unwrap_or_else(|| {
                let clock = clock.clone();
                (until, Box::pin(async move { clock.sleep_until(until).await }))
            }));
            ready!(wait.as_mut().poll(cx));
            self.deaf = None;
        }
        Poll::Ready(())
    }
}

impl AsyncRead for LineStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Register before looking for faults, so that none is missed.
        this.line.keep_reader(cx.waker());
        if this.between_frames && this.line.is_busy() {
            // An emission that cannot be written yet must not hold up reading.
            let _ = this.poll_emit(cx);
        }
        if this.end.is_some() {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_deaf(cx));
        this.below().poll_read(cx, buf)
    }
}

impl AsyncWrite for LineStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.between_frames && this.line.is_busy() && this.poll_emit(cx).is_pending() {
            this.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if this.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = match slices {
            [one] => this.below().poll_write(cx, one),
            many => this.below().poll_write_vectored(cx, many),
        };
        this.between_frames &= !matches!(written, Poll::Ready(Ok(1..)));
        written
    }

    fn is_write_vectored(&self) -> bool {
        match &self.below {
            Below::Plain(stream) => stream.is_write_vectored(),
            Below::Layered(stream, _) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.below().poll_flush(cx))?;
        this.between_frames = true;
        if this.line.is_busy() {
            // The read side reports the end.
            let _ = this.poll_emit(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.end {
            // A TLS farewell would come before the reset: skip it.
            Some(Then::Reset) => Poll::Ready(Ok(())),
            _ => this.below().poll_shutdown(cx),
        }
    }
}

impl Drop for LineStream {
    fn drop(&mut self) {
        self.lines.close(self.remote, self.local);
    }
}
