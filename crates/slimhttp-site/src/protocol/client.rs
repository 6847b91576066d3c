//! Who the client is, and which address it asked for, where trusted proxies forward to this
//! server: by `X-Forwarded-For`, `-Proto` and `-Host`, or by `Forwarded` (RFC 7239) where
//! none of these is there. The two are never mixed: a proxy adds one kind and may pass the
//! other on as the client has sent it.
//!
//! Each proxy appends what it has seen, so the fields are read from the right, and nothing
//! to the left of a hop that is not trusted is believed.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::Uri;
use http::header::{FORWARDED, HOST, HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::protocol::list_field::members;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How a request has come to us.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'r> {
    /// The address of the connection's other end.
    pub peer: IpAddr,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// The target as sent.
    pub uri: &'r Uri,
    /// The header fields.
    pub headers: &'r HeaderMap,
    /// The proxies whose fields are believed: the option `trusted_proxies`.
    pub trusted: &'r [IpNet],
}

impl<'r> Arrival<'r> {
    /// The client: the first address from the right that is no trusted proxy. Where
    /// the chain breaks off (an address that is hidden, or none at all) it is the
    /// last proxy that is known; where all are trusted, the leftmost.
    pub fn remote(&self) -> IpAddr {
        let mut known = self.peer.to_canonical();
        if !self.trusts(known) {
            return known;
        }
        let chain: Vec<&[u8]> = if self.uses_forwarded() {
            let members = members(self.headers, &FORWARDED);
            members.map(|member| parameter(member, b"for").unwrap_or_default()).collect()
        } else {
            members(self.headers, &FORWARDED_FOR).collect()
        };
        for member in chain.into_iter().rev() {
            let Some(address) = address(member) else { break };
            known = address;
            if !self.trusts(known) {
                break;
            }
        }
        known
    }

    /// `https` where the client speaks TLS, to us or to a trusted proxy before us,
    /// which may call it `wss` on the way to a WebSocket.
    pub fn scheme(&self) -> &'static str {
        let said = self.forwarded_by_nearest(&FORWARDED_PROTO, b"proto");
        let tls = said.map_or(self.tls, |said| {
            said.eq_ignore_ascii_case(b"https") || said.eq_ignore_ascii_case(b"wss")
        });
        if tls { "https" } else { "http" }
    }

    /// The host that the client asked for, with its port if it named one; empty
    /// where an HTTP/1.0 client named none.
    pub fn host(&self) -> Cow<'r, str> {
        let said = self.forwarded_by_nearest(&FORWARDED_HOST, b"host").map(String::from_utf8_lossy);
        said.or_else(|| self.uri.authority().map(|authority| authority.as_str().into()))
            .or_else(|| Some(String::from_utf8_lossy(self.headers.get(HOST)?.as_bytes())))
            .unwrap_or_default()
    }

    /// What the nearest proxy says, if it is trusted: in the last member of `field`,
    /// or in the last one of `Forwarded` that has the parameter.
    fn forwarded_by_nearest(&self, field: &HeaderName, name: &[u8]) -> Option<&'r [u8]> {
        if !self.trusts(self.peer.to_canonical()) {
            return None;
        }
        if self.uses_forwarded() {
            let members = members(self.headers, &FORWARDED);
            return members.filter_map(|member| parameter(member, name)).last();
        }
        members(self.headers, field).last()
    }

    fn uses_forwarded(&self) -> bool {
        let known = [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST];
        !known.iter().any(|name| self.headers.contains_key(name))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// The value of a parameter of a member of `Forwarded`, without its quotes (RFC
/// 7239 section 4).
fn parameter<'m>(member: &'m [u8], name: &[u8]) -> Option<&'m [u8]> {
    member.split(|byte| *byte == b';').find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        let value = pair[at + 1..].trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
        (pair[..at].trim_ascii().eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
    })
}

/// An address with or without a port, an IPv6 one in brackets or not (RFC 7239
/// section 6). What is hidden or unknown is none.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests;
