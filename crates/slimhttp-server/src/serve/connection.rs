//! One socket, many exchanges: TLS, and which protocol is spoken. Calls hyper for what
//! [`http1`](crate::http1) leaves to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use slimhttp_site::refusal::Refusal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::context::connection::ConnectionContext;
use crate::context::server::Shared;
use crate::http1::close::{refuse, send_error_and_close};
use crate::http1::{Http1, Next};
use crate::hyper_compat::{http1, http2};
use crate::message::body::Extent;
use crate::net::admission::ConnectionPermit;
use crate::net::connection_state::{CloseMode, ConnectionState, ReadPhase, run_until_cut};
use crate::net::linger::linger;
use crate::net::stream::Stream;
use crate::serve::io_thread::IoThread;

/// Serves one accepted connection until it ends.
pub(crate) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    io_thread: Arc<IoThread>,
    permit: ConnectionPermit,
) {
    let state = Arc::new(ConnectionState::new());
    io_thread.connections.add(&state);
    let _ = socket.set_nodelay(true);
    let tls = shared.live.cached().tls.as_ref().map(|presented| presented.config.clone());
    let context = ConnectionContext::begin(shared, state, &socket, peer, tls.is_some(), permit);
    // Boxed, so that a connection does not hold the room of it all its life.
    if let Some(verdict) = context.authorized()
        && !Box::pin(verdict).await
    {
        return;
    }
    match tls {
        None => http1_until_end(socket, context).await,
        // Boxed, so that a plain connection does not hold the room of a TLS one.
        Some(config) => Box::pin(handshake(socket, config, context)).await,
    }
}

async fn handshake(
    socket: TcpStream,
    config: Arc<rustls::ServerConfig>,
    context: Arc<ConnectionContext>,
) {
    let (state, peer) = (context.state.clone(), context.peer);
    if !speaks(&socket, &state).await {
        return;
    }
    // A handshake may take as long as a head.
    state.record_read(ReadPhase::Head);
    let handshake = tokio_rustls::TlsAcceptor::from(config).accept(socket);
    tokio::select! {
        () = state.until_cut() => {}
        outcome = handshake => match outcome {
            Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                http2::serve(stream, context).await;
            }
            Ok(stream) => http1_until_end(stream, context).await,
            Err(error) => tracing::debug!("TLS with {peer}: {error}"),
        },
    }
}

/// Waits for the first byte, which a client may send for as long as a head may take,
/// and as long as nobody else needs its place; whether it has come, or the client left.
async fn speaks(socket: &TcpStream, state: &ConnectionState) -> bool {
    state.record_read(ReadPhase::AwaitingTls);
    std::future::poll_fn(|context| {
        state.register(context.waker());
        if socket.poll_read_ready(context).is_ready() {
            return Poll::Ready(true);
        }
        match state.close_mode() {
            CloseMode::No => Poll::Pending,
            _ => Poll::Ready(false),
        }
    })
    .await
}

async fn http1_until_end<S: Stream>(socket: S, context: Arc<ConnectionContext>) {
    context.state.record_read(ReadPhase::Idle);
    let mut connection = Http1::new(socket, context.clone());
    loop {
        let next = match run_until_cut(&context.state, connection.run()).await {
            Ok(next) => next,
            // Who never sent a byte has asked for nothing.
            Err(CloseMode::HeadTimeout) if connection.has_received => {
                let refusal = Refusal::RequestTimeout;
                return Box::pin(send_error_and_close(
                    &context,
                    &mut connection.socket,
                    &refusal,
                    Extent::Whole,
                ))
                .await;
            }
            Err(_) => return,
        };
        let unread = match next {
            Next::Hyper(unread) => unread,
            Next::Close { unread: false } => {
                let _ = connection.socket.shutdown().await;
                return;
            }
            Next::Close { unread: true } => {
                return Box::pin(linger(&mut connection.socket)).await;
            }
            Next::Fault(fault) => {
                return Box::pin(refuse(&context, &mut connection.socket, &fault)).await;
            }
        };
        let Some(socket) = Box::pin(http1::serve(connection.socket, unread, &context)).await else {
            return;
        };
        connection = Http1::new(socket, context.clone());
    }
}

#[cfg(test)]
mod tests;
