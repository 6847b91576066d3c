//! The scopes of the virtual hosts: those that a change concerns are compiled,
//! the others are carried over by reference.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use imbl::ordmap::DiffItem;

use super::layer::{Layer, Layers, Level};
use super::report::{At, Report};
use super::routes::{Routes, SharedTable, Spelled};
use super::{CompileEnv, Previous, scope};
use crate::config::value::{Table, Value};
use crate::routing::host::{HostKey, HostTable};
use crate::routing::route::RouteTable;
use crate::site::{Scope, ScopeOptions};

/// What the virtual hosts are made of.
pub(super) struct Hosts<'h> {
    pub(super) vhosts: &'h Table,
    pub(super) routes: &'h Routes,
    pub(super) env: &'h CompileEnv<'h>,
    /// What they inherit, as written and as a scope.
    pub(super) layer: &'h Layer,
    pub(super) global: &'h Arc<Scope>,
    pub(super) previous: Option<Previous<'h>>,
}

/// The virtual hosts, compiled.
pub(super) struct Compiled {
    pub(super) table: HostTable<Arc<Scope>>,
    /// The keys that were compiled, or are gone.
    pub(super) touched: Vec<HostKey>,
}

/// An entry of `vhosts`.
type Written<'h> = (&'h Arc<str>, &'h Table);

/// The entries to compile, each under its key; `None` where the entry did not
/// change (but its routes did), or there is none.
type Touched<'h> = BTreeMap<HostKey, Option<Written<'h>>>;

impl<'h> Hosts<'h> {
    /// Compiles every virtual host, or with `carry` those that changed only.
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
            }
        }
        let mut table = carried.map(|previous| previous.site.hosts.clone()).unwrap_or_default();
        for (key, written) in &touched {
            match self.host(key, *written, carry, at, report) {
                Some(scope) => table.insert(key.clone(), scope),
                None => table.remove(key),
            };
        }
        Compiled { table, touched: touched.into_keys().collect() }
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
                    self.options(table, None, &at, report);
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
                self.options(table, None, &at, report);
            }
            _ => {
                let written = entry.or_default();
                *written = written.or(table.map(|table| (name, table)));
            }
        }
    }

    /// What stands in `vhosts` under this very spelling.
    fn entry(&self, name: &str) -> Option<&'h Table> {
        self.vhosts.get(name)?.as_table()
    }

    /// One virtual host. `None` where there is none any more.
    fn host(
        &self,
        key: &HostKey,
        written: Option<Written<'h>>,
        carry: bool,
        at: &At<'_>,
        report: &mut Report,
    ) -> Option<Arc<Scope>> {
        let routes = self.routes.shared(Some(key));
        let before = self.previous.and_then(|Previous { site, routes }| {
            Some(Before { scope: site.hosts.get(key)?, routes: routes.shared(Some(key)) })
        });
        // With nothing newly written, the entry in force stays if it is still there.
        let in_force = before.filter(|_| carry).map(|before| before.scope);
        let stays = in_force
            .filter(|scope| scope.name.as_ref().is_some_and(|name| self.entry(name).is_some()));
        let (name, options) = match (written, stays) {
            (Some((name, table)), _) => {
                let options =
                    self.options(table, before.map(|before| before.scope), &at.key(name), report);
                (Some(Arc::clone(name)), Options::New(Box::new(options)))
            }
            (None, Some(scope)) => (scope.name.clone(), Options::Same(Arc::clone(&scope.options))),
            (None, None) => {
                // Routes alone make a virtual host, with the global options.
                routes?;
                let name = Spelled(key).to_string().into();
                (Some(name), Options::Same(Arc::clone(&self.global.options)))
            }
        };
        Some(scope(Parts { name, options, routes, before, global: Some(self.global) }))
    }

    /// The options of an entry, given what its host had before.
    fn options(
        &self,
        table: &Table,
        before: Option<&Arc<Scope>>,
        at: &At<'_>,
        report: &mut Report,
    ) -> ScopeOptions {
        let earlier = before.and_then(|scope| {
            let table = vhosts(self.previous?)?.get(scope.name.as_ref()?)?.as_table()?;
            Some(scope::Earlier { table, options: &scope.options })
        });
        let layer = scope::read(table, Level::Host, self.env, earlier, at, report);
        let layers = Layers { own: &layer, outer: Some(self.layer) };
        scope::options(layers, Some(&self.global.options), self.env, earlier, at, report)
    }
}

/// The virtual hosts of the configuration in force.
fn vhosts(previous: Previous<'_>) -> Option<&Table> {
    previous.site.config.root().get("vhosts")?.as_table()
}

/// What a scope is put together from.
pub(super) struct Parts<'p> {
    pub(super) name: Option<Arc<str>>,
    pub(super) options: Options,
    pub(super) routes: Option<&'p SharedTable>,
    /// The scope in force.
    pub(super) before: Option<Before<'p>>,
    /// The scope whose options this one may share.
    pub(super) global: Option<&'p Arc<Scope>>,
}

/// Options just compiled, or those of another scope.
pub(super) enum Options {
    New(Box<ScopeOptions>),
    Same(Arc<ScopeOptions>),
}

/// A scope in force and the routes that it was made of.
#[derive(Clone, Copy)]
pub(super) struct Before<'b> {
    pub(super) scope: &'b Arc<Scope>,
    pub(super) routes: Option<&'b SharedTable>,
}

/// Puts a scope together: the one in force where nothing differs, else a new one
/// that shares the options where those do not differ.
pub(super) fn scope(Parts { name, options, routes, before, global }: Parts<'_>) -> Arc<Scope> {
    let options = match options {
        Options::Same(options) => options,
        Options::New(options) => {
            let candidates = before.map(|before| before.scope).into_iter().chain(global);
            let same = candidates.map(|scope| &scope.options).find(|same| ***same == *options);
            same.map_or_else(|| Arc::from(options), Arc::clone)
        }
    };
    if let Some(before) = before
        && before.scope.name == name
        && Arc::ptr_eq(&before.scope.options, &options)
        && before.routes == routes
    {
        return Arc::clone(before.scope);
    }
    let routes = routes.map(|table| RouteTable::clone(table)).unwrap_or_default();
    Arc::new(Scope { name, options, routes })
}
