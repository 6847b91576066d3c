//! The option `listen`: each entry by itself, and what the list and the listener of the start
//! come to together (C10.1).

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::layer::Layers;
use super::plain::{self, Plain, given, known_keys, shown};
use super::read::{self, Checked};
use super::report::{At, Report};
use crate::config::Config;
use crate::config::options::{LISTEN_KEYS, Shape};
use crate::config::value::{Table, Value};
use crate::routing::host::HostKey;
use crate::site::listener::{Drain, Endpoint, FirstListener, Listener, SocketFile};

/// An entry of the list. From whom the PROXY protocol comes may depend on another option.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    listener: Listener,
    proxy_protocol: ProxyProtocol,
}

/// What an entry says of the PROXY protocol.
#[derive(Clone, Debug, PartialEq)]
enum ProxyProtocol {
    /// Nobody speaks it.
    Off,
    /// Those whom `trusted_proxies` names.
    FromTrusted,
    /// These.
    From(Vec<IpNet>),
}

/// What an entry expects where its text is wrong.
const EXPECTED: &str = "`http://ADDR:PORT`, `https://ADDR:PORT`, `unix:PATH` or `fd:NAME`";

/// The first entry of `listen`, where it is one. For whoever opens the first listener, before
/// anything is compiled.
pub fn first_listed(config: &Config, base: &Path) -> Option<Listener> {
    listed(config, base).into_iter().next()?
}

/// Every entry of `listen`, but for its `proxy_protocol`; `None` where it is none, which
/// [`compile`](super::compile) explains.
pub fn listed(config: &Config, base: &Path) -> Vec<Option<Listener>> {
    let read = |value| {
        let entry = entry(value, base, &At::root(), &mut Report::default())?;
        Some(entry.listener)
    };
    match config.root().get("listen") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(items)) => items.iter().map(read).collect(),
        Some(value) => vec![read(value)],
    }
}

/// Reads every entry of a list, which may be empty.
pub(super) fn entries(
    items: &[Value],
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Vec<Entry>> {
    let read: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(index, value)| entry(value, base, &at.index(index), report))
        .collect();
    read.into_iter().collect()
}

/// Reads one entry: a text, or a table with more to it.
pub(super) fn entry(value: &Value, base: &Path, at: &At<'_>, report: &mut Report) -> Option<Entry> {
    match value {
        Value::String(text) => {
            let (endpoint, tls) = endpoint(text, base, at, report)?;
            let listener = Listener::new(endpoint, tls.unwrap_or(false));
            Some(Entry { listener, proxy_protocol: ProxyProtocol::Off })
        }
        Value::Table(table) => described(table, base, at, report),
        other => {
            report.fault(at, format!("{EXPECTED}, or a table"), other.described(), None);
            None
        }
    }
}

fn described(table: &Table, base: &Path, at: &At<'_>, report: &mut Report) -> Option<Entry> {
    let known = known_keys(table, LISTEN_KEYS, at, report);
    let address_at = at.key("address");
    let written = match given(table, "address") {
        Some(value) => plain::text(value, EXPECTED, &address_at, report)
            .and_then(|text| endpoint(text, base, &address_at, report)),
        None => {
            report.fault(&address_at, EXPECTED, None, None);
            None
        }
    };
    let mut flag = |key| match plain::read_key(table, key, Shape::Bool, at, report) {
        Some(Plain::Flag(flag)) => Some(flag),
        _ => None,
    };
    let (tls, h2c, reuse_port) = (flag("tls"), flag("h2c"), flag("reuse_port"));
    let proxy_protocol = proxy_protocol(table, at, report)?;
    let drain = drain(table, at, report)?;
    let socket_file = socket_file(table, at, report)?;
    let (endpoint, by_scheme) = written.filter(|_| known)?;
    if let (Some(by_scheme), Some(said)) = (by_scheme, tls)
        && by_scheme != said
    {
        let scheme = if said { "https" } else { "http" };
        let hint = format!("write `{scheme}://` and leave `tls` out");
        let expected = format!("`{by_scheme}`, as the scheme of `address` says");
        report.fault(&at.key("tls"), expected, format!("`{said}`"), hint);
    }
    let of_file = ["mode", "owner", "group"].into_iter().find(|key| given(table, key).is_some());
    if let (Some(key), false) = (of_file, matches!(endpoint, Endpoint::Unix(_))) {
        let expected = "`unix:PATH` as `address`, whose file it is about";
        report.fault(&at.key(key), expected, format!("`{endpoint}`"), None);
    }
    if reuse_port == Some(true) && !matches!(endpoint, Endpoint::Tcp { .. }) {
        let expected = "an address and a port, which several processes may share";
        report.fault(&at.key("reuse_port"), expected, format!("`{endpoint}`"), None);
    }
    let tls = by_scheme.or(tls).unwrap_or(false);
    if h2c == Some(true) && tls {
        let hint = "with TLS, HTTP/2 is agreed on by ALPN".to_owned();
        report.fault(&at.key("h2c"), "a listener without TLS", format!("`{endpoint}`"), hint);
    }
    let listener = Listener {
        h2c: h2c.unwrap_or(false),
        reuse_port: reuse_port.unwrap_or(false),
        drain,
        socket_file,
        ..Listener::new(endpoint, tls)
    };
    Some(Entry { listener, proxy_protocol })
}

/// What stands under `proxy_protocol`; `None` where it is wrong.
fn proxy_protocol(table: &Table, at: &At<'_>, report: &mut Report) -> Option<ProxyProtocol> {
    let at = at.key("proxy_protocol");
    Some(match given(table, "proxy_protocol") {
        None | Some(Value::Bool(false)) => ProxyProtocol::Off,
        Some(Value::Bool(true)) => ProxyProtocol::FromTrusted,
        Some(value @ Value::String(_)) => {
            ProxyProtocol::From(vec![read::network(value, &at, report)?])
        }
        Some(Value::List(items)) => {
            ProxyProtocol::From(plain::list(items, &at, report, read::network)?)
        }
        Some(other) => {
            let expected = "`true`, `false`, an address, a network, or a list of these";
            report.fault(&at, expected, other.described(), None);
            return None;
        }
    })
}

/// What becomes of its connections when it is closed; `None` where that is wrong.
fn drain(table: &Table, at: &At<'_>, report: &mut Report) -> Option<Drain> {
    match given(table, "drain") {
        None | Some(Value::Bool(true)) => Some(Drain::Finish),
        Some(Value::Bool(false)) => Some(Drain::Leave),
        Some(value) => match plain::read(DRAIN_TIME, value, &at.key("drain"), report)? {
            Plain::Seconds(seconds) => Some(Drain::Within(seconds)),
            _ => None,
        },
    }
}

/// How long connections of a closed listener may take to end.
const DRAIN_TIME: Shape = Shape::Seconds { least: 0.0, most: 31_536_000.0 };

/// Who may open the socket; `None` where something about it is wrong.
fn socket_file(table: &Table, at: &At<'_>, report: &mut Report) -> Option<SocketFile> {
    let mut file = SocketFile::default();
    let account = |key: &str, report: &mut Report| match given(table, key) {
        None => Some(None),
        Some(Value::String(name)) if !name.trim().is_empty() => Some(Some(name.trim().into())),
        Some(other) => {
            report.fault(&at.key(key), Shape::Account.to_string(), other.described(), None);
            None
        }
    };
    let (owner, group) = (account("owner", report), account("group", report));
    if let Some(value) = given(table, "mode") {
        let bits = value.as_str().and_then(|text| u32::from_str_radix(text.trim(), 8).ok());
        let Some(bits) = bits.filter(|bits| *bits <= 0o777) else {
            let hint = match value {
                // Which base is meant is not known.
                Value::Integer(_) => Some("write the digits in quotes: `'660'`".to_owned()),
                _ => None,
            };
            let expected = "a text of octal digits, such as `660`";
            report.fault(&at.key("mode"), expected, value.described(), hint);
            return None;
        };
        file.mode = bits;
    }
    Some(SocketFile { owner: owner?, group: group?, ..file })
}

/// Reads an endpoint, and whether its scheme says that TLS is spoken there.
fn endpoint(
    text: &str,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<(Endpoint, Option<bool>)> {
    let text = text.trim();
    if let Some(path) = text.strip_prefix("unix:") {
        if path.starts_with('@') {
            let hint = "sockets without a file cannot be protected; name a path".to_owned();
            report.fault(at, "a path behind `unix:`", shown(text), hint);
            return None;
        }
        let path = read::path(path, base, at, report)?;
        return Some((Endpoint::Unix(path.into()), None));
    }
    if let Some(name) = text.strip_prefix("fd:") {
        // systemd.socket(5), FileDescriptorName=.
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
        };
        if !is_name(name) {
            let expected = "the name of a socket behind `fd:`, as its unit has it";
            report.fault(at, expected, shown(text), None);
            return None;
        }
        return Some((Endpoint::Inherited(name.into()), None));
    }
    let (tls, authority) = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
        _ => {
            let hint = tcp(text, 80)
                .map(|endpoint| format!("write `http://{endpoint}` or `https://{endpoint}`"));
            report.fault(at, EXPECTED, shown(text), hint);
            return None;
        }
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let Some(endpoint) = tcp(authority, if tls { 443 } else { 80 }) else {
        report.fault(at, EXPECTED, shown(text), misread(text, authority));
        return None;
    };
    Some((endpoint, Some(tls)))
}

/// `ADDR:PORT`, either of which may be left out.
fn tcp(authority: &str, usual_port: u16) -> Option<Endpoint> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None => usual_port,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    let is_host = |host: &str| {
        let key = HostKey::parse(host).ok();
        key.is_some_and(|key| !key.wildcard && key.port.is_none())
    };
    let is_bracketed = authority.starts_with('[');
    (host.is_empty() || is_bracketed || (!host.contains(':') && is_host(host)))
        .then(|| Endpoint::tcp(host, port))
}

/// What is meant by a URL that names no place to listen, where that is likely.
fn misread(text: &str, authority: &str) -> Option<String> {
    if let Some(port) = authority.strip_prefix("*:") {
        let scheme = text.split("://").next().unwrap_or_default();
        return Some(format!("every interface is `{scheme}://:{port}`"));
    }
    if authority.contains(['/', '?', '#', '@']) {
        return Some("a listener has no path: `mounts` and `vhosts` say what answers there".into());
    }
    let colons = authority.bytes().filter(|byte| *byte == b':').count();
    (colons > 1 && !authority.starts_with('['))
        .then(|| "an IPv6 address stands in brackets: `http://[::1]:80`".into())
}

/// Where the instance listens: the listener of the start, first, and all others that the list
/// names. What the list says of the first holds for it, but for what is fixed.
pub(super) fn listeners(
    layers: Layers<'_>,
    first: &FirstListener,
    at: &At<'_>,
    report: &mut Report,
) -> Arc<[Arc<Listener>]> {
    let own = Listener::new(first.endpoint.clone(), first.tls);
    let Some(Checked::Listen(entries)) = layers.get("listen") else { return [own.into()].into() };
    let at = at.key("listen");
    let mut all: Vec<Arc<Listener>> = vec![own.into()];
    let mut seen = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = at.index(index);
        let listener = with_proxies(entry, layers, &at, report);
        let is_free_port = matches!(listener.endpoint, Endpoint::Tcp { port: 0, .. });
        let is_seen = seen.contains(&first.endpoint);
        // Every free port is another one, but for the first of them.
        let is_first = first.is(&listener.endpoint) && !(is_free_port && is_seen);
        let endpoint = if is_first { &first.endpoint } else { &listener.endpoint };
        if !seen.insert(endpoint.clone()) && !is_free_port {
            report.fault(&at, "every listener once", format!("`{listener}` twice"), None);
        }
        if !is_first {
            all.push(listener.into());
            continue;
        }
        if listener.tls != first.tls {
            let hint = "the first listener is fixed at start: start the server anew to change it";
            let expected = format!("`{first}`, as it was started");
            report.fault(&at, expected, format!("`{listener}`"), hint.to_owned());
        }
        all[0] = Listener { endpoint: first.endpoint.clone(), tls: first.tls, ..listener }.into();
    }
    if first.is_listed && !seen.contains(&first.endpoint) {
        let hint = "the first listener is fixed at start: start the server anew to change it";
        let expected = format!("`{first}` among them, which it was started with");
        let found = match entries.len() {
            0 => "an empty list".to_owned(),
            count => format!("a list of {count} without it"),
        };
        report.fault(&at, expected, found, hint.to_owned());
    }
    all.into()
}

/// A listener with those from whom the PROXY protocol comes.
fn with_proxies(entry: &Entry, layers: Layers<'_>, at: &At<'_>, report: &mut Report) -> Listener {
    let networks: Option<Vec<IpNet>> = match &entry.proxy_protocol {
        ProxyProtocol::Off => None,
        ProxyProtocol::From(networks) => Some(networks.clone()),
        // Who may connect there is said by its file, and such clients have no address.
        ProxyProtocol::FromTrusted if matches!(entry.listener.endpoint, Endpoint::Unix(_)) => {
            Some(vec![IpNet::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST))])
        }
        ProxyProtocol::FromTrusted => match layers.get("trusted_proxies") {
            Some(Checked::Networks(networks)) if !networks.is_empty() => Some(networks.clone()),
            _ => {
                let hint = "name them in `trusted_proxies`, or here: `proxy_protocol = \
                            [\"10.0.0.0/8\"]`";
                let expected = "addresses from which it may come";
                let found = "`true`, and no `trusted_proxies`".to_owned();
                report.fault(&at.key("proxy_protocol"), expected, found, hint.to_owned());
                None
            }
        },
    };
    let proxy_protocol = networks.map(|networks| networks.into_iter().collect());
    Listener { proxy_protocol, ..entry.listener.clone() }
}
