//! The server's side of the opening handshake of a WebSocket: RFC 6455 section 4.2, and
//! RFC 7692 section 7.1 for compression. Who may open one, and what is negotiated.

use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, ORIGIN, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderValue, Method, Version};

use crate::protocol::authority::Authority;
use crate::protocol::list_field::{members, names};
use crate::protocol::refusal::Refusal;

#[cfg(test)]
mod tests;

/// What the route of a WebSocket says of those who open it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WebSocketRules {
    /// Whose pages may open it.
    pub origins: Origins,
    /// The protocols spoken in it, in order of preference; a client that names none
    /// of them gets none.
    pub subprotocols: Vec<Box<str>>,
}

/// Whose pages may open a WebSocket. Browsers send their cookies along with the
/// handshake whatever page asks for it, and no rule of theirs keeps the answer
/// from that page; the `Origin` that they name is all there is to tell (RFC 6455
/// section 10.2). A client that sends none is no browser, and is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Origins {
    /// Pages of the host that is asked, by `http` or `https`.
    #[default]
    SameHost,
    /// Pages of these.
    Only(Vec<Origin>),
    /// Every page there is.
    Any,
}

/// Where a page comes from: `https://example.com`, RFC 6454 section 4.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Box<str>,
    host: Box<str>,
    port: Option<u16>,
}

impl Origin {
    /// Reads `scheme://host` or `scheme://host:port`; `None` for anything else,
    /// `null` too.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let named = Authority::parse(authority.as_bytes())?;
        if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase().into_boxed_str();
        let port = named.port.or_else(|| default_port(&scheme));
        Some(Self { scheme, host: named.host.into(), port })
    }

    /// Whether it is a page of `host`, which is the value of a `Host` field.
    fn is_of(&self, host: &HeaderValue) -> bool {
        let Some(named) = Authority::parse(host.as_bytes()) else { return false };
        // Whoever ends TLS in front of this server knows the scheme; this server may not.
        named.host == *self.host && named.port.or(default_port(&self.scheme)) == self.port
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl Origins {
    /// Reads what a program lists: origins, or `*` for all. `None` is the host
    /// that is asked.
    ///
    /// # Errors
    /// The entry that is no origin.
    pub fn read(listed: Option<Vec<String>>) -> Result<Self, String> {
        let Some(listed) = listed else { return Ok(Self::SameHost) };
        if listed.iter().any(|entry| entry == "*") {
            return Ok(Self::Any);
        }
        let origins = listed.into_iter().map(|entry| Origin::parse(&entry).ok_or(entry));
        Ok(Self::Only(origins.collect::<Result<_, _>>()?))
    }

    fn allow(&self, headers: &HeaderMap) -> bool {
        let mut fields = headers.get_all(ORIGIN).iter();
        let Some(field) = fields.next() else { return true };
        if *self == Self::Any {
            return true;
        }
        if fields.next().is_some() {
            return false;
        }
        let Some(origin) = field.to_str().ok().and_then(Origin::parse) else { return false };
        match self {
            Self::Any => true,
            Self::SameHost => headers.get(HOST).is_some_and(|host| origin.is_of(host)),
            Self::Only(origins) => origins.contains(&origin),
        }
    }
}

/// The bounds of the WebSockets of one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocketLimits {
    /// The longest message that a client may send, unpacked, in bytes.
    pub max_message: usize,
    /// Messages that may wait, in each direction.
    pub queue: usize,
    /// How long a client may be silent before it is pinged; zero: for ever.
    pub ping_interval: Duration,
    /// How long it may then stay silent.
    pub ping_timeout: Duration,
    /// How long nobody may have sent a message; zero: for ever.
    pub idle_timeout: Duration,
    /// Whether messages are compressed for who can unpack them.
    pub compress: bool,
}

/// A handshake that is fine, and what is agreed on by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The client's `Sec-WebSocket-Key`, to be answered.
    pub key: HeaderValue,
    /// The protocol that is spoken.
    pub subprotocol: Option<Box<str>>,
    /// The compression that is agreed on.
    pub deflate: Option<Deflate>,
}

/// `permessage-deflate`, as we speak it: each message on its own, so that an
/// idle connection needs no memory for it (RFC 7692 section 7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// Whether the client has asked for a window of 15 bits from us, which it is
    /// then told (section 7.1.2.1). It is the one we have.
    names_window: bool,
}

impl Deflate {
    /// The value of `Sec-WebSocket-Extensions` that agrees to it.
    pub fn field(self) -> HeaderValue {
        HeaderValue::from_static(if self.names_window {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=15"
        } else {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        })
    }
}

/// Whether a request asks for a WebSocket, well or badly.
pub fn is_asked(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    *method == Method::GET
        && version == Version::HTTP_11
        && names(headers, &CONNECTION, "upgrade")
        && names(headers, &UPGRADE, "websocket")
}

/// Validates the handshake of a request for the route of a WebSocket, and chooses its
/// subprotocol and compression.
///
/// # Errors
/// Why it is refused: 426 to who does not ask for a WebSocket, or not for one of
/// version 13; 400 where the handshake is broken; 403 to the pages of others.
pub fn negotiate(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    rules: &WebSocketRules,
    compress: bool,
) -> Result<Handshake, Refusal> {
    // RFC 6455 section 4.4: who speaks another version is told ours.
    let is_ours = only(headers, &SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if !is_asked(method, version, headers) || !is_ours {
        return Err(Refusal::UpgradeRequired);
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY)
        .filter(|key| is_key(key.as_bytes()))
        .ok_or(Refusal::BadRequest("no valid Sec-WebSocket-Key"))?;
    let has_content = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_content {
        return Err(Refusal::BadRequest("a WebSocket handshake with content"));
    }
    if !rules.origins.allow(headers) {
        return Err(Refusal::Forbidden);
    }
    let offered = |ours: &str| {
        members(headers, &SEC_WEBSOCKET_PROTOCOL).any(|theirs| theirs == ours.as_bytes())
    };
    Ok(Handshake {
        key: key.clone(),
        subprotocol: rules.subprotocols.iter().find(|ours| offered(ours)).cloned(),
        deflate: if compress { deflate(headers) } else { None },
    })
}

/// The one value of a field that may stand once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether it is 16 bytes in base64 (RFC 6455 section 4.2.1).
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    matches!(key, [digits @ .., b'=', b'='] if digits.len() == 22 && digits.iter().all(is_digit))
}

/// The first offer of `permessage-deflate` that can be met. An offer with a
/// parameter that is unknown, twice there or malformed is declined as a whole
/// (RFC 7692 section 7.1), as is one that wants a window of ours smaller than it
/// is.
fn deflate(headers: &HeaderMap) -> Option<Deflate> {
    members(headers, &SEC_WEBSOCKET_EXTENSIONS).find_map(|offer| {
        let mut parts = offer.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        if parts.next()? != b"permessage-deflate" {
            return None;
        }
        let mut seen = Vec::new();
        let mut names_window = false;
        for part in parts {
            let mut halves = part.splitn(2, |&byte| byte == b'=');
            let (name, value) = (halves.next()?.trim_ascii(), halves.next().map(unquoted));
            match (name, value) {
                (b"server_no_context_takeover" | b"client_no_context_takeover", None)
                | (b"client_max_window_bits", None) => {}
                (b"client_max_window_bits", Some(bits)) if is_window(bits) => {}
                (b"server_max_window_bits", Some(b"15")) => names_window = true,
                _ => return None,
            }
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
        }
        Some(Deflate { names_window })
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value.trim_ascii() {
        [b'"', inner @ .., b'"'] => inner,
        bare => bare,
    }
}

/// Whether it is a number from 8 to 15 without leading zeros.
fn is_window(bits: &[u8]) -> bool {
    matches!(bits, [b'8' | b'9'] | [b'1', b'0'..=b'5'])
}
