//! The mounts of a scope: those that a change concerns are compiled, the others are carried over
//! by reference. A virtual host without a table `mounts` has that of the global level, and so
//! mounts of its own that are written there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use imbl::ordmap::DiffItem;

use super::files::same;
use super::layer::{Layer, Layers, Level};
use super::report::{At, Report};
use super::{CompileEnv, scope};
use crate::config::value::{Table, Value};
use crate::routing::mount::parse_prefix;
use crate::routing::route::RouteTable;
use crate::site::mounts::{Mount, Mounts};
use crate::site::{Scope, ScopeOptions};

/// The table `mounts` among the options of a scope, if there is one.
pub(super) fn written<'t>(table: &'t Table, at: &At<'_>, report: &mut Report) -> Option<&'t Table> {
    match table.get("mounts")? {
        Value::Null => None,
        Value::Table(mounts) => Some(mounts),
        other => {
            let hint = "a prefix and its options: `{'/static': {'web_root': './static'}}`";
            let found = other.described();
            report.fault(&at.key("mounts"), "a table of mounts", found, hint.to_owned());
            None
        }
    }
}

/// The table `mounts` of options that were compiled before.
pub(super) fn in_force(table: &Table) -> Option<&Table> {
    table.get("mounts")?.as_table()
}

/// Whether options leave it to whom they inherit from which mounts there are.
pub(super) fn are_inherited(table: Option<&Table>) -> bool {
    table.and_then(|table| table.get("mounts")).is_none_or(Value::is_null)
}

/// Whether two tables of options are the same, whatever their mounts are.
pub(super) fn are_same_but_mounts(one: Option<&Table>, other: Option<&Table>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.diff(other).all(|item| match item {
            DiffItem::Add(key, _) | DiffItem::Remove(key, _) => &**key == "mounts",
            DiffItem::Update { new: (key, _), .. } => &**key == "mounts",
        }),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// The scope whose mounts are compiled.
pub(super) struct Around<'a> {
    pub(super) name: Option<&'a Arc<str>>,
    pub(super) layers: Layers<'a>,
    pub(super) options: &'a Arc<ScopeOptions>,
    pub(super) before: Option<Before<'a>>,
    /// Those of the global level, where the table is inherited from there.
    pub(super) inherited: Option<&'a GlobalMounts<'a>>,
}

/// The mounts in force, and what they were made of.
#[derive(Clone, Copy)]
pub(super) struct Before<'b> {
    pub(super) mounts: &'b Mounts,
    pub(super) table: Option<&'b Table>,
    /// Whether what they inherit is the same.
    pub(super) inherit_the_same: bool,
}

/// The mounts of a scope, compiled.
#[derive(Default)]
pub(super) struct Compiled {
    pub(super) mounts: Mounts,
    /// Those that were compiled.
    pub(super) touched: Vec<Arc<Scope>>,
    /// Whether they are those in force.
    pub(super) are_same: bool,
}

/// The mounts of the global level for the virtual hosts that have them too. Each table is read
/// once, when the first asks for it.
pub(super) struct GlobalMounts<'g> {
    env: &'g CompileEnv<'g>,
    mounts: &'g Mounts,
    before: Option<Before<'g>>,
    layers: RefCell<HashMap<Arc<str>, Rc<Layer>>>,
}

impl<'g> GlobalMounts<'g> {
    pub(super) fn new(
        env: &'g CompileEnv<'g>,
        mounts: &'g Mounts,
        before: Option<Before<'g>>,
    ) -> Self {
        Self { env, mounts, before, layers: RefCell::default() }
    }

    /// What stands under a key. Whatever is wrong with it the global level has reported.
    fn layer(&self, mount: &Mount, table: &Table) -> Rc<Layer> {
        let read = || {
            let earlier = self.before.and_then(|before| before.of(mount));
            let (root, report) = (At::root(), &mut Report::default());
            Rc::new(scope::read(table, Level::Mount, self.env, earlier, &root, report))
        };
        let mut layers = self.layers.borrow_mut();
        Rc::clone(layers.entry(Arc::clone(&mount.key)).or_insert_with(read))
    }
}

impl<'b> Before<'b> {
    /// A mount as it was, under whichever spelling of its prefix.
    fn of(self, mount: &Mount) -> Option<scope::Earlier<'b>> {
        let scope = self.mounts.get(&mount.prefix)?;
        let table = self.table?.get(&scope.mount.as_ref()?.key)?.as_table()?;
        Some(scope::Earlier { table, options: &scope.options, is_own: true })
    }
}

/// Compiles the mounts of a scope that stand in `table`, or those of them that differ.
pub(super) fn compile(
    around: &Around<'_>,
    table: Option<&Table>,
    env: &CompileEnv<'_>,
    at: &At<'_>,
    report: &mut Report,
) -> Compiled {
    let none = Table::new();
    let table = table.unwrap_or(&none);
    let mut compiled = Compiled::default();
    let mut changed = Vec::new();
    match around.before.filter(|before| before.inherit_the_same) {
        None => changed.extend(table),
        Some(before) => {
            compiled.mounts = before.mounts.clone();
            // A table that both versions share is passed over as a whole.
            for item in before.table.unwrap_or(&none).diff(table) {
                match item {
                    DiffItem::Remove(key, _) => compiled.remove(key),
                    DiffItem::Add(key, value) | DiffItem::Update { new: (key, value), .. } => {
                        compiled.remove(key);
                        changed.push((key, value));
                    }
                }
            }
        }
    }
    for (key, value) in changed {
        if let Some(written) = mount(key, value, table, around, env, at, report) {
            let scope = around.scope(&written, env, &at.key(key), report);
            compiled.touched.push(Arc::clone(&scope));
            compiled.mounts.insert(scope);
        }
    }
    compiled.are_same = around.before.is_some_and(|before| {
        let is_same = |scope: &Arc<Scope>| {
            let known = before.mounts.get(scope.prefix());
            known.is_some_and(|known| Arc::ptr_eq(known, scope))
        };
        before.mounts.len() == compiled.mounts.len() && compiled.touched.iter().all(is_same)
    });
    compiled
}

impl Compiled {
    /// Takes out the mount that stood under a key. One that stands under the other spelling of
    /// its prefix, with a slash at its end or without, stays: this key was null, and no mount.
    fn remove(&mut self, key: &str) {
        let Ok(prefix) = parse_prefix(key) else { return };
        let mount = self.mounts.get(prefix).and_then(|scope| scope.mount.as_ref());
        if mount.is_some_and(|mount| *mount.key == *key) {
            self.mounts.remove(prefix);
        }
    }
}

/// An entry of `mounts`.
struct Written<'w> {
    mount: Arc<Mount>,
    table: &'w Table,
}

/// Reads an entry; here its key is checked. `None` where there is no mount.
fn mount<'w>(
    key: &Arc<str>,
    value: &'w Value,
    table: &Table,
    around: &Around<'_>,
    env: &CompileEnv<'_>,
    mounts_at: &At<'_>,
    report: &mut Report,
) -> Option<Written<'w>> {
    let at = &mounts_at.key(key);
    let options = match value {
        Value::Table(options) => options,
        Value::Null => return None,
        other => {
            report.fault(at, "a table of options", other.described(), None);
            return None;
        }
    };
    let prefix = match parse_prefix(key) {
        Ok(prefix) => prefix,
        Err((expected, hint)) => {
            let found = match &**key {
                "" => "an empty text".to_owned(),
                key => Value::from(key).to_string(),
            };
            report.fault(at, expected, found, hint.map(str::to_owned));
            // What stands under it is looked at all the same.
            let mount = Arc::new(Mount { key: Arc::clone(key), prefix: Arc::clone(key) });
            around.scope(&Written { mount, table: options }, env, at, report);
            return None;
        }
    };
    let with_slash = format!("{prefix}/");
    let is_there = |key: &str| table.get(key).is_some_and(|value| !value.is_null());
    // Said once, of the one with the slash, whichever of the two came first.
    if is_there(prefix) && is_there(&with_slash) {
        let found = format!("`{with_slash}`, which is `{prefix}`");
        report.fault(&mounts_at.key(&with_slash), "every prefix once", found, None);
    }
    let known = around.inherited.and_then(|global| global.mounts.get(prefix)?.mount.as_ref());
    let mount = match known.filter(|known| known.key == *key) {
        Some(known) => Arc::clone(known),
        None => Arc::new(Mount { key: Arc::clone(key), prefix: prefix.into() }),
    };
    Some(Written { mount, table: options })
}

impl Around<'_> {
    /// One mount: the one in force where nothing differs.
    fn scope(
        &self,
        Written { mount, table }: &Written<'_>,
        env: &CompileEnv<'_>,
        at: &At<'_>,
        report: &mut Report,
    ) -> Arc<Scope> {
        let before = self.before.and_then(|before| before.mounts.get(&mount.prefix));
        let of_global = self.inherited.and_then(|global| global.mounts.get(&mount.prefix));
        let (layer, earlier) = match (self.inherited, of_global) {
            (Some(inherited), Some(scope)) => {
                // What the disk has was looked at for the global level.
                let earlier = scope::Earlier { table, options: &scope.options, is_own: false };
                (inherited.layer(mount, table), Some(earlier))
            }
            _ => {
                let earlier = self.before.and_then(|before| before.of(mount));
                (Rc::new(scope::read(table, Level::Mount, env, earlier, at, report)), earlier)
            }
        };
        let layers = Layers { own: &layer, mount: Some(mount), outer: Some(&self.layers) };
        let options = scope::options(layers, Some(self.options), env, earlier, at, report);
        // The connections to upstreams are those of one scope.
        let of_global = of_global.filter(|_| options.proxy.is_none());
        let known = before.into_iter().chain(of_global).map(|scope| &scope.options);
        let options = same(options, known.chain([self.options]));
        match before {
            Some(before)
                if before.name.as_ref() == self.name
                    && before.mount.as_ref() == Some(mount)
                    && Arc::ptr_eq(&before.options, &options) =>
            {
                Arc::clone(before)
            }
            _ => Arc::new(Scope {
                name: self.name.cloned(),
                mount: Some(Arc::clone(mount)),
                options,
                routes: RouteTable::default(),
                mounts: Mounts::default(),
                tls: None,
            }),
        }
    }
}
