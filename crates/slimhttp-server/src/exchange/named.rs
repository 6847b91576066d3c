//! Files that handlers name: where they may lie, and how they are sent. Called once a handler has
//! answered; waits for the disk as `files` does, on the blocking pool.

use std::path::Path;

use http::header::{
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, Response, StatusCode};
use slimhttp_site::path::{self, SafePath};
use slimhttp_site::refusal::Refusal;

use crate::exchange::actions::Exchange;
use crate::files::{self, FileLookup, FileRequest};
use crate::fs::root;
use crate::message::body::Body;
use crate::message::refused::ErrorResponse;
use crate::observe::event::Responder;
use crate::sys::clock::LogThrottle;

impl Exchange<'_> {
    /// A file that a handler named; it must be below `web_root` or `private_root`
    /// of the scope. Any other is not there: its path may be a client's, who can
    /// write `..` or a `/` at its beginning, and who is not to fill the log by that.
    pub(super) async fn send_named(
        &self,
        file: &Path,
        fields: HeaderMap,
        request: FileRequest<'_>,
    ) -> Result<Response<Body>, ErrorResponse> {
        if path::is_too_long(file) {
            // As where there is no such file; its name may be a client's.
            return Err(Refusal::NotFound.into());
        }
        let Some((files, path)) = self.find_named(file) else {
            static LOG_THROTTLE: LogThrottle = LogThrottle::new();
            let why = format!("{} is below neither `web_root` nor `private_root`", file.display());
            if LOG_THROTTLE.allow() {
                tracing::warn!(
                    "{} {}: a handler named a file, and {why} of its scope: 404",
                    self.method(),
                    self.uri.path()
                );
            }
            return Err(ErrorResponse::because(Refusal::NotFound, why));
        };
        self.add_sources(|| [files.root().join(path.as_path())]);
        let sent = files::send_named(&files, &path, request, fields).await;
        sent.map_err(|refused| match refused {
            ErrorResponse { refusal: Refusal::NotFound, detail: None, .. } => {
                self.named_nothing(&files.root().join(path.as_path()))
            }
            refused => refused,
        })
    }

    /// What is answered where there is no such file. Where an application has named it, it is the
    /// application that is wrong, or `private_root`; a handler may well have a client's path.
    fn named_nothing(&self, file: &Path) -> ErrorResponse {
        static LOG_THROTTLE: LogThrottle = LogThrottle::new();
        let why = format!("there is no file {}", file.display());
        if LOG_THROTTLE.allow() {
            let (method, path) = (self.method(), self.uri.path());
            match self.responder {
                Responder::Application => {
                    tracing::warn!("{method} {path}: an application named a file, and {why}: 404");
                }
                _ => tracing::info!("{method} {path}: a handler named a file, and {why}: 404"),
            }
        }
        ErrorResponse::because(Refusal::NotFound, why)
    }

    /// The same, with a status of the handler's own: what conditions and ranges are about is a 200.
    pub(super) async fn send_named_as(
        &self,
        status: StatusCode,
        file: &Path,
        fields: HeaderMap,
    ) -> Result<Response<Body>, ErrorResponse> {
        let conditions =
            [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];
        let mut headers = self.headers().clone();
        for name in conditions {
            headers.remove(name);
        }
        let request = FileRequest { headers: &headers, ..self.file_request() };
        let mut response = self.send_named(file, fields, request).await?;
        *response.status_mut() = status;
        Ok(response)
    }

    /// In which of the two folders a path lies, by its names alone. One that is
    /// relative is meant below `web_root`, if there is one: it never comes to a
    /// private file because a public one is missing.
    fn find_named(&self, file: &Path) -> Option<(FileLookup<'_>, SafePath)> {
        let options = &self.scope.options;
        let web_root = options.web_root.as_deref();
        if let Some(root) = web_root
            && let Some(path) = root::path_below(root, file)
        {
            return Some((self.files_below(root), path));
        }
        let root = options.private_root.as_deref();
        let root = root.filter(|_| file.is_absolute() || web_root.is_none())?;
        Some((self.files_below(root).for_handlers_only(), root::path_below(root, file)?))
    }
}
