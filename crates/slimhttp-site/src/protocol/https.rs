//! What keeps clients on https: where what has come in plain is sent (`redirect_https`), and what
//! tells browsers to come by https from now on (`hsts`, RFC 6797).

use http::{HeaderValue, Method, StatusCode};
use percent_encoding::{CONTROLS, utf8_percent_encode};

/// The port of https where a URL names none (RFC 9110 section 4.2.2).
pub const DEFAULT_PORT: u16 = 443;

/// Whether what has come in plain is sent to https, and to which port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpsRedirect {
    /// It is answered as it came.
    #[default]
    Off,
    /// To the port at which this server speaks TLS.
    ToListener,
    /// To this port, as clients see it.
    ToPort(u16),
}

/// What a scope says of `Strict-Transport-Security`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hsts {
    /// Nothing: the field is that of `security_headers`, if any.
    #[default]
    Unsaid,
    /// It is not set.
    Off,
    /// Every answer over https has this value.
    On(HeaderValue),
}

/// A policy of RFC 6797 section 6.1, with the directive by which a host asks for its place on the
/// lists that browsers bring along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HstsPolicy {
    /// For how many seconds browsers keep it; zero takes it back.
    pub max_age: u64,
    /// Whether it holds for every name below the host's.
    pub include_subdomains: bool,
    /// Whether the host may be put on the lists of browsers.
    pub preload: bool,
}

impl HstsPolicy {
    /// A year: the least that the lists of browsers take.
    pub const YEAR: u64 = 31_536_000;

    /// The value of the field.
    pub fn value(&self) -> HeaderValue {
        let mut value = format!("max-age={}", self.max_age);
        if self.include_subdomains {
            value.push_str("; includeSubDomains");
        }
        if self.preload {
            value.push_str("; preload");
        }
        HeaderValue::try_from(value).expect("digits and words are visible ASCII")
    }
}

impl Default for HstsPolicy {
    fn default() -> Self {
        Self { max_age: Self::YEAR, include_subdomains: false, preload: false }
    }
}

/// The status by which a request is sent to the same target by https, for good. Of a method other
/// than GET and HEAD it keeps method and content (RFC 9110 section 15.4.9).
pub(crate) fn redirect_status(method: &Method) -> StatusCode {
    match *method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    }
}

/// A target by https: `host` in normal form, `path` and `query` as sent. `None` where that is no
/// value of a field.
pub(crate) fn location(
    host: &str,
    port: u16,
    path: &str,
    query: Option<&str>,
) -> Option<HeaderValue> {
    let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
    let mut url = format!("https://{open}{host}{close}");
    if port != DEFAULT_PORT {
        url.push_str(&format!(":{port}"));
    }
    url.extend(utf8_percent_encode(path, CONTROLS));
    if let Some(query) = query {
        url.push('?');
        url.extend(utf8_percent_encode(query, CONTROLS));
    }
    HeaderValue::try_from(url).ok()
}

#[cfg(test)]
mod tests;
