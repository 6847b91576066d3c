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
use crate::serve::io_thread::Worker;
use crate::sys::clock::LogThrottle;

/// How long accepting pauses when the system has no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// The accepting side, on the first worker.
pub(super) struct Accepting {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) workers: Arc<[Arc<Worker>]>,
    pub(super) shared: Arc<Shared>,
}

impl Accepting {
    pub(super) fn spawn(self) {
        let Self { listeners, workers, shared } = self;
        let tasks: Vec<_> = listeners
            .into_iter()
            .map(|listener| tokio::spawn(accept(listener, workers.clone(), shared.clone())))
            .collect();
        tokio::spawn(async move {
            for task in tasks {
                let _ = task.await;
            }
            shared.shutdown.no_more_accepting();
        });
    }
}

async fn accept(listener: TcpListener, workers: Arc<[Arc<Worker>]>, shared: Arc<Shared>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("cannot accept connections: {error}"),
    };
    let mut turns = (0..workers.len()).cycle();
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
                    () = admission::room(&shared, &workers, &mut idle) => {}
                }
                deal(socket, peer, address, &workers, &shared, turns.next().unwrap_or(0));
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
            deal(socket, peer, address, &workers, &shared, turns.next().unwrap_or(0));
        }
    }
}

/// Whether an error in accepting is about one client only.
fn client_has_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Hands a connection to the worker whose turn it is. The first worker, on
/// whose thread this runs, keeps its own where they are.
fn deal(
    socket: TcpStream,
    peer: SocketAddr,
    address: AddressPermit,
    workers: &[Arc<Worker>],
    shared: &Arc<Shared>,
    turn: usize,
) {
    if turn == 0 {
        let permit = address.permit(&workers[0].active);
        let (shared, worker) = (shared.clone(), workers[0].clone());
        tokio::spawn(connection::serve(socket, peer, shared, worker, permit));
        return;
    }
    // A socket belongs to the runtime that watches it.
    if let Ok(socket) = socket.into_std() {
        send_over(socket, peer, address, &workers[turn], shared);
    }
}

/// Serves a connection that somebody else has accepted; whether it is allowed.
/// Its descriptor, as good as a die, says which worker has it.
pub(crate) fn serve_connection(
    socket: std::net::TcpStream,
    peer: SocketAddr,
    workers: &[Arc<Worker>],
    shared: &Arc<Shared>,
) -> bool {
    let Some(address) = admission::admit(peer, shared) else { return false };
    let turn = usize::try_from(socket.as_raw_fd()).unwrap_or(0) % workers.len();
    send_over(socket, peer, address, &workers[turn], shared);
    true
}

/// Hands a connection to a worker on another thread.
fn send_over(
    socket: std::net::TcpStream,
    peer: SocketAddr,
    address: AddressPermit,
    worker: &Arc<Worker>,
    shared: &Arc<Shared>,
) {
    let permit = address.permit(&worker.active);
    let (shared, worker) = (shared.clone(), worker.clone());
    worker.handle.clone().spawn(async move {
        if let Ok(socket) = TcpStream::from_std(socket) {
            connection::serve(socket, peer, shared, worker, permit).await;
        }
    });
}
