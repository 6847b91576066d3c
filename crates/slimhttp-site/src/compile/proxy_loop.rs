//! Proxy loops (C7.4): upstreams that lead back to this server, straight or through
//! other servers of this very process. A loop through a foreign server is found at run
//! time only, by `Via`.
//!
//! A request keeps its `Host` on the way, so a loop is a property of a scope and a host
//! name: the name is followed from server to server until it arrives here again. With it
//! goes a path that no other mount of the scope has, as each proxy forwards it: a request
//! that comes to another scope of this server has not gone round.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::CompileEnv;
use super::report::{At, Report};
use crate::config::value::{Table, Value};
use crate::routing::host::{HostKey, HostTable};
use crate::site::listener::{FirstListener, Listener};
use crate::site::{Proxy, Scope, Site, Upstream};

/// A label that no key of any site has: it stands for all that are not named.
const UNNAMED: &str = "\0";

/// A name and port as a client's `Host` gives them. Without a port it is the
/// one that is connected to.
#[derive(Clone, Debug)]
struct HostName {
    host: Arc<str>,
    port: Option<u16>,
}

/// A loop, from the scope in which it begins.
struct ProxyLoop {
    /// Which of the scope's upstreams leads back.
    upstream: usize,
    /// The hops, for a person: "`a:1` → `b:2` → this server".
    hops: String,
}

/// The scopes of a site that is being compiled.
#[derive(Clone, Copy)]
pub(super) struct LoopSearch<'c> {
    pub(super) global: &'c Arc<Scope>,
    pub(super) hosts: &'c HostTable<Arc<Scope>>,
    pub(super) listeners: &'c [Arc<Listener>],
    pub(super) env: &'c CompileEnv<'c>,
    pub(super) previous: Option<&'c Site>,
}

/// Which server an upstream is.
enum NextHop {
    /// This one.
    This,
    /// Another one of this process, and its site in force.
    Local(Arc<Site>),
    /// One of another process or machine.
    Foreign,
}

impl LoopSearch<'_> {
    /// Reports the loops that requests for `names` and those for `mounts` run into,
    /// each once, where its upstream is written: in the mount or the virtual host or,
    /// inherited, above. `None` is any host that no key names.
    pub(super) fn report<'n>(
        self,
        names: impl Iterator<Item = Option<&'n HostKey>>,
        mounts: impl Iterator<Item = &'n Arc<Scope>>,
        written: &Table,
        report: &mut Report,
    ) {
        let of_names = names.filter_map(|name| self.find(name, None));
        let of_mounts = mounts.filter_map(|mount| {
            let name = mount.name.as_deref().map(HostKey::parse).transpose().ok()?;
            self.find(name.as_ref(), Some(mount))
        });
        let mut reported = HashSet::new();
        for (scope, proxy_loop) in of_names.chain(of_mounts) {
            at_proxy(&scope, written, |at, value| {
                let at = match value {
                    Some(Value::List(_)) => at.index(proxy_loop.upstream),
                    _ => at,
                };
                if reported.insert(at.place()) {
                    let hint =
                        "a request keeps its host name on the way, so it would go round for ever";
                    let expected = "an upstream that does not lead back here";
                    report.fault(&at, expected, proxy_loop.hops, hint.to_owned());
                }
            });
        }
    }

    /// The loop that a request for `key` runs into, or for a mount there, with the scope in which
    /// it begins. `None` as the key is any host that no key names.
    fn find(
        self,
        key: Option<&HostKey>,
        mount: Option<&Arc<Scope>>,
    ) -> Option<(Arc<Scope>, ProxyLoop)> {
        let first = match key {
            None => self.named(false, UNNAMED, None),
            Some(HostKey { wildcard, name, port }) => self.named(*wildcard, name, *port),
        };
        let open = key.is_none_or(|key| key.wildcard);
        let scope = mount.unwrap_or_else(|| self.scope_for(&first, self.env.listener.port));
        scope.options.proxy.as_ref()?;
        let path = format!("{}/{UNNAMED}", scope.prefix());
        // A scope of many names also has those by which other sites tell them
        // apart; each site that is reached adds the names it forwards.
        let mut names = vec![first];
        let mut reached = HashSet::new();
        while let Some(name) = names.pop() {
            let mut walk = Walk {
                search: self,
                name: &name,
                way: Vec::new(),
                passed: HashSet::new(),
                sites: Vec::new(),
            };
            if let Some(proxy_loop) = walk.from(scope, &path) {
                return Some((Arc::clone(scope), proxy_loop));
            }
            for site in walk.sites.into_iter().filter(|_| open) {
                if !reached.insert(Arc::as_ptr(&site)) {
                    continue;
                }
                let forwards =
                    |scope: &Scope| scope.options.proxy.is_some() || scope.mounts.forward();
                let forwarded = site
                    .hosts
                    .iter()
                    .filter(|(_, scope)| forwards(scope))
                    .map(|(key, _)| self.named(key.wildcard, &key.name, key.port));
                let is_ours = |name: &HostName| {
                    let reached = self.scope_for(name, self.env.listener.port);
                    Arc::ptr_eq(reached.at(path.as_bytes()), scope)
                };
                names.extend(forwarded.filter(is_ours));
            }
        }
        None
    }

    /// How a client names a host that comes to this site first.
    fn named(self, below: bool, name: &str, port: Option<u16>) -> HostName {
        let FirstListener { tls, port: ours, .. } = *self.env.listener;
        // RFC 9110 section 4.2: the default port is left out.
        let usual = if tls { 443 } else { 80 };
        HostName {
            host: if below { format!("{UNNAMED}.{name}").into() } else { name.into() },
            port: port.or((ours != usual).then_some(ours)),
        }
    }

    /// The scope of this site that answers for `name` to who connects to `port`.
    fn scope_for(&self, name: &HostName, port: u16) -> &Arc<Scope> {
        self.hosts.find(&name.host, name.port.unwrap_or(port)).unwrap_or(self.global)
    }

    fn next_hop(&self, upstream: &Upstream) -> NextHop {
        let Upstream { host, port, .. } = upstream;
        let is_ours = |listener: &Arc<Listener>| listener.is_reached_by(host, *port);
        if self.env.listener.is_reached_by(host, *port)
            || self.listeners.iter().skip(1).any(is_ours)
        {
            return NextHop::This;
        }
        match (self.env.local_site)(&upstream.host, upstream.port) {
            None => NextHop::Foreign,
            // The options of a server belong to one instance, so the site in
            // force that bears ours is the one that this change replaces.
            Some(site)
                if self.previous.is_some_and(|own| Arc::ptr_eq(&own.service, &site.service)) =>
            {
                NextHop::This
            }
            Some(site) => NextHop::Local(site),
        }
    }
}

/// The search for one name.
struct Walk<'w> {
    search: LoopSearch<'w>,
    name: &'w HostName,
    /// The scopes of this site on the way to where it is.
    way: Vec<*const Scope>,
    /// The scopes that were followed; what they lead to is known.
    passed: HashSet<*const Scope>,
    /// The sites that were reached.
    sites: Vec<Arc<Site>>,
}

impl Walk<'_> {
    /// Follows every upstream of `scope`, to which `path` belongs. To arrive at a scope of this
    /// site from which it was followed is to have gone round.
    fn from(&mut self, scope: &Scope, path: &str) -> Option<ProxyLoop> {
        let proxy = scope.options.proxy.as_ref()?;
        if !self.passed.insert(scope) {
            return None;
        }
        let path = sent_on(proxy, path);
        self.way.push(scope);
        let found = proxy.upstreams.iter().enumerate().find_map(|(position, upstream)| {
            let hops = format!("{} → {}", shown(upstream), self.behind(upstream, &path)?);
            Some(ProxyLoop { upstream: position, hops })
        });
        self.way.pop();
        found
    }

    /// What is behind an upstream, if that leads to a loop.
    fn behind(&mut self, upstream: &Upstream, path: &str) -> Option<String> {
        let (search, name) = (self.search, self.name);
        match search.next_hop(upstream) {
            NextHop::Foreign => None,
            NextHop::This => {
                let scope = search.scope_for(name, upstream.port).at(path.as_bytes());
                if self.way.contains(&Arc::as_ptr(scope)) {
                    return Some("this server".to_owned());
                }
                self.from(scope, path).map(|proxy_loop| proxy_loop.hops)
            }
            NextHop::Local(site) => {
                let port = name.port.unwrap_or(upstream.port);
                let scope = site.scope_for(&name.host, port).at(path.as_bytes());
                let proxy_loop = self.from(scope, path);
                self.sites.push(site);
                proxy_loop.map(|proxy_loop| proxy_loop.hops)
            }
        }
    }
}

/// A path as a proxy forwards it.
fn sent_on<'p>(proxy: &Proxy, path: &'p str) -> Cow<'p, str> {
    match &proxy.prefix {
        None => path.into(),
        Some(rule) => rule.apply_decoded(path),
    }
}

/// Calls `report` with the place of the proxy of a scope, which it has itself or inherits, and
/// what is written there.
fn at_proxy(scope: &Scope, written: &Table, report: impl FnOnce(At<'_>, Option<&Value>)) {
    fn proxy(table: &Table) -> Option<&Value> {
        table.get("proxy").filter(|value| !value.is_null())
    }
    let root = At::root();
    let (vhosts, host) = (root.key("vhosts"), scope.name.as_deref().unwrap_or_default());
    let host_at = vhosts.key(host);
    let of_host = written
        .get("vhosts")
        .filter(|_| scope.name.is_some())
        .and_then(|vhosts| vhosts.as_table()?.get(host)?.as_table());
    if let Some(mount) = &scope.mount {
        // The table in which it stands: that of the host, unless it has none.
        let (mounts, at) = match of_host.and_then(|table| table.get("mounts")?.as_table()) {
            Some(mounts) => (Some(mounts), host_at.key("mounts")),
            None => (written.get("mounts").and_then(Value::as_table), root.key("mounts")),
        };
        if let Some(value) = mounts.and_then(|mounts| proxy(mounts.get(&mount.key)?.as_table()?)) {
            return report(at.key(&mount.key).key("proxy"), Some(value));
        }
    }
    match of_host.and_then(proxy) {
        Some(value) => report(host_at.key("proxy"), Some(value)),
        None => report(root.key("proxy"), proxy(written)),
    }
}

fn shown(upstream: &Upstream) -> String {
    let Upstream { host, port, .. } = upstream;
    if host.contains(':') { format!("`[{host}]:{port}`") } else { format!("`{host}:{port}`") }
}
