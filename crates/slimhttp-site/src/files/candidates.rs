//! Which files may answer a path, in the order in which they are tried, and which names are
//! never served: `dotfiles`, `exclude`, `try_files`, `clean_urls`, `fallback`.
//!
//! All of this is decided by names. The server crate opens one candidate after the other,
//! and decides what happens when there is none.

use http::HeaderName;
use http::header::{ACCEPT, HeaderMap};
use smallvec::{SmallVec, smallvec};

use crate::files::file_rules::{FileRules, PATH_PLACEHOLDER, TryFile};
use crate::protocol::qvalue::{QValue, with_qvalues};
use crate::routing::path::{SafePath, Target};

#[cfg(test)]
mod tests;

/// The extension that `clean_urls` leaves out.
const PAGE: &str = ".html";

/// One thing to try. The first that is there answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// What the path names: a file, or a folder, which is answered by its index
    /// or by the redirect to its slash.
    Target(SafePath),
    /// The page of a clean URL, `about.html` for `/about`: a file only.
    Clean(SafePath),
    /// A file only; a folder of this name is passed over.
    File(SafePath),
    /// A folder: its index, or where it is the path asked for without its slash,
    /// the redirect to it.
    Folder(SafePath),
    /// The page of every path that names nothing: a file only.
    Fallback(SafePath),
    /// Nothing more is tried: the answer is 404.
    NotFound,
}

/// What is tried, in this order. Behind the last one the answer is 404.
pub type Candidates = SmallVec<[Candidate; 2]>;

/// What is tried for `path`, the path of `target`. It is the caller who leaves out what
/// [`is_withheld`].
///
/// A path as it stands costs nothing: without `try_files`, `clean_urls` and
/// `fallback` the one candidate is `path`.
pub fn candidates(
    rules: &FileRules,
    path: SafePath,
    target: &Target<'_>,
    request: &HeaderMap,
) -> Candidates {
    let mut tried = if !rules.try_files.is_empty() {
        match listed(rules, &path, target) {
            Listed::Open(tried) => tried,
            Listed::Closed(tried) => return tried,
        }
    } else {
        match clean(rules, &path, target) {
            // A file before the page, the page before a folder: `/about` is
            // `about.html` where there is a folder `about` beside it.
            Some(page) => smallvec![
                Candidate::File(path.clone()),
                Candidate::Clean(page),
                Candidate::Folder(path),
            ],
            None => smallvec![Candidate::Target(path)],
        }
    };
    if let Some(page) = &rules.fallback
        && is_navigation(target, request)
        && let Some(page) = SafePath::of_names(page.as_bytes())
    {
        tried.push(Candidate::Fallback(page));
    }
    tried
}

/// What `try_files` comes to.
enum Listed {
    /// A fallback may follow.
    Open(Candidates),
    /// It ends with `=404`.
    Closed(Candidates),
}

fn listed(rules: &FileRules, path: &SafePath, target: &Target<'_>) -> Listed {
    let mut tried = Candidates::new();
    for entry in &*rules.try_files {
        let text = match entry {
            TryFile::Path(text) => filled_in(text, &target.path),
            TryFile::NotFound => {
                tried.push(Candidate::NotFound);
                return Listed::Closed(tried);
            }
        };
        // Names that no file can have are no candidates.
        let Some(named) = SafePath::of_names(&text) else { continue };
        if text.ends_with(b"/") {
            tried.push(Candidate::Folder(named));
            continue;
        }
        let page = if named == *path { clean(rules, path, target) } else { None };
        tried.push(Candidate::File(named));
        tried.extend(page.map(Candidate::Clean));
    }
    Listed::Open(tried)
}

/// The text of an entry with the decoded path in each place of `{path}`.
fn filled_in(text: &str, path: &[u8]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(text.len() + path.len());
    for (position, literal) in text.split(PATH_PLACEHOLDER).enumerate() {
        if position > 0 {
            filled.extend_from_slice(path);
        }
        filled.extend_from_slice(literal.as_bytes());
    }
    filled
}

/// The page that a clean URL stands for.
fn clean(rules: &FileRules, path: &SafePath, target: &Target<'_>) -> Option<SafePath> {
    if !rules.clean_urls || target.is_folder() {
        return None;
    }
    SafePath::of_names(&[path.as_bytes(), PAGE.as_bytes()].concat())
}

/// The clean URL of a page, for a permanent redirect: `/about` for
/// `/about.html`, and the folder for the first of its index names. The query is
/// kept.
///
/// It tells by the name alone: whoever asks has made sure that the page is there
/// and not withheld. An index name behind the first is no other name of the
/// folder, which its first may answer; it loses its extension like any page.
pub fn clean_redirect(rules: &FileRules, target: &Target<'_>, index: &[String]) -> Option<String> {
    if !rules.clean_urls {
        return None;
    }
    let bare = target.path.strip_suffix(PAGE.as_bytes())?;
    // A name that would be clean once more would lead on to another page.
    if bare.ends_with(b"/") || bare.ends_with(PAGE.as_bytes()) {
        return None;
    }
    let path = target.safe_path()?;
    let name = path.as_path().file_name()?;
    let is_index = index.first().is_some_and(|first| name == first.as_str());
    // Built from the names, so that `//host` can never become a redirect to
    // another host; `...html` without its extension is no name.
    let mut location = if is_index {
        let folder = SafePath::of_names(path.as_path().parent()?.as_os_str().as_encoded_bytes())?;
        let mut location = folder.url_path();
        if !location.ends_with('/') {
            location.push('/');
        }
        location
    } else {
        SafePath::of_names(bare)?.url_path()
    };
    if let Some(query) = target.query {
        location.push('?');
        location.push_str(query);
    }
    Some(location)
}

/// Whether a path is neither served nor listed: a name in it begins with a dot
/// and `dotfiles` is off, or `exclude` names it or a folder above it. `.well-known`
/// at the root is never withheld for its dot (RFC 8615).
pub fn is_withheld(rules: &FileRules, path: &SafePath) -> bool {
    let bytes = path.as_bytes();
    if !rules.dotfiles {
        let first = bytes.split(|&byte| byte == b'/').next().unwrap_or_default();
        let is_dotfile = first.starts_with(b".") && first != b".well-known";
        if is_dotfile || memchr::memmem::find(bytes, b"/.").is_some() {
            return true;
        }
    }
    rules.exclude.take(bytes)
}

/// Whether somebody is on the way to a page, and not a page to what it is made
/// of: only then does `fallback` answer, so that a script or a picture that is
/// missing stays missing. The method is `GET` or `HEAD`, as the caller knows.
fn is_navigation(target: &Target<'_>, request: &HeaderMap) -> bool {
    let name = memchr::memrchr(b'/', &target.path).map_or(0, |slash| slash + 1);
    !target.path[name..].contains(&b'.') && leads_to_a_page(request) && accepts_a_page(request)
}

/// Fetch Metadata Request Headers, section 2.1.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

fn leads_to_a_page(request: &HeaderMap) -> bool {
    let is_page =
        |value: &[u8]| matches!(value, b"document" | b"iframe" | b"frame" | b"embed" | b"object");
    request.get_all(SEC_FETCH_DEST).iter().all(|value| is_page(value.as_bytes().trim_ascii()))
}

/// A client that takes anything is no browser on its way to a page, unless it
/// says no more than that, as curl does.
fn accepts_a_page(request: &HeaderMap) -> bool {
    let mut lines = request.get_all(ACCEPT).iter();
    let anything = match (lines.next(), lines.next()) {
        (None, _) => return true,
        (Some(line), None) => line.as_bytes().trim_ascii() == b"*/*",
        (Some(_), Some(_)) => false,
    };
    if anything {
        return !request.contains_key(SEC_FETCH_DEST);
    }
    with_qvalues(request, &ACCEPT).any(|(range, weight)| {
        weight > QValue::NONE
            && (range.eq_ignore_ascii_case(b"text/html")
                || range.eq_ignore_ascii_case(b"application/xhtml+xml"))
    })
}
