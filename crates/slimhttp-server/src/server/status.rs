//! What a server says of itself, to whoever has started it.

use std::net::SocketAddr;
use std::sync::Arc;

use slimhttp_site::site::Site;

use crate::net::listeners::OpenListener;

/// What is served, and where.
pub(super) fn status(site: &Site, listeners: &[Arc<OpenListener>]) -> String {
    let is_for_every_network = |open: &Arc<OpenListener>| {
        open.bound().first().is_some_and(|bound| bound.ip().is_unspecified())
    };
    let networks = match listeners.iter().any(is_for_every_network) {
        true => ", for every network",
        false => "",
    };
    let places: Vec<_> = listeners.iter().map(|open| place(open)).collect();
    format!("serves {} at {}{networks}", summary(site), places.join(" and "))
}

/// What a site serves, in a few words.
fn summary(site: &Site) -> String {
    // What a mount at `/` has, nothing else answers.
    let options = &site.global.at(b"/").options;
    let mut parts = Vec::new();
    if let Some(app) = &options.app {
        parts.push(app.application.spec.reference.to_string());
    } else if let Some(proxy) = &options.proxy {
        let first = &proxy.upstreams[0];
        parts.push(format!("what {}:{} answers", first.host, first.port));
    } else if let Some(module) = &options.module {
        parts.push(module.path.display().to_string());
    } else if let Some(root) = &options.web_root {
        parts.push(root.display().to_string());
    }
    match site.hosts.len() {
        0 => {}
        1 => parts.push("1 virtual host".into()),
        count => parts.push(format!("{count} virtual hosts")),
    }
    parts.join(" and ")
}

/// A listener as a client on this machine would name it.
fn place(listener: &OpenListener) -> String {
    let rules = listener.rules();
    let Some(bound) = listener.bound().first() else { return rules.to_string() };
    let scheme = if rules.tls { "https" } else { "http" };
    format!("{scheme}://{}/", authority(*bound))
}

/// Host and port as a client on this machine would use them in a URL.
fn authority(address: SocketAddr) -> String {
    let port = address.port();
    match address.ip().to_canonical() {
        ip if ip.is_unspecified() || ip.is_loopback() => format!("localhost:{port}"),
        std::net::IpAddr::V6(ip) => format!("[{ip}]:{port}"),
        ip @ std::net::IpAddr::V4(_) => format!("{ip}:{port}"),
    }
}
