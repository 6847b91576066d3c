//! One HTTP/2 connection, and all that names hyper's server. It frames and multiplexes; what stands
//! here is what it leaves open: the bounds that a client meets in HTTP/1 too, what is held
//! for a client that does not read, and for how long the connection has the thread.
//!
//! A connection is one task, its requests included ([`streams`]): so the I/O thread's
//! other connections have their turn between any two of its own, however many
//! requests it has sent at once. In one turn it reads and writes so much ([`socket`])
//! and polls so many of its requests; then it goes to the end of the queue.

mod outgoing;
mod preface;
mod request_body;
mod send_budget;
mod socket;
mod streams;
mod turn_waker;
mod wait;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CONNECTION, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use slimhttp_site::http2::head;
use slimhttp_site::site::Service;

use self::outgoing::Outgoing;
pub(crate) use self::preface::is_http2;
use self::send_budget::SendBudget;
use self::socket::{Pace, Socket};
use self::streams::{Spawner, Streams};
use self::turn_waker::TurnWaker;
use crate::context::connection::ConnectionContext;
use crate::exchange;
use crate::http2::request_body::request_body;
use crate::message::error_page;
use crate::net::connection_state::{CloseMode, ConnectionState, ReadPhase};
use crate::net::stream::Stream;

/// What hyper holds for one stream that the client does not read, in bytes;
/// it takes one more piece beside.
const UNSENT_OF_STREAM: usize = 128 * 1024;

/// How many times `max_unsent` may be held of what handlers return whole.
const UNSENT_ANSWERS: usize = 4;

/// Requests taken back before hyper has handed them on, and streams that it
/// has to reset for what the client sends: beyond so many the connection ends.
/// Hyper's own defaults, here because they are bounds of ours.
const RESETS: (usize, usize) = (20, 1024);

/// Requests that are polled in one half of a turn.
const POLLED: usize = 4;

/// How long a client that only keeps us busy may take to read its GOAWAY.
const GOAWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a connection that has chosen HTTP/2 until it ends.
pub(crate) async fn serve<S: Stream>(socket: S, context: Arc<ConnectionContext>) {
    let state = context.state.clone();
    state.record_read(ReadPhase::Idle);
    let service = context.shared.live.cached().site.service.clone();
    let budget = Arc::new(SendBudget::new(service.max_unsent));
    state.limit_unsent_answers(UNSENT_ANSWERS.saturating_mul(service.max_unsent));
    let pace = Arc::new(Pace::default());
    let socket = Socket::new(socket, state.clone(), budget.clone(), pace.clone());
    let spawner = Spawner::default();
    let timeout = stream_timeout(context.clone());
    let mut streams = Streams::new(spawner.clone(), budget.clone(), timeout);
    let answering = service_fn(move |request| answer(context.clone(), budget.clone(), request));
    let mut connection = builder(spawner, &service).serve_connection(socket, answering);
    let ending = drive(&state, &pace, &mut streams, &mut connection, |connection| {
        Pin::new(connection).graceful_shutdown();
    })
    .await;
    if ending == CloseMode::Rejected && !state.is_write_blocked() {
        Pin::new(&mut connection).graceful_shutdown();
        let _ = tokio::time::timeout(GOAWAY_TIMEOUT, paced(&pace, &mut connection)).await;
    }
}

/// How long one stream waits for its client while others of its connection move. A
/// little longer than the connection would: where none moves, housekeeping, which
/// looks eight times within the time, ends all of it.
fn stream_timeout(context: Arc<ConnectionContext>) -> impl Fn() -> Duration + Send + 'static {
    const LOOKS: Duration = Duration::from_millis(500);
    move || {
        let time = context.shared.live.cached().site.service.send_timeout;
        time.saturating_add((time / 4).min(2 * LOOKS))
    }
}

fn builder(spawner: Spawner, service: &Service) -> http2::Builder<Spawner> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    // Of a field hyper counts 32 bytes more. Its bound is the one that stops
    // reading; what is within it is held to ours, which may change meanwhile.
    let most_of_fields = service.max_head.saturating_add(32 * (service.max_headers + 8));
    let mut builder = http2::Builder::new(spawner);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(number(service.max_streams))
        .max_header_list_size(number(most_of_fields))
        .max_send_buf_size(UNSENT_OF_STREAM)
        .max_pending_accept_reset_streams(RESETS.0)
        .max_local_error_reset_streams(RESETS.1)
        .keep_alive_interval(Some(service.idle_timeout))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// Answers one request.
async fn answer(
    context: Arc<ConnectionContext>,
    budget: Arc<SendBudget>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    let (mut parts, body) = request.into_parts();
    let limits = context.shared.live.cached().site.service.head_limits();
    if let Err(refusal) = head::validate(&parts.method, &parts.uri, &parts.headers, &limits) {
        parts.extensions.insert(refusal);
    }
    let state = context.state.clone();
    let (parts, body) = (Box::new(parts), request_body(body));
    let mut response = exchange::answer(context, parts, body, None).await;
    remove_connection_fields(response.headers_mut());
    error_page::announce_length(&mut response);
    Ok(response.map(|body| Outgoing::new(body, budget, state)))
}

/// What is about one connection has no place in HTTP/2 (RFC 9113 section 8.2.2). An
/// answer is made for every protocol, so it may have such fields.
fn remove_connection_fields(headers: &mut HeaderMap) {
    const OTHERS: [HeaderName; 2] =
        [HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection")];
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE].iter().chain(&OTHERS) {
        headers.remove(name);
    }
}

/// Runs a connection and its requests until it has ended, or is to end at once.
///
/// One that is to end otherwise sends GOAWAY, and goes on until the client has
/// acknowledged it and all of its requests are answered: what it sends before it reads
/// GOAWAY is no less a request, and it may not send it again. Housekeeping bounds that
/// time. Where another process has the clients from now on, one that has asked for nothing yet
/// is answered first: some clients take a GOAWAY in place of an answer for a failure.
async fn drive<C>(
    state: &ConnectionState,
    pace: &Pace,
    streams: &mut Streams,
    connection: &mut C,
    shut_down: impl Fn(&mut C),
) -> CloseMode
where
    C: Future<Output = hyper::Result<()>> + Unpin,
{
    let (mut is_closing, mut leaving) = (false, Leaving::default());
    let (mut of_connection, mut of_streams) = (TurnWaker::default(), TurnWaker::default());
    std::future::poll_fn(|context| {
        // By the task's own waker: it is looked at once in a turn, before the parts are polled.
        state.register(context.waker());
        if let ending @ (CloseMode::Rejected | CloseMode::Cut) = state.close_mode() {
            return Poll::Ready(ending);
        }
        pace.begin();
        of_connection.begin_turn(context.waker());
        of_streams.begin_turn(context.waker());
        // Twice: what requests answer at once is then sent in the same turn.
        for _ in 0..2 {
            let mut outcome = Pin::new(&mut *connection).poll(&mut of_connection.context());
            let ends = leaving.is_due(state, streams);
            if outcome.is_pending() && ends && !is_closing {
                shut_down(connection);
                is_closing = true;
                outcome = Pin::new(&mut *connection).poll(&mut of_connection.context());
            }
            if let Poll::Ready(outcome) = outcome {
                if let Err(error) = outcome {
                    tracing::debug!("a connection ended: {error}");
                }
                return Poll::Ready(CloseMode::No);
            }
            if streams.poll(&mut of_streams.context(), POLLED) == 0 {
                break;
            }
        }
        let is_woken = of_connection.end_turn() | of_streams.end_turn();
        if is_woken || streams.has_ready() || (!is_closing && leaving.is_due(state, streams)) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

/// When a connection is told to go away whose clients another process has from now on.
#[derive(Default)]
struct Leaving {
    /// Whether it had asked for nothing by then.
    waits_for_first: bool,
}

impl Leaving {
    /// Whether a connection in that state is told so now, if it is not yet.
    fn is_due(&mut self, state: &ConnectionState, streams: &Streams) -> bool {
        match state.close_mode() {
            CloseMode::AfterRequest if !streams.have_begun() => {
                self.waits_for_first = true;
                false
            }
            CloseMode::AfterRequest => !self.waits_for_first || streams.have_ended(),
            mode => mode.ends_idle(),
        }
    }
}

/// Runs a connection without its requests, a turn at a time: they are answered no more.
async fn paced<C: Future + Unpin>(pace: &Pace, connection: &mut C) {
    std::future::poll_fn(|context| {
        pace.begin();
        Pin::new(&mut *connection).poll(context).map(|_| ())
    })
    .await;
}

#[cfg(test)]
mod tests;
