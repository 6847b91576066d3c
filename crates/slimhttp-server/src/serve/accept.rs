//! Accepting: a task for each socket that listens, on the first I/O thread, which assigns
//! connections to all threads in turn. A connection stays on its thread to its end.
//!
//! A full server accepts nobody more: who waits then waits in the system's queue. Once the server
//! is asked to stop, or a listener is to close, what that queue holds is still served, and then the
//! socket closes. The same where another process accepts in its place, but that it serves on until
//! it is asked to stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rustix::net::AddressFamily;
use slimhttp_site::listener::Listener;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::context::server::ServerContext;
use crate::net::admission::{AddressPermit, IdleConnections};
use crate::net::listener::{BACKLOG, THIS_MACHINE};
use crate::net::listeners::OpenListener;
use crate::serve::admission;
use crate::serve::connection;
use crate::serve::drain;
use crate::serve::io_thread::IoThread;
use crate::sys::clock::LogThrottle;

/// How long accepting pauses when the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a listener that closes waits for handshakes that have begun. Those of clients that are
/// farther away may fail.
const HANDSHAKES: Duration = Duration::from_millis(20);

/// What the first I/O thread accepts by, moved to it when it starts.
pub(super) struct Accepting {
    pub(super) io_threads: Arc<[Arc<IoThread>]>,
    pub(super) shared: Arc<ServerContext>,
}

impl Accepting {
    /// Accepts from every listener that is open, and from those that are opened later, until the
    /// server is asked to stop.
    pub(super) fn spawn(self) {
        tokio::spawn(async move {
            let shared = self.shared.clone();
            let mut changes = shared.listeners.subscribe();
            let mut tasks = JoinSet::new();
            loop {
                for (listener, sockets) in shared.listeners.begin_accepting() {
                    for socket in sockets {
                        tasks.spawn(self.accept(socket, listener.clone()));
                    }
                }
                // Those of listeners that were closed.
                while tasks.try_join_next().is_some() {}
                tokio::select! {
                    biased;
                    () = shared.shutdown.relieved() => break,
                    _ = changes.changed() => {}
                }
            }
            while tasks.join_next().await.is_some() {}
            shared.shutdown.requested().await;
            shared.shutdown.no_more_accepting();
        });
    }

    /// Accepts from one socket until it is to close.
    fn accept(
        &self,
        socket: OwnedFd,
        listener: Arc<OpenListener>,
    ) -> impl Future<Output = ()> + use<> {
        let Self { io_threads, shared } = self;
        let (io_threads, shared) = (io_threads.clone(), shared.clone());
        async move {
            match AcceptSocket::new(socket) {
                Ok(socket) => accept(&socket, &listener, &io_threads, &shared).await,
                Err(error) => {
                    tracing::error!("cannot accept connections at {}: {error}", listener.url());
                }
            }
            listener.end_accepting();
            if listener.is_closing() {
                drain::drain_listener(&listener, &io_threads, &shared).await;
            }
        }
    }
}

/// A socket that listens, watched by the runtime of the first I/O thread.
enum AcceptSocket {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl AcceptSocket {
    fn new(socket: OwnedFd) -> io::Result<Self> {
        let family = rustix::net::getsockname(&socket)?.address_family();
        Ok(if family == AddressFamily::UNIX {
            Self::Unix(tokio::net::UnixListener::from_std(UnixListener::from(socket))?)
        } else {
            Self::Tcp(tokio::net::TcpListener::from_std(TcpListener::from(socket))?)
        })
    }

    /// The next connection, and its other end.
    ///
    /// A stream of the file system is a stream socket like any other: what reads and writes it
    /// knows it by its descriptor. So both are of one type from here on, and only what asks for an
    /// address is told that there is none.
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Tcp(socket) => socket.accept().await,
            Self::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                let stream = std::net::TcpStream::from(OwnedFd::from(stream.into_std()?));
                Ok((TcpStream::from_std(stream)?, THIS_MACHINE))
            }
        }
    }

    fn reference(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(socket) => SockRef::from(socket),
            Self::Unix(socket) => SockRef::from(socket),
        }
    }
}

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(super) peer: SocketAddr,
    /// How it begins, as the site in force said when it came.
    pub(super) listener: Arc<Listener>,
    /// By which the connections of that listener are known; 0 where it came by none.
    pub(super) listener_id: u32,
}

impl Accepted {
    fn by(listener: &OpenListener, peer: SocketAddr) -> Self {
        Self { peer, listener: listener.rules(), listener_id: listener.id() }
    }

    /// Whether it begins with a header that tells whose it is.
    pub(super) fn is_from_proxy(&self) -> bool {
        let proxies = self.listener.proxy_protocol.as_ref();
        proxies.is_some_and(|proxies| proxies.contain(self.peer.ip()))
    }
}

async fn accept(
    socket: &AcceptSocket,
    listener: &OpenListener,
    io_threads: &[Arc<IoThread>],
    shared: &Arc<ServerContext>,
) {
    // Each socket has a turn of its own.
    let mut threads = (0..io_threads.len()).cycle();
    let mut next_thread = || threads.next().unwrap_or(0);
    let (warning, mut idle) = (LogThrottle::default(), IdleConnections::default());
    let closing = async {
        tokio::select! {
            biased;
            () = shared.shutdown.relieved() => {}
            () = listener.closing() => {}
        }
    };
    let mut closing = std::pin::pin!(closing);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut closing => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let accepted = Accepted::by(listener, peer);
                let Some(address) = admission::admit(&accepted, shared) else { continue };
                let has_room = tokio::select! {
                    biased;
                    () = &mut closing => false,
                    () = admission::wait_for_room(shared, io_threads, &mut idle) => true,
                };
                assign(stream, accepted, address, io_threads, shared, next_thread());
                if !has_room {
                    break;
                }
            }
            Err(error) if is_of_one_client(&error) => {}
            Err(error) => {
                if warning.allow() {
                    tracing::error!("cannot accept connections: {error}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    let mut serve = |(stream, peer)| {
        let accepted = Accepted::by(listener, peer);
        if let Some(address) = admission::admit(&accepted, shared) {
            assign(stream, accepted, address, io_threads, shared, next_thread());
        }
    };
    // Whoever has connected by now is served. The end of the server does not wait for those who
    // are about to.
    let is_refusing = listener.refuse_handshakes(socket.reference());
    if is_refusing && !shared.shutdown.is_requested() {
        let end = tokio::time::Instant::now() + HANDSHAKES;
        while let Ok(accepted) = tokio::time::timeout_at(end, socket.accept()).await {
            accepted.into_iter().for_each(&mut serve);
        }
    }
    // No more than the system's queue holds, for who connects meanwhile may be another process's to
    // serve. Tokio would have a task pause.
    for _ in 0..BACKLOG {
        let accepting = tokio::task::unconstrained(socket.accept());
        let Some(Ok(accepted)) = accepting.now_or_never() else { break };
        serve(accepted);
    }
}

/// Whether an error in accepting is about one client only.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Starts a connection on an I/O thread. This runs on the first one, whose own connections
/// stay where they are.
fn assign(
    socket: TcpStream,
    accepted: Accepted,
    address: AddressPermit,
    io_threads: &[Arc<IoThread>],
    shared: &Arc<ServerContext>,
    thread: usize,
) {
    if thread == 0 {
        let permit = address.permit(&io_threads[0].active);
        let (shared, io_thread) = (shared.clone(), io_threads[0].clone());
        tokio::spawn(connection::serve(socket, accepted, shared, io_thread, permit));
        return;
    }
    // A socket belongs to the runtime that watches it.
    if let Ok(socket) = socket.into_std() {
        hand_over(socket, accepted, address, &io_threads[thread], shared);
    }
}

/// Serves a connection that the program has accepted, called on a thread of its own; whether it
/// is allowed. The number of its descriptor says which I/O thread has it, for there is no turn
/// that threads share.
pub(crate) fn serve_connection(
    socket: std::net::TcpStream,
    peer: SocketAddr,
    io_threads: &[Arc<IoThread>],
    shared: &Arc<ServerContext>,
) -> bool {
    // It counts as one that came to the first listener.
    let listener = shared.live.current().site.service.listeners[0].clone();
    let accepted = Accepted { peer, listener, listener_id: 0 };
    let Some(address) = admission::admit(&accepted, shared) else { return false };
    let thread = usize::try_from(socket.as_raw_fd()).unwrap_or(0) % io_threads.len();
    hand_over(socket, accepted, address, &io_threads[thread], shared);
    true
}

/// Starts a connection on an I/O thread that is not this one.
fn hand_over(
    socket: std::net::TcpStream,
    accepted: Accepted,
    address: AddressPermit,
    io_thread: &Arc<IoThread>,
    shared: &Arc<ServerContext>,
) {
    let permit = address.permit(&io_thread.active);
    let (shared, io_thread) = (shared.clone(), io_thread.clone());
    io_thread.handle.clone().spawn(async move {
        if let Ok(socket) = TcpStream::from_std(socket) {
            connection::serve(socket, accepted, shared, io_thread, permit).await;
        }
    });
}
