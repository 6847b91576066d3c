//! Reads paths below `web_root` that a configuration names: error pages, fallbacks and
//! `try_files`. They are names as on disk, not percent-encoded.

use std::sync::Arc;

use super::super::plain::{did_you_mean, entries, shown, text, tried};
use super::super::report::{At, Report};
use crate::config::value::{Table, Value};
use crate::files::file_rules::{PATH_PLACEHOLDER, StatusRange, TryFile};
use crate::routing::path::LONGEST_NAME;

/// Pages by status.
pub(super) type ErrorPages = Arc<[(StatusRange, Arc<str>)]>;

/// A file below `web_root`: its path, with a slash at the beginning.
pub(super) fn page(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Arc<str>> {
    const EXPECTED: &str = "a path such as `/index.html`";
    let text = text(value, EXPECTED, at, report)?;
    let path = rooted(text);
    if path.ends_with('/') {
        let hint = "it names a file, not a folder".to_owned();
        report.fault(at, EXPECTED, shown(text), hint);
        return None;
    }
    if let Err(hint) = plain(&path) {
        report.fault(at, EXPECTED, shown(text), hint.to_owned());
        return None;
    }
    Some(path.into())
}

/// The entries of `try_files`, in their order.
pub(super) fn try_files(
    items: &[Value],
    at: &At<'_>,
    report: &mut Report,
) -> Option<Arc<[TryFile]>> {
    let read = tried(items, at, report, try_file)?;
    let end = read.iter().position(|entry| *entry == TryFile::NotFound);
    if let Some(end) = end.filter(|end| end + 1 < read.len()) {
        let hint = "what stands behind it would never be tried".to_owned();
        report.fault(&at.index(end), "`=404` at the end only", "`=404`".to_owned(), hint);
        return None;
    }
    Some(read.into())
}

/// One entry of `try_files`. nginx's `$uri` means `{path}`.
pub(super) fn try_file(value: &Value, at: &At<'_>, report: &mut Report) -> Option<TryFile> {
    const EXPECTED: &str = "a path such as `{path}.html`, or `=404`";
    let text = text(value, EXPECTED, at, report)?;
    if text == "=404" {
        return Some(TryFile::NotFound);
    }
    let path = text.replace("$uri", PATH_PLACEHOLDER).replace("/{path}", PATH_PLACEHOLDER);
    let path = if path.starts_with(PATH_PLACEHOLDER) { path } else { rooted(&path) };
    let others = path.replace(PATH_PLACEHOLDER, "/x");
    let wrong = if text.starts_with('=') {
        Some("the only status there is `=404`; see `error_pages`")
    } else if text.starts_with('@') {
        Some("there are no named locations; `module` and `proxy` answer as a whole")
    } else if ["$args", "$is_args", "$query_string"].iter().any(|name| text.contains(name)) {
        Some("the query is kept; leave it out")
    } else if [" /", " $", " {", " ="].iter().any(|next| text.contains(next)) {
        Some("several are a list: `['{path}', '/index.html']`")
    } else if others.contains(['$', '{', '}']) {
        Some("the only variable is `{path}`")
    } else {
        plain(&others).err()
    };
    match wrong {
        None => Some(TryFile::Path(path.into())),
        Some(hint) => {
            report.fault(at, EXPECTED, shown(text), hint.to_owned());
            None
        }
    }
}

/// Pages by status: single statuses first, then classes, so that the first which
/// holds a status is the one.
pub(super) fn error_pages(table: &Table, at: &At<'_>, report: &mut Report) -> Option<ErrorPages> {
    let mut pages = entries(table, at, report, |key, value, at, report| {
        let range = statuses(key, at, report);
        let page = page(value, at, report);
        Some((range?, page?))
    })?;
    pages.sort_by_key(|(range, _)| (range.last - range.first, range.first));
    Some(pages.into())
}

/// A status or a class of statuses.
fn statuses(key: &str, at: &At<'_>, report: &mut Report) -> Option<StatusRange> {
    let lower = key.to_ascii_lowercase();
    match (&*lower, lower.parse::<u16>()) {
        ("4xx", _) => Some(StatusRange { first: 400, last: 499 }),
        ("5xx", _) => Some(StatusRange { first: 500, last: 599 }),
        (_, Ok(status @ 400..=599)) if lower.len() == 3 => {
            Some(StatusRange { first: status, last: status })
        }
        _ => {
            let hint = match lower.as_bytes() {
                [b'4', _, b'x'] => Some(did_you_mean("4xx")),
                [b'5', _, b'x'] => Some(did_you_mean("5xx")),
                _ => None,
            };
            report.fault(at, "a status from 400 to 599, `4xx` or `5xx`", shown(key), hint);
            None
        }
    }
}

/// A path with its slash at the beginning, which may be left out.
fn rooted(text: &str) -> String {
    if text.is_empty() || text.starts_with('/') { text.to_owned() } else { format!("/{text}") }
}

/// Says why `path` is not one of plain names.
fn plain(path: &str) -> Result<(), &'static str> {
    let Some(inside) = path.strip_prefix('/') else { return Err("it is empty") };
    let names = inside.strip_suffix('/').unwrap_or(inside);
    if path.contains('?') {
        return Err("it is the path of a file, without a query");
    }
    if path.contains(['\0', '\\']) {
        return Err("its parts are file names with slashes between them");
    }
    for name in names.split('/') {
        match name {
            "." | ".." => return Err("it lies below `web_root`, without `.` and `..`"),
            "" if path != "/" => return Err("it is a path below `web_root`, without `//`"),
            name if name.len() > LONGEST_NAME => return Err("no file has so long a name"),
            _ => {}
        }
    }
    Ok(())
}
