//! Accepting: on the first I/O thread, which deals connections out in turn.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;

use crate::context::server::Shared;
use crate::net::admission::{AddressPermit, Idle};
use crate::serve::admission;
use crate::serve::connection;
use crate::serve::io_thread::IoThread;
use crate::sys::clock::LogThrottle;

/// How long accepting pauses when the system has no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// The accepting side, on the first I/O thread.
pub(super) struct Accepting {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) io_threads: Arc<[Arc<IoThread>]>,
    pub(super) shared: Arc<Shared>,
}

impl Accepting {
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
            shared.shutdown.no_more_accepting();
        });
    }
}

async fn accept(listener: TcpListener, io_threads: Arc<[Arc<IoThread>]>, shared: Arc<Shared>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot accept connections: {error}"),
    };
    let mut turns = (0..io_threads.len()).cycle();
    let (warning, mut idle) = (LogThrottle::default(), Idle::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.shutdown.requested() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let Some(address) = admission::admit(peer, &shared) else { continue };
                tokio::select! {
                    biased;
                    () = shared.shutdown.requested() => {}
                    () = admission::room(&shared, &io_threads, &mut idle) => {}
                }
                deal(socket, peer, address, &io_threads, &shared, turns.next().unwrap_or(0));
            }
            Err(error) if client_has_gone(&error) => {}
            Err(error) => {
                if warning.allow() {
                    tracing::error!("cannot accept connections: {error}");
                }
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    // Whoever has connected by now is not turned away.
    while let Some(Ok((socket, peer))) = listener.accept().now_or_never() {
        if let Some(address) = admission::admit(peer, &shared) {
            deal(socket, peer, address, &io_threads, &shared, turns.next().unwrap_or(0));
        }
    }
}

/// Whether an error in accepting is about one client only.
fn client_has_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Hands a connection to the I/O thread whose turn it is. The first I/O thread, on
/// whose thread this runs, keeps its own where they are.
fn deal(
    socket: TcpStream,
    peer: SocketAddr,
    address: AddressPermit,
    io_threads: &[Arc<IoThread>],
    shared: &Arc<Shared>,
    turn: usize,
) {
    if turn == 0 {
        let permit = address.permit(&io_threads[0].active);
        let (shared, io_thread) = (shared.clone(), io_threads[0].clone());
        tokio::spawn(connection::serve(socket, peer, shared, io_thread, permit));
        return;
    }
    // A socket belongs to the runtime that watches it.
    if let Ok(socket) = socket.into_std() {
        send_over(socket, peer, address, &io_threads[turn], shared);
    }
}

/// Serves a connection that somebody else has accepted; whether it is allowed.
/// Its descriptor, as good as a die, says which I/O thread has it.
pub(crate) fn serve_connection(
    socket: std::net::TcpStream,
    peer: SocketAddr,
    io_threads: &[Arc<IoThread>],
    shared: &Arc<Shared>,
) -> bool {
    let Some(address) = admission::admit(peer, shared) else { return false };
    let turn = usize::try_from(socket.as_raw_fd()).unwrap_or(0) % io_threads.len();
    send_over(socket, peer, address, &io_threads[turn], shared);
    true
}

/// Hands a connection to an I/O thread on another thread.
fn send_over(
    socket: std::net::TcpStream,
    peer: SocketAddr,
    address: AddressPermit,
    io_thread: &Arc<IoThread>,
    shared: &Arc<Shared>,
) {
    let permit = address.permit(&io_thread.active);
    let (shared, io_thread) = (shared.clone(), io_thread.clone());
    io_thread.handle.clone().spawn(async move {
        if let Ok(socket) = TcpStream::from_std(socket) {
            connection::serve(socket, peer, shared, io_thread, permit).await;
        }
    });
}
