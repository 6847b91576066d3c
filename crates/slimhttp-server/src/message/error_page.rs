//! A reply or a refusal → the final response. The only place where a refusal becomes a page;
//! `exchange` calls it once for each response, `http1::close` for a head that is no request.

use std::fmt::Write as _;
use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    LOCATION, RETRY_AFTER, SEC_WEBSOCKET_VERSION, SERVER, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use slimhttp_site::refusal::Refusal;

use crate::message::body::Body;
use crate::message::limits::{self, Within};
use crate::message::refused::{DebugPage, ErrorResponse};

/// What `debug` shows where nobody answers and a handler was called: the usual slip.
pub(crate) const PASSED_ON: &str = "A handler was asked, and returned None: that leaves the \
    answer to whoever is next. Was a `return` forgotten?";

/// The response to what is refused: a small plain page that shows nothing of the
/// inside, or with `debug` everything.
pub(crate) fn refuse(refused: ErrorResponse, debug: bool) -> Response<Body> {
    let ErrorResponse { refusal, page, detail } = refused;
    limits::log(&refusal, Within::Body);
    let detail = match debug {
        true => detail.or_else(|| limits::describe(&refusal, Within::Body)),
        false => detail,
    };
    let shows_detail =
        debug || matches!(refusal, Refusal::LoopDetected | Refusal::MalformedContent);
    let (html, policy) = match (debug, page) {
        (true, Some(page)) => (page.html.into(), HeaderValue::try_from(page.policy).ok()),
        _ if shows_detail => (small_page(&refusal, detail.as_deref(), debug).into(), None),
        _ => (plain_page(&refusal), None),
    };
    let mut response = page_response(&refusal, html, debug);
    if let Some(policy) = policy {
        response.extensions_mut().insert(OwnPolicy(policy));
    }
    response
}

/// The response to a head that is refused before there is a request. The host was not known yet,
/// so `debug` is that of the global level.
pub(crate) fn refuse_head(refusal: &Refusal, debug: bool) -> Response<Body> {
    limits::log(refusal, Within::Head);
    let html = match debug {
        true => {
            small_page(refusal, limits::describe(refusal, Within::Head).as_deref(), true).into()
        }
        false => plain_page(refusal),
    };
    page_response(refusal, html, debug)
}

/// The response while the program that was to answer has not started: the page that says why, or
/// the text for whoever asks for none.
pub(crate) fn failed_start(page: Option<&DebugPage>, text: &str) -> Response<Body> {
    let html = page.map_or(text, |page| &page.html).to_owned();
    let mut response = page_response(&Refusal::Internal, html.into(), true);
    match page.map(|page| HeaderValue::try_from(&page.policy)) {
        Some(Ok(policy)) => _ = response.extensions_mut().insert(OwnPolicy(policy)),
        Some(Err(_)) => {}
        None => {
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, plain);
        }
    }
    response
}

fn page_response(refusal: &Refusal, html: Bytes, debug: bool) -> Response<Body> {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    refusal_fields(refusal, headers);
    if debug {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if ends_connection(refusal) {
        response.extensions_mut().insert(CloseConnection);
    }
    response
}

/// In the extensions of a response: where requests follow each other on a connection, none follows
/// this one, for its request is malformed or has content that is not read. HTTP/1 says so and
/// closes (RFC 9112 section 9.6); in HTTP/2 it is a matter of the stream alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloseConnection;

/// Whether what is left of a refused request is not read, or where it ends is not known.
fn ends_connection(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::BadRequest(_)
            | Refusal::PlainToTls
            | Refusal::UriTooLong
            | Refusal::HeaderTooLarge
            | Refusal::ContentTooLarge(_)
            | Refusal::RequestTimeout
            | Refusal::MemoryFull
    )
}

/// Puts on a response what RFC 9110 demands of its status, and what a handler has given with it.
fn refusal_fields(refusal: &Refusal, headers: &mut HeaderMap) {
    match refusal {
        Refusal::MethodNotAllowed(methods) => {
            headers.insert(ALLOW, methods.allow());
        }
        Refusal::UpgradeRequired => {
            // RFC 9110 section 15.5.22, RFC 6455 section 4.4.
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        // An application that has failed is mended by a change, which may come at any moment.
        Refusal::Unavailable | Refusal::NotStarted { .. } | Refusal::MemoryFull => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Refusal::Raised(raised) => {
            for name in raised.fields.keys() {
                headers.remove(name);
            }
            headers.extend(raised.fields.clone());
        }
        _ => {}
    }
}

/// The policy of a page that is not the site's, in place of the site's.
#[derive(Clone, Debug)]
struct OwnPolicy(HeaderValue);

/// Puts the policy of the debug page on its response, whatever the scope says of
/// every answer.
pub(crate) fn keep_policy(response: &mut Response<Body>) {
    if let Some(OwnPolicy(policy)) = response.extensions_mut().remove() {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
}

/// A redirect.
pub(crate) fn redirect(location: HeaderValue, status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    response
}

/// The answer to a preflight, with these fields.
pub(crate) fn preflight(fields: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = fields;
    response
}

/// Puts on a response what every response carries.
pub(crate) fn finish(response: &mut Response<Body>) {
    response.headers_mut().entry(SERVER).or_insert(HeaderValue::from_static("slimHTTP"));
}

/// Leaves the content out of the final response to a HEAD, whoever has made it
/// and whichever protocol carries it: the fields are those of a GET (RFC 9110
/// section 9.3.2). Where an upstream has answered, it has left the content out itself, and of
/// its length it has said all that there is to say.
pub(crate) fn omit_content(response: &mut Response<Body>) {
    announce_length(response);
    *response.body_mut() = Body::Omitted;
}

/// Says how long the content is, where that is known and may be said (RFC 9110
/// section 8.6). A 204 and an interim response have none, and say no length; a 304 says the one
/// of a 200, which whoever has made it knows.
pub(crate) fn announce_length(response: &mut Response<impl http_body::Body>) {
    let status = response.status();
    if status.is_informational() || status == StatusCode::NO_CONTENT {
        response.headers_mut().remove(CONTENT_LENGTH);
        return;
    }
    let length = response.body().size_hint().exact();
    if let Some(length) = length.filter(|_| status != StatusCode::NOT_MODIFIED) {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
}

/// The page of a status without any detail; made once, but for what a handler says.
fn plain_page(refusal: &Refusal) -> Bytes {
    static PAGES: [OnceLock<Bytes>; 200] = [const { OnceLock::new() }; 200];
    let make = || Bytes::from(small_page(refusal, None, false));
    // They have a status of others.
    if matches!(refusal, Refusal::Raised(_) | Refusal::NotStarted { .. } | Refusal::PlainToTls) {
        return make();
    }
    let status = usize::from(refusal.status().as_u16());
    match status.checked_sub(400).and_then(|index| PAGES.get(index)) {
        Some(page) => page.get_or_init(make).clone(),
        None => make(),
    }
}

fn small_page(refusal: &Refusal, detail: Option<&str>, debug: bool) -> String {
    let status = refusal.status();
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem}}\
         pre{{white-space:pre-wrap}}</style><h1>{title}</h1>"
    );
    if let Some(explanation) = explanation(refusal) {
        let _ = write!(page, "<p>{explanation}</p>");
    }
    if let Refusal::Raised(raised) = refusal
        && let Some(text) = &raised.text
    {
        let _ = write!(page, "<p>{}</p>", escape(text));
    }
    if let (true, Refusal::BadRequest(what)) = (debug, refusal) {
        let _ = write!(page, "<pre>{}</pre>", escape(what));
    }
    if let Some(detail) = detail {
        let _ = write!(page, "<pre>{}</pre>", escape(detail));
    }
    page.push_str("</html>\n");
    page
}

/// What helps the person in front of the page, where the title does not.
fn explanation(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal {
        Refusal::UpgradeRequired => "Here is a WebSocket, for programs and scripts of pages.",
        Refusal::PlainToTls => "This port speaks TLS: come by https.",
        Refusal::NotFound => "There is nothing here.",
        Refusal::Internal => "Something went wrong on this server. It has been noted.",
        Refusal::BadGateway => {
            "The server behind this one cannot be reached or gave no valid answer."
        }
        Refusal::GatewayTimeout => "The server behind this one did not answer in time.",
        Refusal::Unavailable | Refusal::MemoryFull => {
            "This server is busy. Please try again in a moment."
        }
        Refusal::NotStarted { is_starting: true } => {
            "The application is starting. Please try again in a moment."
        }
        Refusal::NotStarted { is_starting: false } => "The application has not started.",
        Refusal::Misdirected => "This connection was made for another host: connect anew.",
        Refusal::LoopDetected => "This request has come back to the server that forwarded it.",
        _ => return None,
    })
}

/// Text → HTML text.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
