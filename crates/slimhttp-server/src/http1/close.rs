//! How a connection of HTTP/1 ends: which response is the last one, the error outside of any
//! exchange, and the end of the bytes. All of it runs on the connection's I/O thread.
//! `announce_close` is called wherever a response of HTTP/1 gets its head. `refuse` and
//! `send_error_and_close` are called once the protocol has given its socket back: by
//! `serve/connection.rs` where [`super::connection`] served it, by `hyper_compat` where hyper did.

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode};
use slimhttp_site::refusal::Refusal;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::context::connection::ConnectionContext;
use crate::exchange::{self, Tracked};
use crate::message::body::Extent;
use crate::message::error_page::{self, CloseConnection};
use crate::net::connection_state::{CloseMode, ConnectionState};
use crate::net::framing_fault::FramingFault;
use crate::net::linger::{LINGER, linger};

/// Says in a response that it is the last one of its connection, where it is: the connection
/// is to end, or the request is malformed or has content that nobody reads, which leaves no place
/// for a further request (RFC 9112 section 9.3).
pub(crate) fn announce_close(response: &mut Response<Tracked>, connection: &ConnectionState) {
    let is_last = connection.close_mode() != CloseMode::No
        || response.extensions().get::<CloseConnection>().is_some()
        || response.body().leaves_content_unread();
    // After a 101 the connection is no longer HTTP.
    if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Answers a head that is not HTTP with its error, and closes.
pub(crate) async fn refuse(
    context: &ConnectionContext,
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    fault: &FramingFault,
) {
    tracing::debug!("{}: {:?} in {:?}", context.peer, fault.refusal, fault.request_line);
    exchange::record_malformed(context, fault);
    // Methods are case-sensitive (RFC 9110 section 9.1).
    let extent = match fault.request_line.starts_with("HEAD ") {
        true => Extent::HeadOnly,
        false => Extent::Whole,
    };
    send_error_and_close(context, socket, &fault.refusal, extent).await;
}

/// Sends an error, closes our side and reads on for a moment, so that the client gets it.
pub(crate) async fn send_error_and_close(
    context: &ConnectionContext,
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    refusal: &Refusal,
    extent: Extent,
) {
    let debug = context.shared.live.current().site.global.options.debug;
    let response = error_page::raw_error(refusal, extent, debug);
    let _ = tokio::time::timeout(LINGER.0, socket.write_all(&response)).await;
    linger(socket).await;
}
