//! What `exchange` asks of files, and what becomes of it.

use std::fs::File;
use std::sync::Arc;

use http::{HeaderMap, Method, Response};
use slimhttp_site::path::SafePath;

use crate::message::body::Body;

/// What a path below a `web_root` turned out to be.
pub(crate) enum FileOutcome {
    /// This is the response.
    Response(Response<Body>),
    /// A script to run: opened, and to be read from there.
    Script(Arc<File>, SafePath),
}

/// What of a folder of files answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileScope {
    /// Whatever is there, and if nothing is, that.
    All,
    /// Regular files and indexes of folders, for somebody else answers all the rest: no
    /// listing, no fallback, no redirect to a folder without an index.
    Regular,
}

/// The request that a file answers.
#[derive(Clone, Copy)]
pub(crate) struct FileRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// Whether a rewrite chose the path: then the client is not sent to a better
    /// name of what it never named, which a rule may lead back here.
    pub(crate) rewritten: bool,
}
