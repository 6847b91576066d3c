//! The last thing that is said on a connection of HTTP/1: an error outside of any exchange, and
//! the end.

use slimhttp_site::refusal::Refusal;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::context::connection::ConnectionContext;
use crate::exchange;
use crate::message::error_page;
use crate::net::framing_fault::FramingFault;
use crate::net::linger::{LINGER, linger};

/// Says what is wrong with a head, and ends.
pub(crate) async fn refuse(
    context: &ConnectionContext,
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    fault: &FramingFault,
) {
    tracing::debug!("{}: {:?} in {:?}", context.peer, fault.refusal, fault.request_line);
    exchange::note_refused(context, fault);
    // Methods are case-sensitive (RFC 9110 section 9.1).
    send_error_and_close(context, socket, &fault.refusal, fault.request_line.starts_with("HEAD "))
        .await;
}

/// Says no, and reads on for a moment.
pub(crate) async fn send_error_and_close(
    context: &ConnectionContext,
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    refusal: &Refusal,
    is_head: bool,
) {
    let debug = context.shared.live.current().site.global.options.debug;
    let words = error_page::raw_error(refusal, is_head, debug);
    let _ = tokio::time::timeout(LINGER.0, socket.write_all(&words)).await;
    linger(socket).await;
}
