//! Live reload: which answers are pages that a browser is to load anew when their
//! sources change, the script that is appended to them, and what their security policy
//! must allow for it. The server crate applies this and watches the sources, only where
//! [`ScopeOptions::live_reload`] says so, which needs `debug`.
//!
//! [`ScopeOptions::live_reload`]: crate::site::ScopeOptions::live_reload

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, REFERER};
use http::{HeaderMap, Method, StatusCode};

/// The event stream by which a page learns of changes: a reserved path where live reload
/// is on.
pub const PATH: &str = "/.slimhttp/reload";

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What a page runs. It never changes, so that a policy can name it by [`HASH`];
/// what does change stands in an attribute.
pub const SCRIPT: &str = "(()=>{\
const tag=document.currentScript,seen=tag.dataset.seen;let source;\
const listen=()=>{source=new EventSource('/.slimhttp/reload');\
source.onmessage=event=>{if(event.data!==seen){source.close();location.reload()}}};\
const attend=()=>{if(document.hidden){source?.close();source=null}else if(!source)listen()};\
document.addEventListener('visibilitychange',attend);attend();tag.remove()})()";

/// [`SCRIPT`] as a source of a policy (Content Security Policy level 3, section 2.3.1).
pub const HASH: &str = "'sha256-h5IxzzRFra7zCatxI/Rr6IM0TTagIdQFF80mLtvF/KI='";

/// Whether the request is a navigation: a browser that asks for a page to show, not a
/// program, nor a page for a part of itself. Only then is the answer changed.
pub fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return false;
    }
    // Fetch Metadata: sent where the browser trusts the connection, `localhost` included.
    match headers.get(SEC_FETCH_DEST) {
        Some(place) => matches!(place.as_bytes(), b"document" | b"iframe" | b"frame"),
        None => headers.get(ACCEPT).is_some_and(|accepted| {
            let text = accepted.to_str().unwrap_or_default();
            text.to_ascii_lowercase().contains("text/html")
        }),
    }
}

/// Whether a browser asks: for a page, or for a part of one.
pub fn is_asked_by_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_FETCH_DEST) || headers.contains_key(REFERER)
}

/// Whether this is the answer to put something at the end of: a whole page as it is.
pub fn is_page(status: StatusCode, headers: &HeaderMap) -> bool {
    let partial = matches!(
        status,
        StatusCode::PARTIAL_CONTENT
            | StatusCode::NO_CONTENT
            | StatusCode::RESET_CONTENT
            | StatusCode::NOT_MODIFIED
    );
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    !partial && kind.eq_ignore_ascii_case("text/html") && !headers.contains_key(CONTENT_ENCODING)
}

/// What is appended to a page that was made of this `version` of its sources. Parsers
/// of HTML take what follows `</html>` into the body (section 13.2.6.4.23 of the
/// HTML standard), so that nothing needs to be searched for in the page.
pub fn script_tag(version: &str) -> String {
    format!("\n<script data-seen=\"{version}\">{SCRIPT}</script>\n")
}

/// The policy that allows [`SCRIPT`], and its connection to this server, besides
/// what `policy` (a `Content-Security-Policy`) allows.
pub fn allow_in_policy(policy: &str) -> String {
    let admitted: Vec<String> = policy.split(',').map(allow_in_one).collect();
    admitted.join(",")
}

fn allow_in_one(policy: &str) -> String {
    let directives: Vec<&str> =
        policy.split(';').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    // The first of a name counts (section 2.2.1).
    let place = |name: &str| {
        directives.iter().position(|directive| {
            directive
                .split_ascii_whitespace()
                .next()
                .is_some_and(|it| it.eq_ignore_ascii_case(name))
        })
    };
    let mut out: Vec<String> = directives.iter().map(|&directive| directive.to_owned()).collect();
    let mut allow_source = |names: &[&str], own: &str, source: &str| {
        let Some(index) = names.iter().find_map(|name| place(name)) else { return };
        let mut words = directives[index].split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let sources: Vec<&str> = words.filter(|it| !it.eq_ignore_ascii_case("'none'")).collect();
        if allows(&sources, source) {
            return;
        }
        // What only `default-src` says is said anew for what is admitted, so that
        // it stays as it is for all else.
        let inherited = name.eq_ignore_ascii_case("default-src");
        let name = if inherited { own } else { name };
        let directive = [&[name], &*sources, &[source]].concat().join(" ");
        if inherited {
            out.push(directive);
        } else {
            out[index] = directive;
        }
    };
    allow_source(&["script-src-elem", "script-src", "default-src"], "script-src-elem", HASH);
    allow_source(&["connect-src", "default-src"], "connect-src", "'self'");
    out.join("; ")
}

/// Whether a list of sources allows what `source` names without naming it.
fn allows(sources: &[&str], source: &str) -> bool {
    let has = |wanted: &str| sources.iter().any(|it| it.eq_ignore_ascii_case(wanted));
    if source != HASH {
        return has(source) || has("*");
    }
    // A hash or a nonce makes `'unsafe-inline'` mean nothing (section 6.7.3.2), so
    // none may be added to it.
    let named = |it: &&str| {
        let it = it.to_ascii_lowercase();
        it.starts_with("'nonce-") || it.starts_with("'sha") || it == "'strict-dynamic'"
    };
    has("'unsafe-inline'") && !sources.iter().any(named)
}

#[cfg(test)]
mod tests;
