//! Which files are pages: what a person navigates to, and what brings other files with it.

use http::HeaderValue;
use slimhttp_site::content_type::content_type;
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::media_type::essence;
use slimhttp_site::path::SafePath;

/// Whether a file of this media type is a page.
pub(super) fn is_page(media_type: &HeaderValue) -> bool {
    let is = |page: &str| essence(media_type).eq_ignore_ascii_case(page.as_bytes());
    is("text/html") || is("application/xhtml+xml")
}

/// Whether a file of this name is a page.
pub(super) fn is_page_name(rules: &FileRules, path: &SafePath) -> bool {
    is_page(&content_type(&path.as_path().to_string_lossy(), rules))
}

#[cfg(test)]
mod tests;
