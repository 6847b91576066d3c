//! One socket, many exchanges: TLS, and which protocol is spoken. Calls the HTTP
//! library's server for what [`http1`](crate::http1) leaves to it.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use slimhttp_site::refusal::Refusal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::context::connection::ConnectionContext;
use crate::context::server::Shared;
use crate::exchange;
use crate::http1::{Http1, Next};
use crate::hyper_compat::http2;
use crate::hyper_compat::validating_io::Guarded;
use crate::message::error_page;
use crate::message::request_body::RequestBody;
use crate::net::admission::Seat;
use crate::net::connection_state::{ConnectionState, Ending, Reading};
use crate::net::framing_fault::FramingFault;
use crate::net::stream::Stream;
use crate::serve::worker::Worker;

/// What the library may read ahead on one connection, in bytes: its own default.
const READ_AHEAD: usize = 408 * 1024;

/// How long, and how many bytes, a client may go on sending after our last
/// word, so that it reads that word before the connection is gone.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 1024 * 1024);

/// Serves one accepted connection until it ends.
pub(crate) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    worker: Arc<Worker>,
    seat: Seat,
) {
    let state = Arc::new(ConnectionState::new());
    worker.connections.add(&state);
    let _ = socket.set_nodelay(true);
    let tls = shared.live.pinned().tls.as_ref().map(|presented| presented.config.clone());
    let context = ConnectionContext::begin(shared, state, &socket, peer, tls.is_some(), seat);
    // Boxed, so that a connection does not hold the room of it all its life.
    if let Some(verdict) = context.verdict()
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
    state.read(Reading::Head);
    let handshake = tokio_rustls::TlsAcceptor::from(config).accept(socket);
    tokio::select! {
        () = state.cut() => {}
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
    state.read(Reading::Silent);
    std::future::poll_fn(|context| {
        state.watch(context.waker());
        if socket.poll_read_ready(context).is_ready() {
            return Poll::Ready(true);
        }
        match state.ending() {
            Ending::No => Poll::Pending,
            _ => Poll::Ready(false),
        }
    })
    .await
}

async fn http1_until_end<S: Stream>(socket: S, context: Arc<ConnectionContext>) {
    context.state.read(Reading::Idle);
    let mut connection = Http1::new(socket, context.clone());
    loop {
        let next = match until_ended(&context.state, connection.run()).await {
            Ok(next) => next,
            // Who never sent a byte has asked for nothing.
            Err(Ending::HeadTimeout) if connection.read_any => {
                let refusal = Refusal::RequestTimeout;
                return Box::pin(last_word(&context, &mut connection.socket, &refusal, false))
                    .await;
            }
            Err(_) => return,
        };
        let unread = match next {
            Next::Library(unread) => unread,
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
        let Some(socket) = Box::pin(library(connection.socket, unread, &context)).await else {
            return;
        };
        connection = Http1::new(socket, context.clone());
    }
}

async fn answer(
    context: &Arc<ConnectionContext>,
    request: Request<Incoming>,
) -> Result<Response<exchange::Tracked>, Infallible> {
    Ok(exchange::answer(context.clone(), request.map(RequestBody::Incoming)).await)
}

/// Leaves a connection to the library, from a request on of which `unread` was
/// read already. Gives it back when the library has nothing more to do for it.
async fn library<S: Stream>(
    socket: S,
    unread: Bytes,
    context: &Arc<ConnectionContext>,
) -> Option<S> {
    let (live, state) = (&context.shared.live, &context.state);
    let service = live.pinned().site.service.clone();
    let fault = &context.fault;
    let guarded = Guarded::http1(socket, unread, live.clone(), state.clone(), fault.clone());
    state.rest(false);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // The strict framing has exact limits, which may change meanwhile;
        // the library's are only to be out of its way.
        .max_buf_size((service.max_head + 8 * 1024).max(READ_AHEAD));
    if service.max_headers > 100 {
        // Costs an allocation for each request, so not without need.
        builder.max_headers(service.max_headers + 1);
    }
    let mut connection = builder
        .serve_connection(guarded, service_fn(|request| answer(context, request)))
        .with_upgrades();
    let ending = drive(state, &mut connection, |connection| {
        Pin::new(connection).graceful_shutdown();
    })
    .await;
    let parts = connection.into_parts()?;
    let (whole, gave_up) = (parts.io.message_complete(), parts.io.gave_up);
    let mut socket = parts.io.into_socket();
    match (ending, fault.get()) {
        (Driven::Rests, _) => return Some(socket),
        (_, Some(fault)) if gave_up => refuse(context, &mut socket, fault).await,
        (Driven::Ended(Ending::HeadTimeout), None) => {
            last_word(context, &mut socket, &Refusal::RequestTimeout, false).await;
        }
        (Driven::Ended(Ending::SentAway | Ending::Cut), _) => {}
        (_, fault) if !whole || fault.is_some() => linger(&mut socket).await,
        _ => {}
    }
    None
}

/// Says what is wrong with a head, and ends.
async fn refuse(
    context: &ConnectionContext,
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    fault: &FramingFault,
) {
    tracing::debug!("{}: {:?} in {:?}", context.peer, fault.refusal, fault.request_line);
    exchange::note_refused(context, fault);
    // Methods are case-sensitive (RFC 9110 section 9.1).
    last_word(context, socket, &fault.refusal, fault.request_line.starts_with("HEAD ")).await;
}

/// Says no, and reads on for a moment.
async fn last_word(
    context: &ConnectionContext,
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    refusal: &Refusal,
    is_head: bool,
) {
    let debug = context.shared.live.current().site.global.options.debug;
    let words = error_page::last_words(refusal, is_head, debug);
    let _ = tokio::time::timeout(LINGER.0, socket.write_all(&words)).await;
    linger(socket).await;
}

/// Runs `work` unless the connection is to end at once before it is done.
async fn until_ended<T>(
    state: &ConnectionState,
    work: impl Future<Output = T>,
) -> Result<T, Ending> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        state.watch(context.waker());
        match state.ending() {
            Ending::No | Ending::Gracefully => work.as_mut().poll(context).map(Ok),
            ending @ (Ending::HeadTimeout | Ending::SentAway | Ending::Cut) => {
                Poll::Ready(Err(ending))
            }
        }
    })
    .await
}

/// Why the library no longer runs a connection.
enum Driven {
    /// It has ended, or is to end.
    Ended(Ending),
    /// It waits for a further request.
    Rests,
}

/// Runs a connection of the library until it ends, is to be cut, or rests.
async fn drive<C>(state: &ConnectionState, connection: &mut C, shut_down: impl Fn(&mut C)) -> Driven
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    let mut told = false;
    std::future::poll_fn(|context: &mut Context<'_>| {
        state.watch(context.waker());
        if let ending @ (Ending::HeadTimeout | Ending::SentAway | Ending::Cut) = state.ending() {
            return Poll::Ready(Driven::Ended(ending));
        }
        loop {
            match Pin::new(&mut *connection).poll(context) {
                Poll::Pending if state.is_resting() && !told => {
                    return Poll::Ready(Driven::Rests);
                }
                // Not before it has seen the request with which it was given the
                // connection: it would leave that unanswered.
                Poll::Pending if state.ending() == Ending::Gracefully && !told => {
                    shut_down(connection);
                    told = true;
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(outcome) => {
                    if let Err(error) = outcome {
                        tracing::debug!("a connection ended: {error}");
                    }
                    return Poll::Ready(Driven::Ended(Ending::No));
                }
            }
        }
    })
    .await
}

/// Closes our side and reads on for a moment: closing with unread bytes would
/// make the system reset the connection, and our last word with it.
async fn linger(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let (time, most) = LINGER;
    let rest = async {
        socket.shutdown().await?;
        // Not within the connection, which would hold the room of it all its life.
        let mut bytes = vec![0; 4096];
        let mut left = most;
        loop {
            let count = socket.read(&mut bytes).await?;
            if count == 0 || count > left {
                return Ok::<_, io::Error>(());
            }
            left -= count;
        }
    };
    let _ = tokio::time::timeout(time, rest).await;
}

#[cfg(test)]
mod tests;
