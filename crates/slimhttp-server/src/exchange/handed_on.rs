//! The request of an exchange as it is handed on: to handlers, with the content that they take whole
//! or as a stream, or to an upstream. What has to come in is awaited; the I/O thread goes on
//! meanwhile.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::RouteKind;

use crate::api::handler::Request;
use crate::exchange::actions::Exchange;
use crate::message::content::{Content, ContentStream};
use crate::message::refused::ErrorResponse;
use crate::message::request_body::RequestBody;
use crate::proxy::forward;

impl Exchange<'_> {
    /// The request as handlers see it, the same one for each of them, with the whole content
    /// unless `kind` has it streamed. `None` where some of that has to come in first.
    pub(super) fn request_at_once(&mut self, kind: &RouteKind) -> Option<Arc<Request>> {
        if let Some(request) = &self.request {
            return Some(request.clone());
        }
        let content = self.content_at_once(kind)?;
        Some(self.make_request(content))
    }

    pub(super) fn make_request(&mut self, body: Content) -> Arc<Request> {
        let request = Arc::new(Request {
            method: std::mem::take(&mut self.method),
            uri: self.uri.clone(),
            version: self.version,
            headers: std::mem::take(&mut self.headers),
            path: self.path().to_vec(),
            body,
            peer: self.connection.peer,
            local: *self.connection.local,
            tls: self.connection.security.is_tls(),
            tls_session: self.connection.state.tls_session().cloned(),
            scope: self.scope.clone(),
            connection: self.connection.handle(),
            connection_data: self.connection.data.get().cloned(),
            handler_data: OnceLock::new(),
        });
        self.request.insert(request).clone()
    }

    /// The content of the request for a handler, where nothing has to come in for it.
    fn content_at_once(&mut self, kind: &RouteKind) -> Option<Content> {
        let Some(body) = self.body.take() else { return Some(Bytes::new().into()) };
        // Of every content that there is, however it came: whoever reads it as a stream sees the
        // same each time.
        if *kind == RouteKind::Streamed && !body.is_empty() {
            let max_memory = self.snapshot.site.service.max_body_memory;
            let bounds = (self.scope.options.max_body, max_memory);
            let (timeout, state) = (self.body_timeout(), self.connection.state.clone());
            let (stream, guard) = ContentStream::open(body.into_incoming(), bounds, timeout, state);
            self.content_guard = Some(guard);
            return Some(Content::Streamed(stream));
        }
        let is_empty = body.is_empty();
        self.body = Some(if is_empty { RequestBody::Collected(Bytes::new()) } else { body });
        is_empty.then(|| Bytes::new().into())
    }

    /// The content of the request for a handler, all of it.
    pub(super) async fn collect_content(&mut self) -> Result<Content, Refusal> {
        let max_body = self.scope.options.max_body;
        let max_memory = self.snapshot.site.service.max_body_memory;
        let timeout = self.body_timeout();
        let Some(body) = self.body.take() else { return Ok(Bytes::new().into()) };
        let bytes = body.collect(max_body, max_memory, timeout).await?;
        self.body = Some(RequestBody::Collected(bytes.clone()));
        Ok(bytes.into())
    }

    fn body_timeout(&self) -> Duration {
        self.snapshot.site.service.body_timeout
    }

    /// The body for an upstream.
    fn unread_body(&mut self) -> Result<RequestBody, ErrorResponse> {
        match self.request.as_deref().map(|request| &request.body) {
            Some(Content::Streamed(stream)) => stream.reclaim().ok_or_else(|| {
                let why = "a route has read of the body and passed on to a proxy";
                tracing::error!("{} {}: {why}", self.method(), self.uri.path());
                ErrorResponse::because(Refusal::Internal, why)
            }),
            _ => Ok(self.body.take().unwrap_or(RequestBody::Collected(Bytes::new()))),
        }
    }

    pub(super) fn forwarded(&mut self) -> Result<forward::Forwarded, ErrorResponse> {
        let body = self.unread_body()?;
        Ok(forward::Forwarded {
            connection: self.connection.clone(),
            scope: self.scope.clone(),
            method: self.method().clone(),
            uri: forward::sent_on(self.uri, self.target.as_ref())?,
            version: self.version,
            headers: match &self.request {
                Some(request) => request.headers.clone(),
                None => std::mem::take(&mut self.headers),
            },
            body,
            body_timeout: self.body_timeout(),
            upgrade: self.upgrade.take(),
        })
    }
}
