//! `redirects` and `rewrites`: what stands on the right of a path. Patterns and
//! captures are read by [`crate::routing::redirect`].

use super::super::plain::{entries, given, known_keys, shown, text};
use super::super::report::{At, Report};
use crate::config::value::{Table, Value};
use crate::routing::redirect::{Redirects, Rewrites};

/// The status of a redirect that names none.
const FOUND: u16 = 302;

/// One entry: from where, to where, as it was written, and with which status.
type Entry<'t> = (&'t str, &'t str, &'t Value, u16);

pub(super) fn redirects(table: &Table, at: &At<'_>, report: &mut Report) -> Option<Redirects> {
    let read = entries(table, at, report, |from, value, at, report| {
        pattern(from, at, report)?;
        let (to, written, status) = match value {
            Value::Table(table) => long(table, at, report)?,
            value => (elsewhere(value, at, report)?, value, FOUND),
        };
        if to == from {
            let hint = "a browser would go round in a circle".to_owned();
            report.fault(at, "another path", written.to_string(), hint);
            return None;
        }
        Some((from, to, written, status))
    })?;
    build(read, at, report, |entries| {
        Redirects::new(entries.iter().map(|(from, to, _, status)| (*from, *to, *status)))
    })
}

pub(super) fn rewrites(table: &Table, at: &At<'_>, report: &mut Report) -> Option<Rewrites> {
    let read = entries(table, at, report, |from, value, at, report| {
        pattern(from, at, report)?;
        Some((from, within(value, at, report)?, value, FOUND))
    })?;
    build(read, at, report, |entries| {
        Rewrites::new(entries.iter().map(|(from, to, ..)| (*from, *to)))
    })
}

/// Reports a left side as other servers write it: it would be taken by its letters
/// and match nothing.
fn pattern(from: &str, at: &At<'_>, report: &mut Report) -> Option<()> {
    if !from.starts_with(['^', '~']) && !from.contains('*') {
        return Some(());
    }
    let hint = "for one part of a path write `<name>`, for several `<path:name>`".to_owned();
    report.fault(at, "a path, or a pattern as of a route", shown(from), hint);
    None
}

/// Says how a capture is written here to who writes it as other servers do.
fn capture(to: &str) -> Option<&'static str> {
    let numbered =
        to.split('$').skip(1).any(|behind| behind.starts_with(|c: char| c.is_ascii_digit()));
    let foreign = numbered || to.contains(['{', '}']) || to.contains("$uri");
    foreign.then_some("what `<name>` takes on the left is written `<name>` here too")
}

/// Builds what the entries say. An entry that is wrong is reported and left out, so
/// that the ones behind it are looked at too.
fn build<T>(
    mut entries: Vec<Entry<'_>>,
    at: &At<'_>,
    report: &mut Report,
    new: impl Fn(&[Entry<'_>]) -> Result<T, (usize, String)>,
) -> Option<T> {
    let mut right = true;
    loop {
        match new(&entries) {
            Ok(built) => return right.then_some(built),
            Err((position, expected)) => {
                right = false;
                let (from, _, written, _) = entries.get(position)?;
                let found = format!("{} to {written}", shown(from));
                report.fault(&at.key(from), expected, found, None);
                entries.remove(position);
            }
        }
    }
}

/// A redirect as a table of `to` and `status`.
fn long<'v>(
    table: &'v Table,
    at: &At<'_>,
    report: &mut Report,
) -> Option<(&'v str, &'v Value, u16)> {
    let known = known_keys(table, &["to", "status"], at, report);
    let to = match given(table, "to") {
        None => {
            report.fault(&at.key("to"), "a path or a URL", None, None);
            None
        }
        Some(value) => elsewhere(value, &at.key("to"), report).map(|to| (to, value)),
    };
    let status = match given(table, "status") {
        None => Some(FOUND),
        Some(value) => status(value, &at.key("status"), report),
    };
    let ((to, written), status) = (to?, status?);
    known.then_some((to, written, status))
}

/// RFC 9110 section 15.4: the redirects that a browser follows by itself.
fn status(value: &Value, at: &At<'_>, report: &mut Report) -> Option<u16> {
    match value {
        Value::Integer(301) => Some(301),
        Value::Integer(302) => Some(302),
        Value::Integer(303) => Some(303),
        Value::Integer(307) => Some(307),
        Value::Integer(308) => Some(308),
        _ => {
            let quoted = value.as_str().is_some_and(|text| text.parse::<u16>().is_ok());
            let hint = quoted.then(|| "write it without quotes".to_owned());
            report.fault(at, "301, 302, 303, 307 or 308", value.described(), hint);
            None
        }
    }
}

/// The target of a redirect: a path on this host, or a URL.
fn elsewhere<'v>(value: &'v Value, at: &At<'_>, report: &mut Report) -> Option<&'v str> {
    const EXPECTED: &str = "a path or a URL";
    let text = text(value, EXPECTED, at, report)?;
    let hint = if text.starts_with("//") {
        Some("a URL begins with `https://` or `http://`")
    } else if text.starts_with('/') {
        None
    } else {
        let lower = text.to_ascii_lowercase();
        let host = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
        match host {
            Some(host) if !host.is_empty() && !host.starts_with(['/', '?', '#']) => None,
            _ => Some("a path begins with `/`, a URL with `https://` or `http://`"),
        }
    };
    target(text, EXPECTED, hint.or_else(|| capture(text)), at, report)
}

/// The target of a rewrite: a path on this host, and a query if it has one.
fn within<'v>(value: &'v Value, at: &At<'_>, report: &mut Report) -> Option<&'v str> {
    const EXPECTED: &str = "a path that begins with `/`";
    let text = text(value, EXPECTED, at, report)?;
    let hint = if text.contains("://") {
        Some("`redirects` sends to other hosts, `proxy` asks them")
    } else if text.contains('#') {
        Some("a fragment never leaves the browser")
    } else if !text.starts_with('/') || text.starts_with("//") {
        Some("it is a path on this host")
    } else {
        None
    };
    target(text, EXPECTED, hint.or_else(|| capture(text)), at, report)
}

/// `text`, unless a hint says what is wrong with it.
fn target<'v>(
    text: &'v str,
    expected: &str,
    hint: Option<&str>,
    at: &At<'_>,
    report: &mut Report,
) -> Option<&'v str> {
    if hint.is_some() || text.contains(|c: char| c.is_control()) {
        report.fault(at, expected, shown(text), hint.map(str::to_owned));
        return None;
    }
    Some(text)
}
