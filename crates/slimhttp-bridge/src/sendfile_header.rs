//! `X-Sendfile` and `X-Accel-Redirect`: fields by which an application has the server send a file
//! in place of the body that it has given. Read once the head of an answer is known, on the
//! thread of the interpreter that has it; nothing here waits. Neither field is ever sent.
//!
//! A file is sent from below `private_root` and from nowhere else, as a handler's file is: with
//! ranges and conditions of the request, and the type of its name where the application has
//! given none.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING};
use http::header::{HeaderMap, HeaderName};
use http::{HeaderValue, StatusCode};
use percent_encoding::percent_decode;
use slimhttp_server::{Answer, HandlerFault, LogThrottle, Request};
use slimhttp_site::refusal::Refusal;

use crate::job::InWords;
use crate::outcome::CallOutcome;

const X_SENDFILE: HeaderName = HeaderName::from_static("x-sendfile");
const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");

/// How often it is said that there is no `private_root`.
const SPAN: Duration = Duration::from_secs(600);

/// What is answered in place of the body, if the fields of an answer with this status name a
/// file; `who` is the application, for messages. They are taken out of `fields` in any case.
///
/// They act with the status 200, and with 206, where an application has looked at the range that
/// the file answers by itself. Where there is no `private_root` the log says once in a while that
/// they have no effect.
pub fn answer(
    request: &Request,
    who: &str,
    status: StatusCode,
    fields: &mut HeaderMap,
) -> Option<CallOutcome> {
    let named = take(fields)?;
    let Some(root) = &request.scope.options.private_root else {
        static LOG_THROTTLE: LogThrottle = LogThrottle::new();
        if LOG_THROTTLE.allow_every(SPAN) {
            tracing::warn!(
                "{}: {who} names a file by `{}`, which has no effect: its scope has no \
                 `private_root`",
                InWords(request),
                named.by
            );
        }
        return None;
    };
    if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return None;
    }
    let Some(path) = named.below(root) else {
        let why = format!("`{}` names {}, which is not below `private_root`", named.by, named);
        tracing::error!("{}: {who}: {why}", InWords(request));
        return Some(Err(HandlerFault::Refused(Refusal::Internal, Some(why.into()))));
    };
    let mut fields = std::mem::take(fields);
    // What is said of the body that is not sent.
    for name in [ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING] {
        fields.remove(name);
    }
    Some(Ok(Answer::File(path, fields)))
}

/// A file as a field names it.
struct Named {
    by: HeaderName,
    value: HeaderValue,
}

/// Takes both fields out; `X-Sendfile` counts where both are there.
fn take(fields: &mut HeaderMap) -> Option<Named> {
    // Mostly there is none, and few names are compared in less time than two are looked up.
    if !fields.keys().any(|name| *name == X_SENDFILE || *name == X_ACCEL_REDIRECT) {
        return None;
    }
    let redirect = fields.remove(X_ACCEL_REDIRECT);
    let (by, value) = match fields.remove(X_SENDFILE) {
        Some(value) => (X_SENDFILE, value),
        None => (X_ACCEL_REDIRECT, redirect?),
    };
    Some(Named { by, value })
}

impl Named {
    /// The absolute path of the file; `None` where it is not below `root` by its names alone.
    ///
    /// `X-Sendfile` has a path, absolute or relative to `root`. `X-Accel-Redirect` has the path
    /// of a URL, percent-encoded, whose first slash is `root`; the absolute path of a file below
    /// `root` is taken too.
    fn below(&self, root: &Path) -> Option<PathBuf> {
        let is_url = self.by == X_ACCEL_REDIRECT;
        let bytes: Cow<'_, [u8]> = match is_url {
            false => self.value.as_bytes().into(),
            true => {
                let path = self.value.as_bytes().split(|byte| *byte == b'?').next();
                percent_decode(path.unwrap_or_default()).into()
            }
        };
        if bytes.is_empty() || bytes.contains(&0) {
            return None;
        }
        let path = Path::new(OsStr::from_bytes(&bytes));
        let relative = match path.strip_prefix(root) {
            Ok(relative) => relative,
            Err(_) if is_url => path.strip_prefix("/").unwrap_or(path),
            Err(_) => path,
        };
        let is_plain =
            |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        relative.components().all(is_plain).then(|| root.join(relative))
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.value.as_bytes()))
    }
}

#[cfg(test)]
mod tests;
