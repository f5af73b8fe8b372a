//! A connection's bytes as hyper reads them: heads that were judged, and bodies.
//!
//! A head is held back until it is whole and good. In the place of one that is not comes a request that
//! the connection's service answers with what is wrong, and behind it the end. So everybody who sends
//! what is no HTTP is answered with a problem document too, in its turn behind earlier answers.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use super::framing::Framing;
use super::head::{HEAD_BYTES_MAX, Head, read_head};

/// Bytes that are read at a time where a head or a chunk's size is expected.
const READ_BYTES: usize = 8 << 10;
/// What hyper reads in the place of a head that is refused.
const REFUSED: &[u8] = b"GET /refused HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// A stream of which hyper reads good heads alone.
pub(super) struct Guarded<S> {
    stream: S,
    connection: Arc<Connection>,
    /// Bytes of a chunk, at most.
    chunk_max: u64,
    /// Bytes that were read, and not by hyper yet.
    held: Vec<u8>,
    /// How many of them hyper may read.
    passed: usize,
    /// How many of them were looked at for a head.
    looked_at: usize,
    /// What of a body is still to come behind those that hyper may read.
    framing: Framing,
    /// Nothing comes behind those that are held.
    ended: bool,
    /// Heads that hyper may read, or has read.
    heads: u64,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, connection: &Arc<Connection>, body_bytes_max: usize) -> Self {
        Self {
            stream,
            connection: Arc::clone(connection),
            chunk_max: body_bytes_max as u64,
            held: Vec::new(),
            passed: 0,
            looked_at: 0,
            framing: Framing::Over,
            ended: false,
            heads: 0,
        }
    }

    /// Gives hyper what it may read. `false` if that is nothing.
    fn hand_over(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let count = self.passed.min(buffer.remaining());
        let Some(bytes) = self.held.get(..count).filter(|_| count > 0) else {
            return false;
        };
        buffer.put_slice(bytes);
        if count == self.held.len() {
            // A connection that rests holds no memory.
            self.held = Vec::new();
        } else {
            self.held.drain(..count);
        }
        self.passed -= count;
        true
    }

    /// Looks for more that hyper may read in what is held.
    fn judge(&mut self) {
        if self.framing == Framing::Over {
            self.judge_head();
            return;
        }
        self.passed = self.framing.follow(&self.held, self.chunk_max);
        if self.framing == Framing::TooLarge {
            self.connection.refuse_chunk();
        }
        if matches!(self.framing, Framing::TooLarge | Framing::Broken) {
            self.held.truncate(self.passed);
            self.ended = true;
        }
    }

    fn judge_head(&mut self) {
        // A head is looked at again with each of its lines, not with each of its bytes.
        let unseen = self.held.get(self.looked_at..).unwrap_or_default();
        let first = self.looked_at == 0;
        if !first && !unseen.contains(&b'\n') && self.held.len() < HEAD_BYTES_MAX {
            return;
        }
        self.looked_at = self.held.len();
        match read_head(&self.held) {
            Ok(Head::Partial) => {}
            Ok(Head::Whole { length, body }) => {
                self.heads += 1;
                self.passed = length;
                self.looked_at = 0;
                self.framing = Framing::of(body);
            }
            Err(problem) => {
                self.heads += 1;
                self.connection.refuse_head(self.heads, problem);
                self.held = REFUSED.to_vec();
                self.passed = self.held.len();
                self.ended = true;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Reads more of the connection: what is data of a body into hyper's own buffer, all else into what
    /// is held.
    fn poll_more(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let data = usize::try_from(self.framing.data_left()).unwrap_or(usize::MAX);
        if data > 0 && self.held.is_empty() {
            let count = data.min(buffer.remaining());
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(count));
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
            let came = part.filled().len();
            self.framing.follow(part.filled(), self.chunk_max);
            self.ended = came == 0;
            buffer.advance(came);
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; READ_BYTES];
        let mut part = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        self.held.extend_from_slice(part.filled());
        if part.filled().is_empty() {
            // What is cut off is hyper's to judge.
            self.passed = self.held.len();
            self.ended = true;
        } else {
            self.judge();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            if self.passed == 0 && !self.held.is_empty() && !self.ended {
                self.judge();
            }
            if self.hand_over(buffer) || self.ended || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_more(context, buffer))?;
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A client whose bytes come in these pieces.
    struct Pieces(VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if let Some(mut piece) = self.0.pop_front() {
                let rest = piece.split_off(piece.len().min(buffer.remaining()));
                buffer.put_slice(&piece);
                if !rest.is_empty() {
                    self.0.push_front(rest);
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    /// What hyper reads of bytes that come in pieces of this size.
    async fn read_by_hyper(bytes: &[u8], size: usize) -> Vec<u8> {
        let connection = Connection::new([127, 0, 0, 1].into());
        let pieces = Pieces(bytes.chunks(size).map(<[u8]>::to_vec).collect());
        let mut guarded = Guarded::new(pieces, &connection, 1 << 20);
        let mut read = Vec::new();
        guarded.read_to_end(&mut read).await.unwrap();
        read
    }

    #[tokio::test]
    async fn good_requests_pass_unchanged_however_they_come_and_nothing_behind_a_bad_one() {
        let get = "GET /checkpoint HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
        let post = |fields: &str, body: &str| {
            format!("POST /v1/records HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}")
        };
        let data = "GET / HTTP/1.1\r\n\r\n".repeat(1_000);
        let whole = post(&format!("Content-Length: {}", data.len()), &data);
        let size = data.len();
        let chunked = format!("{size:x}\r\n{data}\r\n5;x\r\n\r\n\r\n\n\r\n0\r\nSum: 1\r\n\r\n");
        let chunked = post("Transfer-Encoding: chunked", &chunked);
        let good = [&get, &whole, &get, &chunked, &chunked, &whole, &get].map(String::as_str);
        let good = good.concat().into_bytes();
        let smuggled = post(
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
            "0\r\n\r\n",
        );
        for size in [1, 2, 7, 100, 8_192, 1 << 20] {
            assert!(read_by_hyper(&good, size).await == good, "{size}");
            let bad = [&good, smuggled.as_bytes(), get.as_bytes()].concat();
            let expected = [&good, REFUSED].concat();
            assert!(read_by_hyper(&bad, size).await == expected, "{size}");
            // What is cut off is hyper's to judge.
            let cut = &good[..good.len() - 3];
            assert!(read_by_hyper(cut, size).await == cut, "{size}");
        }
        let too_large = post("Transfer-Encoding: chunked", "3\r\nabc\r\n100001\r\n");
        let read = read_by_hyper(too_large.as_bytes(), 1).await;
        assert_eq!(read.len(), too_large.len() - "\r\n".len());
    }
}
