//! The server's side of CORS (Fetch standard, section 3.3): which pages of other origins
//! may read the answers of a scope.
//!
//! A browser lets a page read an answer of another origin only where the answer grants it,
//! and sends a preflight before any request that a form could not send. CORS never keeps a
//! request from being answered: what is not granted is left out, and the browser enforces
//! it.

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName,
    HeaderValue, ORIGIN,
};

use crate::protocol::authority::Authority;
use crate::protocol::list_field::members;
use crate::protocol::vary::merge_vary;

#[cfg(test)]
mod tests;

/// What a scope says to pages of other origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whose pages may read.
    pub origins: AllowedOrigins,
    /// The methods that they may use, as a list; `None`: whichever they ask for.
    pub methods: Option<HeaderValue>,
    /// The fields that they may send, as a list; `None`: whichever they ask for.
    pub headers: Option<HeaderValue>,
    /// The fields of an answer that they may read beside the usual ones, as a list.
    pub expose: Option<HeaderValue>,
    /// Whether their requests may carry cookies, and what else tells who asks.
    /// Never with [`AllowedOrigins::Any`]: the compiler sees to it.
    pub credentials: bool,
    /// For how many seconds a browser may keep the answer to a preflight.
    pub max_age: u32,
}

/// Seconds for which the answer to a preflight is kept, unless a site says otherwise.
pub(crate) const MAX_AGE: u32 = 600;

impl Default for Cors {
    /// Every page may read, and nobody is known by a cookie.
    fn default() -> Self {
        Self {
            origins: AllowedOrigins::Any,
            methods: None,
            headers: None,
            expose: None,
            credentials: false,
            max_age: MAX_AGE,
        }
    }
}

/// Whose pages may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Everybody's.
    Any,
    /// Those of these origins.
    Listed(Box<[OriginPattern]>),
}

/// An origin, or all hosts below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginPattern {
    /// This very text, as browsers write an origin (RFC 6454 section 6.2), or `null`.
    Exact(Box<str>),
    /// Every host below a name: `https://*.example.com`, not `https://example.com`.
    Below {
        /// The scheme and `://`.
        scheme: Box<str>,
        /// The name with a dot before it, and the port if it is not the scheme's own.
        name: Box<str>,
    },
}

impl OriginPattern {
    /// Reads `scheme://host`, `scheme://host:port`, the same with `*.` before the
    /// host, or `null`, and writes it as browsers do.
    ///
    /// # Errors
    /// A hint, where there is something to say of what is none.
    pub fn parse(text: &str) -> Result<Self, Option<&'static str>> {
        if text == "null" {
            return Ok(Self::Exact(text.into()));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            let hint = "an origin begins with its scheme: `https://example.com`";
            return Err((!text.is_empty()).then_some(hint));
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err(Some("an origin ends with its host or port, without a slash or a path"));
        }
        let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(is_scheme_byte)
        {
            return Err(None);
        }
        let (below, host) = match rest.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, rest),
        };
        let Some(authority) = Authority::parse_configured(host.as_bytes()) else {
            let hint = "`*` stands for the names below a host only: `https://*.example.com`";
            return Err(host.contains('*').then_some(hint));
        };
        let scheme = scheme.to_ascii_lowercase();
        let own_port = match &*scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let port = match authority.port.filter(|port| Some(*port) != own_port) {
            Some(port) => format!(":{port}"),
            None => String::new(),
        };
        let host = match authority.host.contains(':') {
            true => format!("[{}]", authority.host),
            false => authority.host.into_owned(),
        };
        Ok(match below {
            true => Self::Below {
                scheme: format!("{scheme}://").into(),
                name: format!(".{host}{port}").into(),
            },
            false => Self::Exact(format!("{scheme}://{host}{port}").into()),
        })
    }

    /// Whether `origin`, the value of an `Origin` field, is meant. Byte by byte:
    /// browsers write an origin in one way only.
    fn matches(&self, origin: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact.as_bytes() == origin,
            Self::Below { scheme, name } => {
                let is_name_byte = |byte: &u8| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(byte)
                };
                origin
                    .strip_prefix(scheme.as_bytes())
                    .and_then(|rest| rest.strip_suffix(name.as_bytes()))
                    .is_some_and(|labels| !labels.is_empty() && labels.iter().all(is_name_byte))
            }
        }
    }
}

/// What is said of one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant<'c> {
    cors: &'c Cors,
    /// The value of `Access-Control-Allow-Origin`.
    origin: Option<HeaderValue>,
}

impl Cors {
    /// What is to be said of the answer to a request with these fields, whoever
    /// gives it.
    pub fn grant(&self, request: &HeaderMap) -> Grant<'_> {
        let origin = match &self.origins {
            AllowedOrigins::Any => Some(HeaderValue::from_static("*")),
            AllowedOrigins::Listed(patterns) => the_one(request, &ORIGIN)
                .filter(|origin| patterns.iter().any(|known| known.matches(origin.as_bytes())))
                .cloned(),
        };
        Grant { cors: self, origin }
    }

    /// The fields of the answer to a preflight, beside its [`Grant`]; `None` where the request is
    /// none: an `OPTIONS` that names an origin, and the method that is to follow.
    /// Whose page asks in vain learns nothing.
    pub fn preflight(&self, method: &Method, request: &HeaderMap) -> Option<HeaderMap> {
        if *method != Method::OPTIONS {
            return None;
        }
        the_one(request, &ORIGIN)?;
        let wanted = the_one(request, &ACCESS_CONTROL_REQUEST_METHOD)?;
        if !is_token(wanted.as_bytes()) {
            return None;
        }
        let mut fields = HeaderMap::new();
        if self.grant(request).origin.is_some() {
            let methods = self.methods.as_ref().unwrap_or(wanted);
            fields.insert(ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
            if let Some(headers) = self.headers.clone().or_else(|| wanted_headers(request)) {
                fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
            }
            fields.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.into());
        }
        Some(fields)
    }
}

impl Grant<'_> {
    /// Puts it on an answer, in place of what whoever answers has said of the
    /// same: half of one rule and half of another would be a third that nobody
    /// meant.
    pub fn apply(self, answer: &mut HeaderMap) {
        let Self { cors, origin } = self;
        if cors.origins != AllowedOrigins::Any {
            // Without, a cache would give the answer for one origin to another one.
            merge_vary(answer, &HeaderValue::from_static("Origin"));
        }
        let Some(origin) = origin else {
            answer.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
            answer.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
            return;
        };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if cors.credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        } else {
            answer.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        }
        if let Some(expose) = &cors.expose {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }
}

/// Whether a field belongs to this protocol.
pub(crate) fn is_cors_field(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

/// Whether it is a method, or the name of a field (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    let is_sign = |byte: &u8| b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || is_sign(byte))
}

/// The fields that a preflight asks for, as a list; `None` where it asks for none
/// or for what is no name.
fn wanted_headers(request: &HeaderMap) -> Option<HeaderValue> {
    let mut list = Vec::new();
    for name in members(request, &ACCESS_CONTROL_REQUEST_HEADERS) {
        if !is_token(name) {
            return None;
        }
        if !list.is_empty() {
            list.extend_from_slice(b", ");
        }
        list.extend_from_slice(name);
    }
    if list.is_empty() { None } else { HeaderValue::from_bytes(&list).ok() }
}

/// The value of a field that stands once.
fn the_one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}
