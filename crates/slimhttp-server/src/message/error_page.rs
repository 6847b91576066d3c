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
use http_body::Body as _;
use slimhttp_site::refusal::Refusal;

use crate::message::body::{Body, Extent};
use crate::message::limits::{self, Within};
use crate::message::refused::ErrorResponse;

/// What `debug` shows where nobody answers and a handler was called: the usual slip.
pub(crate) const PASSED_ON: &str = "A handler was asked, and returned None: that leaves the \
    answer to whoever is next. Was a `return` forgotten?";

/// The response to what is refused: a small plain page that shows nothing of the
/// inside, or with `debug` everything.
pub(crate) fn refuse(refused: ErrorResponse, debug: bool) -> Response<Body> {
    let ErrorResponse { refusal, page, detail } = refused;
    let status = refusal.status();
    limits::log(&refusal, Within::Body);
    let detail = match debug {
        true => detail.or_else(|| limits::describe(&refusal, Within::Body)),
        false => detail,
    };
    let shows_detail =
        debug || matches!(refusal, Refusal::LoopDetected | Refusal::MalformedContent);
    let mut policy = None;
    let html = match (debug, page) {
        (true, Some(page)) => {
            policy = HeaderValue::try_from(page.policy).ok().map(OwnPolicy);
            page.html.into()
        }
        _ if shows_detail => small_page(&refusal, detail.as_deref(), debug).into(),
        _ => plain_page(&refusal),
    };
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    if let Some(policy) = policy {
        response.extensions_mut().insert(policy);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    refusal_fields(&refusal, headers);
    if debug {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
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
        Refusal::Unavailable => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Refusal::MemoryFull => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            // The rest of its body is not read.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Refusal::Raised(raised) => {
            for name in raised.fields.keys() {
                headers.remove(name);
            }
            headers.extend(raised.fields.clone());
        }
        Refusal::BadRequest(_)
        | Refusal::UriTooLong
        | Refusal::HeaderTooLarge
        | Refusal::ContentTooLarge(_)
        | Refusal::RequestTimeout => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
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
/// section 9.3.2). `relayed` is a response without content because an upstream, too,
/// was sent a HEAD: of the length it has said all that there is to say.
pub(crate) fn omit_content(response: &mut Response<Body>, relayed: bool) {
    if !(relayed && response.body().is_end_stream()) {
        announce_length(response);
    }
    *response.body_mut() = Body::Omitted;
}

/// Says how long the content is, where that is known and may be said (RFC 9110
/// section 8.6).
pub(crate) fn announce_length(response: &mut Response<impl http_body::Body>) {
    let status = response.status();
    let has_length = !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = response.body().size_hint().exact().filter(|_| has_length) {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
}

/// A response as bytes, for a connection on which no further request can be
/// read: it ends with this. The host was not known yet, so `debug` is that of the global
/// level.
pub(crate) fn raw_error(refusal: &Refusal, extent: Extent, debug: bool) -> Vec<u8> {
    limits::log(refusal, Within::Head);
    let status = refusal.status();
    let html = match debug {
        true => {
            small_page(refusal, limits::describe(refusal, Within::Head).as_deref(), true).into()
        }
        false => plain_page(refusal),
    };
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let mut response = format!(
        "HTTP/1.1 {} {}\r\nserver: slimHTTP\r\ndate: {date}\r\ncontent-type: text/html; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        html.len()
    )
    .into_bytes();
    if extent == Extent::Whole {
        response.extend_from_slice(&html);
    }
    response
}

/// The page of a status without any detail; made once, but for what a handler says.
fn plain_page(refusal: &Refusal) -> Bytes {
    static PAGES: [OnceLock<Bytes>; 200] = [const { OnceLock::new() }; 200];
    let make = || Bytes::from(small_page(refusal, None, false));
    if matches!(refusal, Refusal::Raised(_)) {
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
        Refusal::NotFound => "There is nothing here.",
        Refusal::Internal => "Something went wrong on this server. It has been noted.",
        Refusal::BadGateway => {
            "The server behind this one cannot be reached or gave no valid answer."
        }
        Refusal::GatewayTimeout => "The server behind this one did not answer in time.",
        Refusal::Unavailable | Refusal::MemoryFull => {
            "This server is busy. Please try again in a moment."
        }
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
