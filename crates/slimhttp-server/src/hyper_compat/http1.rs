//! HTTP/1 by hyper, for what [`crate::http1`] leaves to it. In the connection's task, which waits
//! here until hyper has nothing more to do.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use slimhttp_site::refusal::Refusal;

use crate::context::connection::ConnectionContext;
use crate::exchange;
use crate::http1::close::{announce_close, refuse, send_error_and_close};
use crate::hyper_compat::drive::{Driven, drive};
use crate::hyper_compat::request_body::request_body;
use crate::hyper_compat::validating_io::ValidatingIo;
use crate::message::body::Extent;
use crate::net::connection_state::CloseMode;
use crate::net::linger::linger;
use crate::net::stream::Stream;
use crate::net::upgraded::OnUpgrade;

/// What hyper may read ahead on one connection, in bytes: its own default.
const READ_AHEAD: usize = 408 * 1024;

/// Leaves a connection to hyper, from a request on of which `unread` was
/// read already. Gives it back when hyper has nothing more to do for it.
pub(crate) async fn serve<S: Stream>(
    socket: S,
    unread: Bytes,
    context: &Arc<ConnectionContext>,
) -> Option<S> {
    let (live, state) = (&context.shared.live, &context.state);
    let service = live.cached().site.service.clone();
    let fault = &context.fault;
    let validating =
        ValidatingIo::http1(socket, unread, live.clone(), state.clone(), fault.clone());
    state.set_engine_idle(false);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        // The strict framing has exact limits, which may change meanwhile;
        // hyper's are only to be out of its way.
        .max_buf_size((service.max_head + 8 * 1024).max(READ_AHEAD));
    if service.max_headers > 100 {
        // Costs an allocation for each request, so not without need.
        builder.max_headers(service.max_headers + 1);
    }
    let mut connection = builder
        .serve_connection(validating, service_fn(|request| answer(context, request)))
        .with_upgrades();
    let ending = drive(state, &mut connection, |connection| {
        Pin::new(connection).graceful_shutdown();
    })
    .await;
    let Some(parts) = connection.into_parts() else {
        // Another task has the socket from now on.
        state.unregister();
        return None;
    };
    let (whole, gave_up) = (parts.io.message_complete(), parts.io.gave_up);
    let mut socket = parts.io.into_socket();
    match (ending, fault.get()) {
        (Driven::Rests, _) => return Some(socket),
        (_, Some(fault)) if gave_up => refuse(context, &mut socket, fault).await,
        (Driven::Ended(CloseMode::HeadTimeout), None) => {
            send_error_and_close(context, &mut socket, &Refusal::RequestTimeout, Extent::Whole)
                .await;
        }
        (Driven::Ended(CloseMode::Rejected | CloseMode::Cut), _) => {}
        (_, fault) if !whole || fault.is_some() => linger(&mut socket).await,
        _ => {}
    }
    None
}

async fn answer(
    context: &Arc<ConnectionContext>,
    mut request: Request<Incoming>,
) -> Result<Response<exchange::Tracked>, Infallible> {
    // Taken along only where it may be needed.
    let upgrade = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
    let upgrade = upgrade.filter(|_| request.headers().contains_key(UPGRADE));
    let upgrade = upgrade.map(|upgrade| Box::new(upgrade) as OnUpgrade);
    let request = request.map(request_body);
    let mut response = exchange::answer(context.clone(), request, upgrade).await;
    announce_close(&mut response, &context.state);
    Ok(response)
}
