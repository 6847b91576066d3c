//! The scopes of the virtual hosts: those that a change concerns are compiled,
//! the others are carried over by reference.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use imbl::ordmap::DiffItem;

use super::files::same;
use super::layer::{Layer, Layers, Level};
use super::mounts::{self, Around, GlobalMounts};
use super::report::{At, Report};
use super::routes::{Routes, SharedTable, Spelled};
use super::{CompileEnv, Previous, scope, tls};
use crate::config::value::{Table, Value};
use crate::routing::host::{HostKey, HostTable};
use crate::routing::route::RouteTable;
use crate::site::mounts::Mounts;
use crate::site::tls::OwnTls;
use crate::site::{Proxy, Scope, ScopeOptions};

/// What the virtual hosts are made of.
pub(super) struct Hosts<'h> {
    pub(super) vhosts: &'h Table,
    pub(super) routes: &'h Routes,
    pub(super) env: &'h CompileEnv<'h>,
    /// Whether TLS is spoken anywhere.
    pub(super) speaks_tls: bool,
    /// What they inherit, as written and as a scope.
    pub(super) layers: Layers<'h>,
    pub(super) global: &'h Arc<Scope>,
    /// The mounts at the global level, which a virtual host has that gives none itself.
    pub(super) mounts: Option<&'h Table>,
    pub(super) global_mounts: GlobalMounts<'h>,
    pub(super) previous: Option<Previous<'h>>,
}

/// The virtual hosts, compiled.
pub(super) struct Compiled {
    pub(super) table: HostTable<Arc<Scope>>,
    /// The keys that were compiled, or are gone.
    pub(super) touched: Vec<HostKey>,
    /// The mounts that were compiled.
    pub(super) mounts: Vec<Arc<Scope>>,
}

/// An entry of `vhosts`.
type Written<'h> = (&'h Arc<str>, &'h Table);

/// The entries to compile, each under its key; `None` where the entry did not
/// change (but its routes did), or there is none.
type Touched<'h> = BTreeMap<HostKey, Option<Written<'h>>>;

impl<'h> Hosts<'h> {
    /// Compiles every virtual host, or with `carry` those that changed only: what they inherit
    /// is the same then, but maybe the mounts.
    pub(super) fn compile(&self, carry: bool, at: &At<'_>, report: &mut Report) -> Compiled {
        let carried = self.previous.filter(|_| carry);
        let mut touched = Touched::new();
        match carried {
            None => {
                for (name, value) in self.vhosts {
                    self.touch(name, value, &mut touched, None, at, report);
                }
                for host in self.routes.hosts() {
                    touched.entry(host.clone()).or_default();
                }
            }
            Some(previous) => {
                self.changes_since(previous, &mut touched, at, report);
                for host in self.routes.hosts_changed_since(previous.routes) {
                    touched.entry(host.clone()).or_default();
                }
                self.inherit_mounts(previous, &mut touched);
            }
        }
        let mut table = carried.map(|previous| previous.site.hosts.clone()).unwrap_or_default();
        let mut mounts = Vec::new();
        for (key, written) in &touched {
            match self.host(key, *written, carry, at, report) {
                Some((scope, touched)) => {
                    mounts.extend(touched);
                    table.insert(key.clone(), scope)
                }
                None => table.remove(key),
            };
        }
        Compiled { table, touched: touched.into_keys().collect(), mounts }
    }

    /// Records the virtual hosts that have the mounts of the global level, where these differ.
    fn inherit_mounts(&self, previous: Previous<'_>, touched: &mut Touched<'_>) {
        let before = mounts::in_force(previous.site.config.root());
        let is_same = match (before, self.mounts) {
            (Some(before), Some(now)) => before.diff(now).next().is_none(),
            (before, now) => before.is_none() && now.is_none(),
        };
        if is_same {
            return;
        }
        for (key, scope) in previous.site.hosts.iter() {
            let table = scope.name.as_ref().and_then(|name| self.entry(name));
            if mounts::are_inherited(table) {
                touched.entry(key.clone()).or_default();
            }
        }
    }

    /// Collects the entries of `vhosts` that differ from those in force.
    fn changes_since(
        &self,
        previous: Previous<'h>,
        touched: &mut Touched<'h>,
        at: &At<'_>,
        report: &mut Report,
    ) {
        let none = Table::new();
        let before = vhosts(previous).unwrap_or(&none);
        let mut gone = Vec::new();
        // A table that both versions share is passed over as a whole.
        for item in before.diff(self.vhosts) {
            match item {
                DiffItem::Remove(name, _) => gone.push(name),
                DiffItem::Add(name, value) | DiffItem::Update { new: (name, value), .. } => {
                    self.touch(name, value, touched, Some(previous), at, report);
                }
            }
        }
        for name in gone {
            // It was compiled, so it is a host name (or was null, and none).
            if let Ok(key) = HostKey::parse(name) {
                touched.entry(key).or_default();
            }
        }
    }

    /// Records that an entry of `vhosts` is to be compiled; here its key is checked.
    fn touch(
        &self,
        name: &'h Arc<str>,
        value: &'h Value,
        touched: &mut Touched<'h>,
        carried: Option<Previous<'_>>,
        at: &At<'_>,
        report: &mut Report,
    ) {
        let at = at.key(name);
        let key = match HostKey::parse(name) {
            Ok(key) => key,
            Err(expected) => {
                let found = match &**name {
                    "" => "an empty name".to_owned(),
                    name => Value::from(name).to_string(),
                };
                report.fault(&at, expected, found, None);
                // What stands under it is looked at all the same, as below.
                if let Value::Table(table) = value {
                    self.look_at(table, &at, report);
                }
                return;
            }
        };
        let table = match value {
            Value::Table(table) => Some(table),
            Value::Null => None,
            other => {
                report.fault(&at, "a table of options", other.described(), None);
                None
            }
        };
        // Who has this key already: an entry that is carried over, or one just touched.
        let holder = carried
            .and_then(|previous| previous.site.hosts.get(&key)?.name.as_ref())
            .filter(|holder| *holder != name && self.entry(holder).is_some());
        let entry = touched.entry(key);
        let holder = match &entry {
            Entry::Occupied(taken) => taken.get().map(|(holder, _)| holder).or(holder),
            Entry::Vacant(_) => holder,
        };
        match (holder, table) {
            (Some(holder), Some(table)) => {
                let found = format!("{}, the host of `{holder}`", Value::from(&**name));
                report.fault(&at, "every host once", found, None);
                self.look_at(table, &at, report);
            }
            _ => {
                let written = entry.or_default();
                *written = written.or(table.map(|table| (name, table)));
            }
        }
    }

    /// Looks for faults in an entry of which nothing comes.
    fn look_at(&self, table: &Table, at: &At<'_>, report: &mut Report) {
        let (layer, _) = self.options(table, None, at, report);
        self.tls(&layer, None, table, None, at, report);
    }

    /// What stands in `vhosts` under this very spelling.
    fn entry(&self, name: &str) -> Option<&'h Table> {
        self.vhosts.get(name)?.as_table()
    }

    /// One virtual host, and the mounts of it that were compiled. `None` where there is none any
    /// more.
    fn host(
        &self,
        key: &HostKey,
        written: Option<Written<'h>>,
        carry: bool,
        at: &At<'_>,
        report: &mut Report,
    ) -> Option<(Arc<Scope>, Vec<Arc<Scope>>)> {
        let routes = self.routes.shared(Some(key));
        let before = self.previous.and_then(|Previous { site, routes }| {
            Some(Before { scope: site.hosts.get(key)?, routes: routes.shared(Some(key)) })
        });
        // With nothing newly written, the entry in force stays if it is still there.
        let in_force = before.filter(|_| carry).map(|before| before.scope);
        let stays = in_force
            .filter(|scope| scope.name.as_ref().is_some_and(|name| self.entry(name).is_some()));
        let scope_before = before.map(|before| before.scope);
        let (mut layer, mut tls) = (None, None);
        let (name, table, options) = match (written, stays) {
            (Some((name, table)), _) => {
                let at = at.key(name);
                let (read, options) = self.options(table, scope_before, &at, report);
                tls = self.tls(&read, Some(key), table, scope_before, &at, report);
                layer = Some(read);
                (Arc::clone(name), Some(table), options)
            }
            (None, Some(scope)) => {
                let name = Arc::clone(scope.name.as_ref()?);
                let table = self.entry(&name);
                tls = scope.tls.clone();
                (name, table, Arc::clone(&scope.options))
            }
            (None, None) => {
                // Routes alone make a virtual host, with the global options.
                routes?;
                let options = self.inherited(scope_before);
                (Spelled(key).to_string().into(), None, options)
            }
        };
        let mounts = self.mounts_of(&name, table, (layer, &options), scope_before, carry, report);
        let parts = Parts {
            name: Some(name),
            options,
            routes,
            mounts: mounts.mounts,
            are_mounts_same: mounts.are_same,
            tls,
            before,
        };
        Some((scope(parts), mounts.touched))
    }

    /// The mounts of a virtual host, its own or those of the global level. `layer` is what its
    /// table says, where that was read already.
    fn mounts_of(
        &self,
        name: &Arc<str>,
        table: Option<&Table>,
        (layer, options): (Option<Layer>, &Arc<ScopeOptions>),
        before: Option<&Arc<Scope>>,
        carry: bool,
        report: &mut Report,
    ) -> mounts::Compiled {
        let (root, vhosts) = (At::root(), "vhosts");
        let (vhosts, inherits) = (root.key(vhosts), mounts::are_inherited(table));
        let own = vhosts.key(name);
        let (mounts, at) = match table.filter(|_| !inherits) {
            Some(table) => (mounts::written(table, &own, report), own.key("mounts")),
            None => (self.mounts, root.key("mounts")),
        };
        let before = before.zip(self.previous).map(|(scope, previous)| {
            let then = scope.name.as_ref();
            let then = then.and_then(|name| self::vhosts(previous)?.get(name)?.as_table());
            let mounts = match then.filter(|_| !mounts::are_inherited(then)) {
                Some(then) => mounts::in_force(then),
                None => mounts::in_force(previous.site.config.root()),
            };
            // They are mounts of a scope of this name, which may be spelt otherwise by now.
            let is_same = carry
                && scope.name.as_ref() == Some(name)
                && mounts::are_same_but_mounts(then, table);
            mounts::Before { mounts: &scope.mounts, table: mounts, inherit_the_same: is_same }
        });
        if mounts.is_none_or(Table::is_empty)
            && before.is_none_or(|before| before.mounts.is_empty())
        {
            return mounts::Compiled { are_same: true, ..mounts::Compiled::default() };
        }
        // What stays was right when it was read first.
        let layer = layer.or_else(|| {
            let (table, report) = (table?, &mut Report::default());
            let earlier = scope::Earlier { table, options, is_own: true };
            Some(scope::read(table, Level::Host, self.env, Some(earlier), &own, report))
        });
        let layer = layer.unwrap_or_default();
        let layers = Layers { own: &layer, mount: None, outer: Some(&self.layers) };
        let inherited = inherits.then_some(&self.global_mounts);
        let around = Around { name: Some(name), layers, options, before, inherited };
        mounts::compile(&around, mounts, self.env, &at, report)
    }

    /// What an entry says, and its options, given what its host had before.
    fn options(
        &self,
        table: &Table,
        before: Option<&Arc<Scope>>,
        at: &At<'_>,
        report: &mut Report,
    ) -> (Layer, Arc<ScopeOptions>) {
        let earlier = before.and_then(|scope| {
            let table = vhosts(self.previous?)?.get(scope.name.as_ref()?)?.as_table()?;
            Some(scope::Earlier { table, options: &scope.options, is_own: true })
        });
        let layer = scope::read(table, Level::Host, self.env, earlier, at, report);
        let layers = Layers { own: &layer, mount: None, outer: Some(&self.layers) };
        let global = Some(&*self.global.options);
        let options = scope::options(layers, global, self.env, earlier, at, report);
        (layer, self.shared(options, before))
    }

    /// What an entry says of TLS.
    fn tls(
        &self,
        layer: &Layer,
        key: Option<&HostKey>,
        table: &Table,
        before: Option<&Arc<Scope>>,
        at: &At<'_>,
        report: &mut Report,
    ) -> Option<Arc<OwnTls>> {
        let before = before.and_then(|scope| {
            let written = vhosts(self.previous?)?.get(scope.name.as_ref()?)?.as_table()?;
            Some((written, scope.tls.as_ref()?))
        });
        let around = tls::Around { env: self.env, speaks_tls: self.speaks_tls, table, before };
        tls::of_host(layer, key, around, at, report)
    }

    /// The options of a host of which nothing but routes is known.
    fn inherited(&self, before: Option<&Arc<Scope>>) -> Arc<ScopeOptions> {
        let global = &self.global.options;
        match &global.proxy {
            None => Arc::clone(global),
            Some(proxy) => {
                let proxy = Some(Arc::new(Proxy::clone(proxy)));
                self.shared(ScopeOptions { proxy, ..ScopeOptions::clone(global) }, before)
            }
        }
    }

    /// The options that a host had before or those of the global level, if these are the same.
    /// The connections to upstreams are those of one scope: who inherits a proxy has one of its
    /// own, by which they are known.
    fn shared(&self, options: ScopeOptions, before: Option<&Arc<Scope>>) -> Arc<ScopeOptions> {
        let global = Some(&self.global.options).filter(|_| options.proxy.is_none());
        let known = before.map(|scope| &scope.options).into_iter().chain(global);
        same(options, known)
    }
}

/// The virtual hosts of the configuration in force.
fn vhosts(previous: Previous<'_>) -> Option<&Table> {
    previous.site.config.root().get("vhosts")?.as_table()
}

/// What a scope is put together from.
pub(super) struct Parts<'p> {
    pub(super) name: Option<Arc<str>>,
    pub(super) options: Arc<ScopeOptions>,
    pub(super) routes: Option<&'p SharedTable>,
    pub(super) mounts: Mounts,
    /// Whether they are those of the scope in force.
    pub(super) are_mounts_same: bool,
    pub(super) tls: Option<Arc<OwnTls>>,
    /// The scope in force.
    pub(super) before: Option<Before<'p>>,
}

/// A scope in force and the routes that it was made of.
#[derive(Clone, Copy)]
pub(super) struct Before<'b> {
    pub(super) scope: &'b Arc<Scope>,
    pub(super) routes: Option<&'b SharedTable>,
}

/// Puts a scope together: the one in force where nothing differs.
pub(super) fn scope(parts: Parts<'_>) -> Arc<Scope> {
    let Parts { name, options, routes, mounts, are_mounts_same, tls, before } = parts;
    if let Some(before) = before
        && before.scope.name == name
        && Arc::ptr_eq(&before.scope.options, &options)
        && before.routes == routes
        && are_mounts_same
        && before.scope.tls == tls
    {
        return Arc::clone(before.scope);
    }
    let routes = routes.map(|table| RouteTable::clone(table)).unwrap_or_default();
    Arc::new(Scope { name, mount: None, options, routes, mounts, tls })
}
