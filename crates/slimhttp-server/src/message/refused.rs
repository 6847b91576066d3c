//! A refusal on its way to its error page, see `error_page`. Made wherever a request is refused:
//! by the exchange, files, proxying, or a handler.

use std::path::PathBuf;

use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue};
use slimhttp_site::refusal::Refusal;

/// A refusal, and what may be shown of it with `debug`.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    pub(crate) refusal: Refusal,
    /// A whole page that says everything (a traceback); shown with `debug` only.
    pub(crate) page: Option<DebugPage>,
    /// One line or a few that say why; shown with `debug` only, but for a loop,
    /// whose chain is the whole point of the answer (C7.4), and for a content that
    /// the client can mend.
    pub(crate) detail: Option<String>,
}

impl From<Refusal> for ErrorResponse {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, page: None, detail: None }
    }
}

impl ErrorResponse {
    pub(crate) fn because(refusal: Refusal, detail: impl Into<String>) -> Self {
        Self { refusal, page: None, detail: Some(detail.into()) }
    }

    /// A page of another origin opens a WebSocket. A browser shows its person no
    /// answer to that, so the log says why.
    pub(crate) fn foreign_origin(headers: &HeaderMap, path: &[u8], debug: bool) -> Self {
        let origin = headers.get(ORIGIN).map_or(&b""[..], HeaderValue::as_bytes);
        let cause = format!(
            "a page of `{}` may not open the WebSocket `{}`: see `origins`",
            origin.escape_ascii(),
            path.escape_ascii()
        );
        match debug {
            true => tracing::warn!("{cause}"),
            false => tracing::info!("{cause}"),
        }
        Self::because(Refusal::Forbidden, cause)
    }

    /// Says one thing more, on a line of its own.
    pub(crate) fn add(&mut self, more: &str) {
        let detail = self.detail.get_or_insert_default();
        if !detail.is_empty() {
            detail.push('\n');
        }
        detail.push_str(more);
    }
}

/// What a person who debugs is shown of a failure.
#[derive(Clone, Debug)]
pub struct DebugPage {
    /// The whole page.
    pub html: String,
    /// Its `Content-Security-Policy`: what it holds itself may run, and nothing
    /// that got into it.
    pub policy: String,
    /// The files of which an edit may mend the failure.
    pub sources: Vec<PathBuf>,
}
