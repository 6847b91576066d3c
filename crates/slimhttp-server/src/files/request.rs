//! What is asked of files, and what is found.

use std::fs::File;
use std::sync::Arc;

use http::{HeaderMap, Method, Response};
use slimhttp_site::content_type::content_type;
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::path::SafePath;

use crate::files::releases::is_page;
use crate::message::body::Body;

/// What a path below a `web_root` turned out to be.
pub(crate) enum Found {
    /// This is the response.
    Reply(Response<Body>),
    /// A script to run: opened, and to be read from there.
    Script(Arc<File>, SafePath),
}

/// What is asked of a file.
#[derive(Clone, Copy)]
pub(crate) struct FileRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// Whether a rewrite chose the path: then the client is not sent to a better
    /// name of what it never named, which a rule may lead back here.
    pub(crate) rewritten: bool,
}

/// Whether a file of this name is a page.
pub(super) fn names_page(rules: &FileRules, path: &SafePath) -> bool {
    is_page(&content_type(&path.as_path().to_string_lossy(), rules))
}
