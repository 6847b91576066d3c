//! Parses one upstream: `host:port`, `http://host`, `https://host:port`. And by which prefix it
//! knows the paths, beside it.

use std::sync::Arc;

use super::layer::Layers;
use super::read::Checked;
use super::report::{At, Report};
use crate::protocol::authority::Authority;
use crate::routing::upstream_prefix::PrefixRule;

/// An upstream before it is known whether `ssl` stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// What the scheme says of TLS; `None` without a scheme.
    pub(super) tls: Option<bool>,
    /// The name in normal form, or the address without brackets.
    pub(super) host: Arc<str>,
    /// The port, never 0.
    pub(super) port: u16,
}

/// What should stand instead, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) expected: &'static str,
    pub(super) hint: Option<String>,
}

const HOST_AND_PORT: Wrong = Wrong { expected: "`host:port`", hint: None };
const PORT: Wrong = Wrong { expected: "a port from 1 to 65535", hint: None };

/// Reads one upstream.
pub(super) fn parse(text: &str) -> Result<Endpoint, Wrong> {
    if text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("unix:")) {
        let hint = "a Unix socket cannot be an upstream; let it listen on a port of 127.0.0.1";
        return Err(Wrong { hint: Some(hint.to_owned()), ..HOST_AND_PORT });
    }
    let (tls, authority) = match text.split_once("://") {
        None => (None, text),
        Some((scheme, rest)) => {
            let tls = match scheme {
                _ if scheme.eq_ignore_ascii_case("http") => false,
                _ if scheme.eq_ignore_ascii_case("https") => true,
                _ => return Err(Wrong { expected: "`http://` or `https://`", hint: None }),
            };
            (Some(tls), rest.strip_suffix('/').unwrap_or(rest))
        }
    };
    if authority.contains(['/', '?', '#']) {
        let hint = "a request goes on with the path that it came with, and `add_prefix` before it";
        let hint = Some(hint.to_owned());
        return Err(Wrong { expected: "an upstream without a path", hint });
    }
    if authority.contains('@') {
        return Err(Wrong { expected: "an upstream without a user name", hint: None });
    }
    let (host, port) = split(authority)?;
    let port = match port {
        Some(digits) => port_number(digits).ok_or(PORT)?,
        None => match tls {
            Some(tls) => {
                if tls {
                    443
                } else {
                    80
                }
            }
            None => return Err(HOST_AND_PORT),
        },
    };
    match Authority::parse_configured(host.as_bytes()) {
        Some(Authority { host, port: None }) => Ok(Endpoint { tls, host: host.into(), port }),
        _ => Err(HOST_AND_PORT),
    }
}

/// The host, still in its brackets, and what stands behind its colon.
fn split(authority: &str) -> Result<(&str, Option<&str>), Wrong> {
    let host_end = match authority.find(']') {
        Some(end) if authority.starts_with('[') => end + 1,
        _ if authority.matches(':').count() > 1 => {
            let hint = "an IPv6 address stands in brackets: `[::1]:80`".to_owned();
            return Err(Wrong { hint: Some(hint), ..HOST_AND_PORT });
        }
        _ => authority.find(':').unwrap_or(authority.len()),
    };
    match authority.split_at(host_end) {
        (host, "") => Ok((host, None)),
        (host, behind) => match behind.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None => Err(HOST_AND_PORT),
        },
    }
}

/// A port in plain digits: `str::parse` takes a leading `+`, a port does not.
fn port_number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

/// The options that say by which prefix an upstream knows the paths.
const PREFIXES: [&str; 2] = ["strip_prefix", "add_prefix"];

/// Says where one of them stands without what it needs.
pub(super) fn prefixes_fit(layers: Layers<'_>, at: &At<'_>, report: &mut Report) {
    let own = layers.own;
    for key in PREFIXES {
        if own.get(key).is_some_and(|given| *given != Checked::Flag(false)) && !own.has("proxy") {
            let hint = format!("`{key}` belongs to the `proxy` of the same table");
            report.fault(&at.key(key), "a `proxy` beside it", None, hint);
        }
    }
    let strips_its_own = own.get("strip_prefix") == Some(&Checked::Flag(true));
    if strips_its_own && own.has("proxy") && layers.mount.is_none() {
        let hint = "only a mount has a prefix of its own".to_owned();
        let expected = "the path that is taken away";
        report.fault(&at.key("strip_prefix"), expected, "`true`".to_owned(), hint);
    }
}

/// By which prefix the upstreams of a layer know the paths, if by another one than clients do.
pub(super) fn prefix_rule(own: Layers<'_>) -> Option<PrefixRule> {
    let strip = match own.get("strip_prefix") {
        Some(Checked::Flag(true)) => own.mount.map_or("", |mount| &mount.prefix),
        Some(Checked::Word(path)) => path,
        _ => "",
    };
    let add = own.word("add_prefix").unwrap_or_default();
    (!strip.is_empty() || !add.is_empty()).then(|| PrefixRule::new(strip, add))
}
