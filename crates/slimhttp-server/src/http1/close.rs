//! How a connection of HTTP/1 ends: that it is to, the error outside of any exchange, and the end of
//! the bytes.
//! Called by `serve/connection.rs` once [`super::connection`] has nothing more to do for it, in
//! the connection's task on its I/O thread.

use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use slimhttp_http1::Response;
use slimhttp_site::plan::Security;
use slimhttp_site::refusal::Refusal;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;

use crate::exchange;
use crate::http1::Http1;
use crate::http1::connection::{Ending, HeadFault, Next};
use crate::http1::date::date;
use crate::message::body::{Body, Extent};
use crate::message::error_page;
use crate::net::connection_state::{CloseMode, ReadPhase};
use crate::net::linger::linger;
use crate::net::stream::Stream;
use crate::net::upgraded::Upgraded;

/// How long a client may take for the last bytes: an error outside of any exchange, or the end
/// that TLS has.
const LAST_BYTES: Duration = Duration::from_secs(5);

impl<S: Stream> Http1<S> {
    /// Whether no request is answered behind the one at hand. Where another process has the
    /// clients, those are answered first that a client has sent ahead: it may not know which of
    /// them it may send again (RFC 9112 section 9.3.2).
    pub(super) fn is_to_end(&self) -> bool {
        match self.context.state.close_mode() {
            CloseMode::No => false,
            CloseMode::AfterRequest => self.unread.is_empty(),
            _ => true,
        }
    }

    /// Ends the connection, or lets it go on otherwise; the socket, where that is to rest.
    pub(crate) async fn end(self, next: Next) -> Option<S> {
        match next {
            Next::Rest => return Some(self.socket),
            Next::Close(ending) => self.close(ending).await,
            Next::Refuse(fault) => self.refuse(fault).await,
            Next::Upgrade(sender) => {
                let state = self.context.state.clone();
                state.record_read(ReadPhase::Upgraded);
                let unread = self.unread.freeze();
                sender.hand_over(Upgraded::new(self.socket, unread, state.clone()));
                // Another task has the connection from now on.
                state.unregister();
            }
        }
        None
    }

    /// Closes it.
    async fn close(mut self, ending: Ending) {
        match ending {
            Ending::Orderly => {
                let _ = tokio::time::timeout(LAST_BYTES, self.socket.shutdown()).await;
            }
            Ending::Unread { announced } => {
                linger(&mut self.socket, &self.context.state, announced).await;
            }
            Ending::Abrupt => {}
            Ending::Reset => {
                // Over TLS it is enough that the end which TLS has is missing (RFC 8446 section 6.1).
                if let Some(socket) = self.socket.tcp() {
                    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
                }
            }
        }
    }

    /// Answers a head that is not HTTP with its error, and closes.
    async fn refuse(mut self, fault: HeadFault) {
        let HeadFault { mut refusal, request_line } = fault;
        if self.context.security == Security::PlainToTls {
            // Whatever is wrong with it, it was to come by TLS.
            refusal = Refusal::PlainToTls;
        }
        tracing::debug!("{}: {refusal:?} in {request_line:?}", self.context.peer);
        exchange::record_malformed(&self.context, &request_line, &refusal);
        // Methods are case-sensitive (RFC 9110 section 9.1).
        let extent = match request_line.starts_with("HEAD ") {
            true => Extent::HeadOnly,
            false => Extent::Whole,
        };
        self.send_error(&refusal, extent).await;
        self.close(Ending::Unread { announced: 0 }).await;
    }

    /// Answers a client that took too long for a head, and closes.
    pub(crate) async fn time_out(mut self) {
        self.send_error(&Refusal::RequestTimeout, Extent::Whole).await;
        self.close(Ending::Unread { announced: 0 }).await;
    }

    /// Sends an error that no exchange has made. The host is not known yet, so `debug` is that of
    /// the global level.
    pub(super) async fn send_error(&mut self, refusal: &Refusal, extent: Extent) {
        let debug = self.context.shared.live.current().site.global.options.debug;
        let (parts, page) = page(refusal, debug);
        let response = Response {
            status: parts.status,
            fields: &parts.headers,
            length: Some(page.len() as u64),
            date: Some(&date()),
        };
        let mut out = Vec::with_capacity(1024);
        self.engine.close();
        if self.engine.send_response(&mut out, &response).is_err() {
            return;
        }
        self.write_queue.push(out.into());
        self.write_queue.push(match extent {
            Extent::Whole => page,
            Extent::HeadOnly => Bytes::new(),
        });
        let sent = std::future::poll_fn(|context| self.poll_write_queue(context));
        let _ = tokio::time::timeout(LAST_BYTES, sent).await;
    }
}

/// The response to what no exchange answers, and its content.
pub(super) fn page(refusal: &Refusal, debug: bool) -> (Parts, Bytes) {
    let mut response = error_page::refuse_head(refusal, debug);
    error_page::finish(&mut response);
    let (parts, body) = response.into_parts();
    match body {
        Body::Full(page) => (parts, page),
        _ => (parts, Bytes::new()),
    }
}
