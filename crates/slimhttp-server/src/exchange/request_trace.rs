//! What the log says of a request whose URL a program has marked by
//! `debug(url)`: everything but the content, and but what is a secret by its name.
//! `Exchange::respond` asks for it before the plan is performed, and gives it the response as the
//! site answers: before live reload edits a page, and before a protocol adds what is its own, as
//! HTTP/1 its `Connection`. The requests by which live reload listens are not logged.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, Response};
use slimhttp_site::plan::Action;
use slimhttp_site::secrets::{is_secret, masked};

use crate::exchange::actions::Exchange;
use crate::exchange::tracking;
use crate::message::body::Body;

/// One request that is logged in detail.
pub(super) struct RequestTrace {
    request: String,
}

impl RequestTrace {
    /// Logs the request and what is to be done about it, where the path is marked.
    pub(super) fn begin(exchange: &Exchange<'_>, actions: &[Action<'_>]) -> Option<Self> {
        let path = &exchange.target.as_ref()?.path;
        if !exchange.snapshot.site.instance.is_debugged(path) {
            return None;
        }
        let peer = exchange.connection.peer;
        let url = tracking::target(exchange.version, exchange.uri);
        let request = format!("debug {peer}: {} {}", exchange.method, masked(&url));
        let scope = exchange.scope;
        let mut plan = String::new();
        for action in actions {
            let _ = match action {
                Action::Application(app, _) => write!(plan, "\n  then {}", app.application.label),
                action => write!(plan, "\n  then {}", masked(&format!("{action:?}"))),
            };
        }
        let fields = in_lines(&exchange.headers);
        tracing::info!("{request} {:?} of {scope}{fields}{plan}", exchange.version);
        Some(Self { request })
    }

    /// Logs the answer.
    pub(super) fn answered(&self, response: &Response<Body>, took: Duration) {
        let status = response.status();
        let fields = in_lines(response.headers());
        tracing::info!("{} answered {status} after {took:?}{fields}", self.request);
    }
}

/// Header fields, a line each. What is secret is not shown, nor what is in the
/// addresses and the like that others hold.
fn in_lines(headers: &HeaderMap) -> String {
    let mut lines = String::new();
    for (name, value) in headers {
        let _ = match is_secret(name.as_str()) {
            true => write!(lines, "\n  {name}: (not shown, {} bytes)", value.len()),
            false => {
                let value = value.as_bytes().escape_ascii().to_string();
                write!(lines, "\n  {name}: {}", masked(&value))
            }
        };
    }
    lines
}
