use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rocketmq_remoting::net::ByteStream;
use rocketmq_remoting::protocol::SerializeType;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::send_frame::SendFrame;
use crate::broker::{Broker, Discarding};

/// Longer frames are left to the broker.
const QUICK_FRAME: usize = 128 * 1024;

/// What a read brings at most.
const READ: usize = 256 * 1024;

/// Reads in one turn.
const READS_PER_TURN: usize = 16;

/// Nothing is read while more than that waits to be written.
const ANSWERS_LIMIT: usize = 1024 * 1024;

/// A stream that answers sends by itself, and lets its server read all else. Whoever writes to it flushes it after whole
/// frames, and at no other time.
pub(super) struct DiscardStream {
    below: Box<dyn ByteStream>,
    quick: Quick,
    /// What came and was not looked at.
    incoming: BytesMut,
    /// Bytes at the front of `incoming` that are the server's, whatever they are.
    pass: usize,
    /// What the server is to read.
    passed: BytesMut,
    answers: BytesMut,
    /// The server has written whole frames.
    between_frames: bool,
    ended: bool,
}

/// Answers sends to a broker.
pub(super) struct Quick {
    pub(super) broker: Arc<Broker>,
    pub(super) remote: SocketAddr,
    pub(super) serialize_type: SerializeType,
}

impl Quick {
    /// Answers a frame, if it is a plain send that nothing is wrong with. `batch`: what came together, under one lock.
    fn answer<'a>(
        &'a self,
        frame: &[u8],
        batch: &mut Option<Discarding<'a>>,
        answers: &mut BytesMut,
    ) -> bool {
        let Some(SendFrame { opaque, request }) = SendFrame::read(frame, self.remote) else { return false };
        if batch.is_none() {
            *batch = self.broker.discarding(self.serialize_type);
        }
        batch.as_mut().is_some_and(|batch| batch.answer(&request, opaque, answers))
    }
}

impl DiscardStream {
    pub(super) fn new(below: Box<dyn ByteStream>, quick: Quick) -> Self {
        Self {
            below,
            quick,
            incoming: BytesMut::new(),
            pass: 0,
            passed: BytesMut::new(),
            answers: BytesMut::new(),
            between_frames: true,
            ended: false,
        }
    }

    /// Answers the whole frames that came, and sorts out those of the server.
    fn sort(&mut self) {
        let meets_faults = self.quick.broker.meets_faults();
        let mut batch = None;
        loop {
            if self.pass > 0 {
                let part = self.incoming.split_to(self.pass.min(self.incoming.len()));
                self.pass -= part.len();
                self.passed.extend_from_slice(&part);
            }
            let Some(length) = self.incoming.first_chunk::<4>() else { break };
            let length = (u32::from_be_bytes(*length) as usize).saturating_add(4);
            if length > QUICK_FRAME || meets_faults {
                self.pass = length;
                continue;
            }
            let Some(frame) = self.incoming.get(..length) else { break };
            if self.quick.answer(frame, &mut batch, &mut self.answers) {
                self.incoming.advance(length);
            } else {
                self.pass = length;
            }
        }
        drop(batch);
        self.quick.broker.tell_changes();
    }

    /// Writes the answers, unless the server is in the middle of a frame.
    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.between_frames || self.answers.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.answers.has_remaining() {
            match ready!(Pin::new(&mut self.below).poll_write(cx, &self.answers))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.answers.advance(written),
            }
        }
        // The same memory again, rather than what is left of it.
        self.answers.clear();
        Pin::new(&mut self.below).poll_flush(cx)
    }
}

impl AsyncRead for DiscardStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        for _ in 0..READS_PER_TURN {
            let wrote = this.poll_answers(cx)?;
            if this.passed.has_remaining() {
                let count = this.passed.len().min(buf.remaining());
                buf.put_slice(&this.passed[..count]);
                this.passed.advance(count);
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            if wrote.is_pending() && this.answers.len() > ANSWERS_LIMIT {
                return Poll::Pending;
            }
            this.incoming.reserve(READ);
            if ready!(poll_read_buf(Pin::new(&mut this.below), cx, &mut this.incoming))? == 0 {
                this.ended = true;
                this.pass = this.incoming.len();
            }
            this.sort();
        }
        // Other connections on the same thread get theirs.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncWrite for DiscardStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_answers(cx))?;
        let written = Pin::new(&mut this.below).poll_write_vectored(cx, slices);
        this.between_frames &= !matches!(written, Poll::Ready(Ok(1..)));
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.below.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.below).poll_flush(cx))?;
        this.between_frames = true;
        // What cannot be written now is written when the stream is read again.
        match this.poll_answers(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().below).poll_shutdown(cx)
    }
}
