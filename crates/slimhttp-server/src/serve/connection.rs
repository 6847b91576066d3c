//! One socket, many exchanges: TLS, and which protocol is spoken.
//!
//! One task at a time on the connection's I/O thread, the first started by `accept`. A TLS
//! connection goes on in a second task before its handshake, and an upgrade in a task of its own.
//! A plain connection on which nothing comes for a while rests, and [`resting`] starts the
//! next task for it. What a request alone needs is boxed: the future of a connection that is idle
//! stays small, for there may be thousands.

use std::sync::Arc;
use std::task::Poll;

use slimhttp_site::plan::Security;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::context::connection::ConnectionContext;
use crate::context::server::ServerContext;
use crate::http1::Http1;
use crate::http2;
use crate::net::admission::ConnectionPermit;
use crate::net::connection_state::{CloseMode, ConnectionState, ReadPhase, run_until_cut};
use crate::net::listener::THIS_MACHINE;
use crate::net::stream::Stream;
use crate::serve::accept::Accepted;
use crate::serve::handshake::shake_hands;
use crate::serve::io_thread::IoThread;
use crate::serve::{proxied, resting};

/// Serves one accepted connection until it ends, rests, or goes on in a task of its own.
pub(crate) async fn serve(
    mut socket: TcpStream,
    accepted: Accepted,
    shared: Arc<ServerContext>,
    io_thread: Arc<IoThread>,
    mut permit: ConnectionPermit,
) {
    let (is_from_proxy, Accepted { peer, listener, listener_id }) =
        (accepted.is_from_proxy(), accepted);
    let state = Arc::new(ConnectionState::by_listener(listener_id));
    io_thread.connections.add(&state);
    let _ = socket.set_nodelay(true);
    let security = if listener.tls { Security::Tls } else { Security::Plain };
    // A socket in the file system has no address.
    let mut ends = (peer, socket.local_addr().unwrap_or(THIS_MACHINE));
    if is_from_proxy {
        let client = proxied::client(&mut socket, ends, &state, &shared);
        let Some((ends_of_client, address)) = Box::pin(client).await else { return };
        permit.belongs_to(address);
        ends = ends_of_client;
    }
    let context = ConnectionContext::begin(shared, state, &socket, ends, security, permit);
    if let Some(is_authorized) = context.authorized()
        && !Box::pin(is_authorized).await
    {
        return;
    }
    if security.is_tls() {
        // In a task of its own: this one has the room that a plain connection needs.
        tokio::spawn(encrypted(socket, context));
        return;
    }
    if listener.h2c {
        match Box::pin(http2::is_http2(&socket, &context.state)).await {
            None => return,
            Some(true) => return Box::pin(http2::serve(socket, context)).await,
            Some(false) => {}
        }
    }
    context.state.record_read(ReadPhase::Idle);
    plain_http1(socket, context, &io_thread).await;
}

/// Serves a connection of TLS until it ends.
async fn encrypted(socket: TcpStream, context: Arc<ConnectionContext>) {
    let (state, peer) = (context.state.clone(), context.peer);
    match first_byte(&socket, &state).await {
        None => return,
        Some(byte) if byte.is_ascii_alphabetic() => {
            return Box::pin(plain_to_tls(socket, context)).await;
        }
        // What is no TLS either is told so by an alert.
        Some(_) => {}
    }
    // A handshake may take as long as a head.
    state.record_read(ReadPhase::Head);
    // Boxed, for it takes more room than a connection does that is idle afterwards; and so are the
    // session, which is moved now and then, and HTTP/2.
    let handshake = Box::pin(shake_hands(socket, &context));
    let outcome = tokio::select! {
        () = state.until_cut() => return,
        outcome = handshake => outcome.map(|stream| stream.map(Box::new)),
    };
    match outcome {
        Ok(None) => {}
        Ok(Some(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            Box::pin(http2::serve(stream, context)).await;
        }
        Ok(Some(stream)) => {
            state.record_read(ReadPhase::Idle);
            http1(stream, context).await;
        }
        Err(error) => tracing::debug!("TLS with {peer}: {error}"),
    }
}

/// Waits for the first byte, for as long as a head may take, and as long as no other connection
/// needs the room, and leaves it where it is. `None` where the client has left, or is to.
async fn first_byte(socket: &TcpStream, state: &ConnectionState) -> Option<u8> {
    state.record_read(ReadPhase::AwaitingTls);
    std::future::poll_fn(|context| {
        state.register(context.waker());
        let mut byte = [0];
        if let Poll::Ready(peeked) = socket.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            let is_there = peeked.is_ok_and(|length| length > 0);
            return Poll::Ready(is_there.then_some(byte[0]));
        }
        match state.close_mode().ends_idle() {
            false => Poll::Pending,
            true => Poll::Ready(None),
        }
    })
    .await
}

/// Answers a client that speaks HTTP where TLS is spoken. Its first byte is that of a method, and
/// of no record of TLS (RFC 8446 section 5.1).
async fn plain_to_tls(socket: TcpStream, mut context: Arc<ConnectionContext>) {
    let known = Arc::get_mut(&mut context);
    known.expect("there is no exchange yet").security = Security::PlainToTls;
    context.state.record_read(ReadPhase::Idle);
    http1(socket, context).await;
}

/// Serves a plain connection until it ends or rests, see [`resting`].
pub(super) async fn plain_http1(
    mut socket: TcpStream,
    context: Arc<ConnectionContext>,
    io_thread: &Arc<IoThread>,
) {
    context.state.set_may_rest(true);
    while let Some(idle) = http1(socket, context.clone()).await {
        let Err(idle) = resting::rest(io_thread, idle, &context) else { return };
        // The system has no room for it there; the connection keeps its task.
        socket = idle;
    }
}

/// Speaks HTTP/1 until the end of the connection, or until its socket is to rest.
async fn http1<S: Stream>(socket: S, context: Arc<ConnectionContext>) -> Option<S> {
    let mut connection = Http1::new(socket, context.clone());
    match run_until_cut(&context.state, connection.run()).await {
        Ok(next) => Box::pin(connection.end(next)).await,
        // A client that never sent a byte has made no request.
        Err(CloseMode::HeadTimeout) if connection.has_received => {
            Box::pin(connection.time_out()).await;
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
