//! Reads `dns` of `acme`: who sets the records of dns-01, and how it is seen that they are there.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use super::super::plain::{Plain, given, known_keys, list, read_key, shown, text};
use super::super::read::path_of;
use super::super::report::{At, Report};
use super::{PATIENCE, secret, word};
use crate::config::options::Shape;
use crate::config::value::{Table, Value};
use crate::protocol::authority::Authority;
use crate::site::acme::{DnsOptions, DnsUpdate, DnsWay, TsigAlgorithm, TsigKey};

/// The keys of `dns`.
const DNS_KEYS: &[&str] = &[
    "program",
    "server",
    "zone",
    "key_name",
    "key",
    "algorithm",
    "ttl",
    "timeout",
    "propagation_timeout",
    "resolvers",
];
/// The keys of `dns` that are about updates, and say nothing without `server`.
const UPDATE_KEYS: [&str; 5] = ["zone", "key_name", "key", "algorithm", "ttl"];
const ALGORITHMS: &[(&str, TsigAlgorithm)] = &[
    ("hmac-sha256", TsigAlgorithm::HmacSha256),
    ("hmac-sha384", TsigAlgorithm::HmacSha384),
    ("hmac-sha512", TsigAlgorithm::HmacSha512),
];
/// The port of DNS.
const DNS_PORT: u16 = 53;

/// A program, or a table.
pub(super) fn dns(
    value: &Value,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<DnsOptions> {
    let table = match value {
        Value::Table(table) => table,
        Value::String(_) => {
            let way = DnsWay::Program(path_of(value, base, at, report)?);
            return Some(DnsOptions { way: Some(way), ..DnsOptions::default() });
        }
        _ => {
            let expected = "the path of a program, or a table of `server` and its key";
            report.fault(at, expected, value.described(), None);
            return None;
        }
    };
    known_keys(table, DNS_KEYS, at, report);
    let mut options = DnsOptions::default();
    let program = given(table, "program");
    let program = program.map(|value| path_of(value, base, &at.key("program"), report));
    let update = given(table, "server").map(|value| update(table, value, at, report));
    if program.is_some() && update.is_some() {
        let hint = "leave out one of the two".to_owned();
        report.fault(&at.key("program"), "`program` or `server`", "both".to_owned(), hint);
    } else if update.is_none()
        && let Some(key) = UPDATE_KEYS.into_iter().find(|key| given(table, key).is_some())
    {
        report.fault(&at.key("server"), format!("a server beside `{key}`"), None, None);
    }
    options.way = match (program, update) {
        (Some(program), _) => program.map(DnsWay::Program),
        (None, update) => update.flatten().map(DnsWay::Update),
    };
    if let Some(Plain::Seconds(seconds)) = read_key(table, "timeout", PATIENCE, at, report) {
        options.timeout = seconds;
    }
    let propagation = Shape::SecondsOrOff { most: 3600.0 };
    if let Some(Plain::Seconds(seconds)) =
        read_key(table, "propagation_timeout", propagation, at, report)
    {
        options.propagation_timeout = seconds;
    }
    if let Some(value) = given(table, "resolvers") {
        let at = at.key("resolvers");
        let read = match value {
            Value::List(items) => list(items, &at, report, resolver),
            value => resolver(value, &at, report).map(|resolver| vec![resolver]),
        };
        options.resolvers = read.unwrap_or_default();
    }
    Some(options)
}

/// Who is asked for records: an address, with or without a port.
fn resolver(value: &Value, at: &At<'_>, report: &mut Report) -> Option<SocketAddr> {
    const EXPECTED: &str = "an address such as `9.9.9.9` or `[2620:fe::fe]:53`";
    let text = text(value, EXPECTED, at, report)?;
    let alone = || text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, DNS_PORT));
    let read = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0).or_else(alone);
    if read.is_none() {
        report.fault(at, EXPECTED, shown(text), None);
    }
    read
}

fn update(table: &Table, server: &Value, at: &At<'_>, report: &mut Report) -> Option<DnsUpdate> {
    const EXPECTED: &str = "a server such as `ns1.example.com` or `127.0.0.1:53`";
    let before = report.faults.len();
    let here = at.key("server");
    let host = text(server, EXPECTED, &here, report).and_then(|text| {
        let authority = match text.parse::<IpAddr>() {
            Ok(address) => Some((address.to_string(), DNS_PORT)),
            Err(_) => Authority::parse_configured(text.as_bytes()).map(|authority| {
                let host = authority.host.trim_start_matches('[').trim_end_matches(']');
                (host.to_owned(), authority.port.unwrap_or(DNS_PORT))
            }),
        };
        let authority = authority.filter(|(_, port)| *port != 0);
        if authority.is_none() {
            report.fault(&here, EXPECTED, shown(text), None);
        }
        authority
    });
    let zone = given(table, "zone")
        .and_then(|value| name(value, "a zone such as `example.com`", &at.key("zone"), report));
    let key = tsig_key(table, at, report);
    let ttl =
        match read_key(table, "ttl", Shape::WholeNumber { least: 1, most: 86_400 }, at, report) {
            Some(Plain::Number(ttl)) => u32::try_from(ttl).ok()?,
            _ => 60,
        };
    if report.faults.len() > before {
        return None;
    }
    let (host, port) = host?;
    Some(DnsUpdate { host: host.into(), port, zone, key, ttl })
}

/// `key_name` and `key` belong together.
fn tsig_key(table: &Table, at: &At<'_>, report: &mut Report) -> Option<TsigKey> {
    let expected = "what the server calls the key, such as `acme-update`";
    let name =
        given(table, "key_name").map(|value| name(value, expected, &at.key("key_name"), report));
    let secret = given(table, "key")
        .map(|value| secret(value, "a key in base64", is_base64, &at.key("key"), report));
    let algorithm = match given(table, "algorithm") {
        Some(value) => word(ALGORITHMS, value, &at.key("algorithm"), report)?,
        None => TsigAlgorithm::HmacSha256,
    };
    match (name, secret) {
        (Some(name), Some(secret)) => Some(TsigKey { name: name?, algorithm, secret: secret? }),
        (None, None) => None,
        (name, _) => {
            let missing = if name.is_none() { "key_name" } else { "key" };
            let hint = "`key_name` and `key` belong together".to_owned();
            report.fault(&at.key(missing), "a key of the server", None, hint);
            None
        }
    }
}

/// A name in the DNS, underscores allowed.
fn name(value: &Value, expected: &str, at: &At<'_>, report: &mut Report) -> Option<Arc<str>> {
    let text = text(value, expected, at, report)?;
    match Authority::parse_configured(text.as_bytes()) {
        Some(Authority { host, port: None }) if !host.contains(':') => Some(host.into()),
        _ => {
            report.fault(at, expected, shown(text), None);
            None
        }
    }
}

/// RFC 4648 section 4.
fn is_base64(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !bare.is_empty()
        && bare.bytes().all(fits)
        && text.len().is_multiple_of(4)
        && text.len() - bare.len() < 3
}
