//! Accepting connections, on a thread of its own: however busy those that serve are, new connections do
//! not wait in the system's queue, which drops whoever comes when it is full. One that has ended already,
//! or whose network has no share left, is closed before anything else is done for it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::sync::{mpsc, oneshot};

use super::connections::{Connections, Place};

/// New connections that may wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
/// Past it a client's first packet is dropped, and it tries again after a second.
const LISTEN_BACKLOG: i32 = 4096;
/// The wait after an accept that failed (out of descriptors, say) before the next is tried.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection that is to be served.
pub(super) struct Accepted {
    pub stream: TcpStream,
    pub place: Place,
}

/// The thread that accepts connections, as those see it that serve them.
pub(super) struct Acceptor {
    /// No more wait here than there are places.
    accepted: mpsc::UnboundedReceiver<Accepted>,
    /// Its other end is dropped with the listener.
    ended: oneshot::Receiver<()>,
}

impl Acceptor {
    /// Begins to accept.
    ///
    /// # Errors
    /// The system gives no thread, or can't watch the listener.
    pub(super) fn start(listener: TcpListener, connections: Arc<Connections>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // Of a listener that listens already, this changes the length of its queue alone.
        if let Err(error) = rustix::net::listen(&listener, LISTEN_BACKLOG) {
            tracing::warn!(%error, "the queue of new connections stays as short as it was");
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (to_be_served, accepted) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("accept".to_owned())
            .spawn(move || {
                runtime.block_on(accept_all(&listener, &connections, &to_be_served));
                drop(listener);
                drop(end);
            })?;
        Ok(Self { accepted, ended })
    }

    /// The next connection; `None` if the thread broke off.
    pub(super) async fn next(&mut self) -> Option<Accepted> {
        self.accepted.recv().await
    }

    /// Accepts no more. What was accepted and nobody took is closed.
    pub(super) async fn stop(self) {
        drop(self.accepted);
        // An error says that it has ended.
        let _ = self.ended.await;
    }
}

/// Accepts until nobody takes what was accepted.
async fn accept_all(
    listener: &tokio::net::TcpListener,
    connections: &Arc<Connections>,
    to_be_served: &mpsc::UnboundedSender<Accepted>,
) {
    let accept = async {
        loop {
            let (stream, peer) = match accept_one(listener).await {
                Ok(accepted) => accepted,
                // It ended before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // Its client may have reset it while it waited.
            if !matches!(sockopt::socket_error(&stream), Ok(Ok(()))) {
                continue;
            }
            let Some(place) = connections.take_place(peer.ip()).await else {
                tracing::debug!(%peer, "too many connections from one network");
                continue;
            };
            if to_be_served.send(Accepted { stream, place }).is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = to_be_served.closed() => {}
    }
}

/// The next connection, if the system gives one now.
async fn accept_one(listener: &tokio::net::TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    // Another runtime is to serve it.
    Ok((stream.into_std()?, peer))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{Ipv4Addr, SocketAddrV4};

    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

    use super::*;
    use crate::http::{Limits, TrustedProxies};
    use crate::shares::ClientNet;

    fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
        let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(
            &stream,
            &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0),
        )
        .unwrap();
        connect(&stream, &to).unwrap();
        let stream = TcpStream::from(stream);
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    /// However long those take that serve: nobody here does.
    #[tokio::test(flavor = "current_thread")]
    async fn connections_are_accepted_and_turned_back_though_nobody_has_time_to_serve_them() {
        let limits = Limits {
            connections: 8,
            ..Limits::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Connections::new(&limits, TrustedProxies::default());
        let mut acceptor = Acceptor::start(listener, connections).unwrap();
        // More than one network may have: those that came last are closed, and not kept waiting.
        let mut flood: Vec<TcpStream> = (0..20).map(|_| connect_from(1, address)).collect();
        for stream in &mut flood[6..] {
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
        // What is reset is not served, and takes no place of others.
        for _ in 0..100 {
            let stream = connect_from(2, address);
            sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        let _late = connect_from(3, address);
        let other = ClientNet::of([127, 0, 0, 3].into());
        let served = loop {
            let accepted = acceptor.next().await.unwrap();
            if accepted.place.connection.net() == other {
                break accepted;
            }
        };
        drop(served);
        acceptor.stop().await;
        // The port is free: nobody listens any more.
        assert!(TcpStream::connect(address).is_err());
    }
}
