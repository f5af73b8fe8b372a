//! A connection's socket, which others may look at while it is served: whether its client is still
//! there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connections::Place;
use crate::shares::Share;

/// A socket and the place that it takes among all connections.
pub(super) struct Socket {
    /// Closed before the place is free, whoever had it last: fields are dropped in their order.
    stream: TcpStream,
    /// Its large buffer for answers, if it has one.
    _buffer: Option<Share>,
    _place: Place,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, buffer: Option<Share>, place: Place) -> Arc<Self> {
        Arc::new(Self {
            stream,
            _buffer: buffer,
            _place: place,
        })
    }
}

impl AsRef<TcpStream> for Socket {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}

/// A connection, served through a shared handle.
pub(super) struct SharedStream(pub Arc<Socket>);

impl SharedStream {
    fn stream(&self) -> &TcpStream {
        &self.0.stream
    }
}

/// Does I/O as soon as the socket is ready for it.
macro_rules! when_ready {
    ($stream:expr, $ready:ident, $context:expr, $work:expr) => {
        loop {
            ready!($stream.$ready($context))?;
            match $work {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    };
}

impl AsyncRead for SharedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        when_ready!(
            self.stream(),
            poll_read_ready,
            context,
            self.stream().try_read_buf(&mut buffer).map(|_| ())
        )
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        when_ready!(
            self.stream(),
            poll_write_ready,
            context,
            self.stream().try_write(bytes)
        )
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        when_ready!(
            self.stream(),
            poll_write_ready,
            context,
            self.stream().try_write_vectored(parts)
        )
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The system has all that was written.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match rustix::net::shutdown(self.stream(), Shutdown::Write) {
            // The client is gone already.
            Ok(()) | Err(rustix::io::Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}
