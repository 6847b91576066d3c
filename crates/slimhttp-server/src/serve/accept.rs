//! Accepting: one task for each listener, on the first I/O thread, which assigns connections to
//! all threads in turn. A connection stays on its thread to its end.
//!
//! A full server accepts nobody more: who waits then waits in the system's queue. Once the server
//! is asked to stop, what that queue holds is still served, and the listeners close. The same where
//! another process accepts in its place, but that it serves on until it is asked to stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;

use crate::context::server::ServerContext;
use crate::net::admission::{AddressPermit, IdleConnections};
use crate::serve::admission;
use crate::serve::connection;
use crate::serve::io_thread::IoThread;
use crate::sys::clock::LogThrottle;

/// How long accepting pauses when the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What the first I/O thread accepts by, moved to it when it starts.
pub(super) struct Accepting {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) io_threads: Arc<[Arc<IoThread>]>,
    pub(super) shared: Arc<ServerContext>,
}

impl Accepting {
    /// Starts a task for each listener; the port is free when all of them have ended.
    pub(super) fn spawn(self) {
        let Self { listeners, io_threads, shared } = self;
        let tasks: Vec<_> = listeners
            .into_iter()
            .map(|listener| tokio::spawn(accept(listener, io_threads.clone(), shared.clone())))
            .collect();
        tokio::spawn(async move {
            for task in tasks {
                let _ = task.await;
            }
            shared.shutdown.requested().await;
            shared.shutdown.no_more_accepting();
        });
    }
}

async fn accept(
    listener: TcpListener,
    io_threads: Arc<[Arc<IoThread>]>,
    shared: Arc<ServerContext>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot accept connections: {error}"),
    };
    let mut threads = (0..io_threads.len()).cycle();
    let mut next_thread = || threads.next().unwrap_or(0);
    let (warning, mut idle) = (LogThrottle::default(), IdleConnections::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.shutdown.relieved() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let Some(address) = admission::admit(peer, &shared) else { continue };
                tokio::select! {
                    biased;
                    () = shared.shutdown.relieved() => {}
                    () = admission::wait_for_room(&shared, &io_threads, &mut idle) => {}
                }
                assign(socket, peer, address, &io_threads, &shared, next_thread());
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
    // Whoever has connected by now is served.
    while let Some(Ok((socket, peer))) = listener.accept().now_or_never() {
        if let Some(address) = admission::admit(peer, &shared) {
            assign(socket, peer, address, &io_threads, &shared, next_thread());
        }
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
    peer: SocketAddr,
    address: AddressPermit,
    io_threads: &[Arc<IoThread>],
    shared: &Arc<ServerContext>,
    thread: usize,
) {
    if thread == 0 {
        let permit = address.permit(&io_threads[0].active);
        let (shared, io_thread) = (shared.clone(), io_threads[0].clone());
        tokio::spawn(connection::serve(socket, peer, shared, io_thread, permit));
        return;
    }
    // A socket belongs to the runtime that watches it.
    if let Ok(socket) = socket.into_std() {
        hand_over(socket, peer, address, &io_threads[thread], shared);
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
    let Some(address) = admission::admit(peer, shared) else { return false };
    let thread = usize::try_from(socket.as_raw_fd()).unwrap_or(0) % io_threads.len();
    hand_over(socket, peer, address, &io_threads[thread], shared);
    true
}

/// Starts a connection on an I/O thread that is not this one.
fn hand_over(
    socket: std::net::TcpStream,
    peer: SocketAddr,
    address: AddressPermit,
    io_thread: &Arc<IoThread>,
    shared: &Arc<ServerContext>,
) {
    let permit = address.permit(&io_thread.active);
    let (shared, io_thread) = (shared.clone(), io_thread.clone());
    io_thread.handle.clone().spawn(async move {
        if let Ok(socket) = TcpStream::from_std(socket) {
            connection::serve(socket, peer, shared, io_thread, permit).await;
        }
    });
}
