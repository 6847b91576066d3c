//! The page below `web_root` that a refusal is answered with, where `error_pages`
//! names one. `exchange` asks for it when a refusal has become a response.

use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, VARY,
};
use http::{Method, Response, StatusCode};
use slimhttp_site::file_rules::{AnswerRules, StatusRange};
use slimhttp_site::path::SafePath;
use slimhttp_site::refusal::Refusal;

use crate::files::answer::answer;
use crate::files::lookup::{FileLookup, Resolved};
use crate::files::lookup_budget::LookupBudget;
use crate::files::request::FileRequest;
use crate::message::body::Body;
use crate::sys::clock::LogThrottle;

/// What describes a page wherever it is sent. Its validators are not among them:
/// what was requested has none.
const DESCRIBES: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, VARY];

/// Puts the page for the status of `response` in place of its body. Where there
/// is none, or none that can be read, the response stays as it is: no page is
/// looked for because another one is missing.
pub(crate) async fn error_page(
    lookup: &FileLookup<'_>,
    rules: &AnswerRules,
    request: FileRequest<'_>,
    response: &mut Response<Body>,
) {
    let Some(path) = page_for(rules, response.status()) else { return };
    // Nothing of the request is about this page, but in which codings it may be.
    let mut headers = HeaderMap::new();
    for value in request.headers.get_all(ACCEPT_ENCODING) {
        headers.append(ACCEPT_ENCODING, value.clone());
    }
    let method = if request.method == Method::HEAD { &Method::HEAD } else { &Method::GET };
    let request = FileRequest { method, headers: &headers, rewritten: false };
    // Hidden or not: it is the administrator who names it.
    let found = match lookup.find_configured(&path, &mut LookupBudget::default()).await {
        Ok(Resolved::File(file)) => Ok(file),
        Ok(Resolved::Script(_) | Resolved::Folder(_)) => Err(Refusal::NotFound),
        Err(refused) => Err(refused.refusal),
    };
    let page = match found {
        Ok(file) => answer(lookup, &path, file, request, None).await,
        Err(refusal) => {
            static THROTTLE: LogThrottle = LogThrottle::new();
            if THROTTLE.allow() {
                let name = lookup.root.join(path.as_path());
                let status = refusal.status();
                tracing::warn!("the error page {} cannot be sent: {status}", name.display());
            }
            return;
        }
    };
    let (page, body) = page.into_parts();
    for name in DESCRIBES {
        response.headers_mut().remove(&name);
        if let Some(value) = page.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    *response.body_mut() = body;
}

/// The page for a status: the first that holds it, see
/// [`AnswerRules::error_pages`].
fn page_for(rules: &AnswerRules, status: StatusCode) -> Option<SafePath> {
    let status = status.as_u16();
    let holds = |range: &StatusRange| (range.first..=range.last).contains(&status);
    let (_, path) = rules.error_pages.iter().find(|(range, _)| holds(range))?;
    SafePath::of_names(path.as_bytes())
}

#[cfg(test)]
mod tests;
