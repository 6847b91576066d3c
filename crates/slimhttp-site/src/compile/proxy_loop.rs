//! Proxy loops (C7.4): upstreams that lead back to this server, straight or through
//! other servers of this very process. A loop through a foreign server is found at run
//! time only, by `Via`.
//!
//! A request keeps its `Host` on the way, so a loop is a property of a scope and a host
//! name: the name is followed from server to server until it arrives here again.

use std::collections::HashSet;

use std::sync::Arc;

use super::CompileEnv;
use super::report::{At, Report};
use crate::config::value::{Table, Value};
use crate::routing::host::{HostKey, HostTable};
use crate::site::{Listener, Scope, Site, Upstream};

/// A label that no key of any site has: it stands for all that are not named.
const UNNAMED: &str = "\0";

/// A name and port as a client's `Host` gives them. Without a port it is the
/// one of the listener that is asked.
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
    /// Reports the loops that requests for `names` run into, each once, where
    /// its upstream is written: in the virtual host or, inherited, above. `None`
    /// is any host that no key names.
    pub(super) fn report<'n>(
        self,
        names: impl Iterator<Item = Option<&'n HostKey>>,
        written: &Table,
        report: &mut Report,
    ) {
        let root = At::root();
        let vhosts = root.key("vhosts");
        let proxy = |table: &Table| table.get("proxy").filter(|value| !value.is_null()).cloned();
        let mut reported = HashSet::new();
        for (scope, proxy_loop) in names.filter_map(|name| self.find(name)) {
            let host = scope.name.as_deref().unwrap_or_default();
            let own = written
                .get("vhosts")
                .filter(|_| scope.name.is_some())
                .and_then(|vhosts| proxy(vhosts.as_table()?.get(host)?.as_table()?));
            let host = vhosts.key(host);
            let (at, value) = match own {
                Some(value) => (host.key("proxy"), Some(value)),
                None => (root.key("proxy"), proxy(written)),
            };
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
        }
    }

    /// The loop that a request for `key` runs into, with the scope in which
    /// it begins. `None` as the key is any host that no key names.
    fn find(self, key: Option<&HostKey>) -> Option<(Arc<Scope>, ProxyLoop)> {
        let first = match key {
            None => self.named(false, UNNAMED, None),
            Some(HostKey { wildcard, name, port }) => self.named(*wildcard, name, *port),
        };
        let open = key.is_none_or(|key| key.wildcard);
        let scope = self.scope_for(&first);
        scope.options.proxy.as_ref()?;
        // A scope of many names also has those by which other sites tell them
        // apart; each site that is reached adds the names it forwards.
        let mut names = vec![first];
        let mut reached = HashSet::new();
        while let Some(name) = names.pop() {
            let mut walk =
                Walk { search: self, name: &name, passed: HashSet::new(), sites: Vec::new() };
            if let Some(proxy_loop) = walk.from(scope) {
                return Some((Arc::clone(scope), proxy_loop));
            }
            for site in walk.sites.into_iter().filter(|_| open) {
                if !reached.insert(Arc::as_ptr(&site)) {
                    continue;
                }
                let forwarded = site
                    .hosts
                    .iter()
                    .filter(|(_, scope)| scope.options.proxy.is_some())
                    .map(|(key, _)| self.named(key.wildcard, &key.name, key.port));
                names.extend(forwarded.filter(|name| Arc::ptr_eq(self.scope_for(name), scope)));
            }
        }
        None
    }

    /// How a client names a host that comes to this site first.
    fn named(self, below: bool, name: &str, port: Option<u16>) -> HostName {
        let Listener { tls, port: ours, .. } = *self.env.listener;
        // RFC 9110 section 4.2: the default port is left out.
        let usual = if tls { 443 } else { 80 };
        HostName {
            host: if below { format!("{UNNAMED}.{name}").into() } else { name.into() },
            port: port.or((ours != usual).then_some(ours)),
        }
    }

    fn scope_for(&self, name: &HostName) -> &Arc<Scope> {
        let port = name.port.unwrap_or(self.env.listener.port);
        self.hosts.find(&name.host, port).unwrap_or(self.global)
    }

    fn next_hop(&self, upstream: &Upstream) -> NextHop {
        if self.env.listener.is_reached_by(&upstream.host, upstream.port) {
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
    /// The scopes that were followed; what they lead to is known.
    passed: HashSet<*const Scope>,
    /// The sites that were reached.
    sites: Vec<Arc<Site>>,
}

impl Walk<'_> {
    /// Follows every upstream of `scope`. To arrive at this site is to have
    /// gone round, for here the name picks the scope that it set out from.
    fn from(&mut self, scope: &Scope) -> Option<ProxyLoop> {
        let proxy = scope.options.proxy.as_ref()?;
        if !self.passed.insert(scope) {
            return None;
        }
        for (position, upstream) in proxy.upstreams.iter().enumerate() {
            let behind = match self.search.next_hop(upstream) {
                NextHop::This => Some("this server".to_owned()),
                NextHop::Foreign => None,
                NextHop::Local(site) => {
                    let scope =
                        site.scope_for(&self.name.host, self.name.port.unwrap_or(site.port));
                    let proxy_loop = self.from(scope);
                    self.sites.push(site);
                    proxy_loop.map(|proxy_loop| proxy_loop.hops)
                }
            };
            if let Some(behind) = behind {
                return Some(ProxyLoop {
                    upstream: position,
                    hops: format!("{} → {behind}", shown(upstream)),
                });
            }
        }
        None
    }
}

fn shown(upstream: &Upstream) -> String {
    let Upstream { host, port, .. } = upstream;
    if host.contains(':') { format!("`[{host}]:{port}`") } else { format!("`{host}:{port}`") }
}
