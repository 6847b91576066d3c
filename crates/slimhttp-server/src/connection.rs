//! One socket, many exchanges. The only caller of the HTTP library's server.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use slimhttp_site::refusal::Refusal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::connection_state::{ConnectionState, Ending, Reading};
use crate::event::Event;
use crate::exchange::{self, ConnectionContext};
use crate::guarded::{FaultCell, Guarded};
use crate::respond;
use crate::server::Shared;
use crate::worker::{Seat, Worker};

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;

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
    shared.events.push(|| Event::Accepted { peer });
    let local = socket.local_addr().unwrap_or(shared.address);
    let _ = socket.set_nodelay(true);
    let tls = shared.live.pinned().tls.clone();
    let opening = Opening { shared: shared.clone(), state: state.clone(), peer, local, seat };
    match tls {
        None => opening.http1(socket, false).await,
        // Boxed, so that a plain connection does not hold the room of a TLS one.
        Some(config) => Box::pin(opening.tls(socket, config)).await,
    }
    shared.events.push(|| Event::Closed { peer });
}

/// A connection whose protocol is being found out.
struct Opening {
    shared: Arc<Shared>,
    state: Arc<ConnectionState>,
    peer: SocketAddr,
    local: SocketAddr,
    seat: Seat,
}

impl Opening {
    fn context(self, fault: FaultCell, tls: bool) -> Arc<ConnectionContext> {
        self.state.read(Reading::Idle);
        Arc::new(ConnectionContext {
            shared: self.shared,
            state: self.state,
            fault,
            peer: self.peer,
            local: self.local,
            tls,
            _seat: self.seat,
        })
    }

    async fn tls(self, socket: TcpStream, config: Arc<rustls::ServerConfig>) {
        let (state, peer) = (self.state.clone(), self.peer);
        // A handshake may take as long as a head.
        state.read(Reading::Head);
        let handshake = tokio_rustls::TlsAcceptor::from(config).accept(socket);
        tokio::select! {
            () = state.cut() => {}
            outcome = handshake => match outcome {
                Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                    self.http2(stream).await;
                }
                Ok(stream) => self.http1(stream, true).await,
                Err(error) => tracing::debug!("TLS with {peer}: {error}"),
            },
        }
    }

    async fn http1<S>(self, socket: S, tls: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = self.shared.live.pinned().site.service.clone();
        let (guarded, fault) = Guarded::http1(socket, self.shared.live.clone(), self.state.clone());
        let context = self.context(fault.clone(), tls);
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
            .serve_connection(guarded, service_fn(|request| answer(&context, request)))
            .with_upgrades();
        let ending = drive(&context.state, &mut connection, |connection| {
            Pin::new(connection).graceful_shutdown();
        })
        .await;
        let Some(parts) = connection.into_parts() else { return };
        let whole = parts.io.message_complete();
        let (read_any, gave_up) = (parts.io.read_any, parts.io.gave_up);
        let mut socket = parts.io.into_socket();
        let last_word = match (fault.get(), ending) {
            (Some(fault), _) if gave_up => {
                tracing::debug!(
                    "{}: {:?} in {:?}",
                    context.peer,
                    fault.refusal,
                    fault.request_line
                );
                exchange::note_refused(&context, fault);
                Some(fault.refusal.clone())
            }
            // Who never sent a byte has asked for nothing.
            (None, Ending::HeadTimeout) if read_any => Some(Refusal::RequestTimeout),
            _ => None,
        };
        let cut = matches!(ending, Ending::Cut);
        if let Some(refusal) = &last_word {
            let _ = tokio::time::timeout(LINGER.0, socket.write_all(&respond::last_words(refusal)))
                .await;
        }
        if !cut && (last_word.is_some() || !whole || fault.get().is_some()) {
            linger(&mut socket).await;
        }
    }

    async fn http2<S>(self, socket: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = self.shared.live.pinned().site.service.clone();
        let guarded = Guarded::http2(socket, self.shared.live.clone(), self.state.clone());
        let context = self.context(FaultCell::default(), true);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(service.max_head).unwrap_or(u32::MAX))
            .keep_alive_interval(Some(service.idle_timeout))
            .keep_alive_timeout(Duration::from_secs(20));
        let streams = context.clone();
        let mut connection = builder.serve_connection(
            guarded,
            service_fn(move |request| {
                let context = streams.clone();
                async move { answer(&context, request).await }
            }),
        );
        drive(&context.state, &mut connection, |connection| {
            Pin::new(connection).graceful_shutdown()
        })
        .await;
    }
}

async fn answer(
    context: &Arc<ConnectionContext>,
    request: Request<Incoming>,
) -> Result<Response<exchange::Tracked>, Infallible> {
    Ok(exchange::answer(context.clone(), request).await)
}

/// Runs a connection of the library until it ends or is to be cut.
async fn drive<C>(state: &ConnectionState, connection: &mut C, shut_down: impl Fn(&mut C)) -> Ending
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    let mut told = false;
    std::future::poll_fn(|context: &mut Context<'_>| {
        state.watch(context.waker());
        match state.ending() {
            Ending::No => {}
            Ending::Gracefully if told => {}
            Ending::Gracefully => {
                shut_down(connection);
                told = true;
            }
            ending @ (Ending::HeadTimeout | Ending::Cut) => return Poll::Ready(ending),
        }
        Pin::new(&mut *connection).poll(context).map(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!("a connection ended: {error}");
            }
            Ending::No
        })
    })
    .await
}

/// Closes our side and reads on for a moment: closing with unread bytes would
/// make the system reset the connection, and our last word with it.
async fn linger(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let (time, most) = LINGER;
    let rest = async {
        socket.shutdown().await?;
        let mut bytes = [0; 4096];
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
