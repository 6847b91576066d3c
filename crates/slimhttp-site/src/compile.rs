//! Configuration and routes → [`Site`]: every rule is checked, and all faults are reported
//! at once.
//!
//! The server crate calls [`compile`] with each change, on the thread that makes the
//! change, while requests go on under the site in force; a fault leaves that untouched.
//!
//! 1. `layer` reads each table by the table of options: `read` and `rules` one value each,
//!    of the plain values that `plain` reads.
//! 2. `scope` and `service` lay the layers over each other and check what concerns several
//!    options; `files` and `answers` do so for the rules of a scope.
//! 3. `hosts` does that for every virtual host that the change concerns and carries the
//!    others over by reference: a change costs what it changes.
//! 4. `mounts` does the same for the mounts of each scope.
//! 5. `proxy_loop` follows the upstreams that are servers of this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::config::fault::Faults;
use crate::config::options::{self, Shape, Stands};
use crate::config::value::{Table, Value};
use crate::site::listener::FirstListener;
use crate::site::tls::OwnTls;
use crate::site::{Scope, ScopeOptions, Service, Site};

mod acme;
mod answers;
mod application;
mod files;
mod hosts;
mod layer;
mod listen;
mod mounts;
mod plain;
mod proxy_loop;
mod read;
mod report;
mod routes;
mod rules;
mod scope;
mod service;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod upstream;

pub use listen::{first_listed, listed};
pub use routes::Routes;

use hosts::Hosts;
use layer::{Layers, Level};
use mounts::{Around, GlobalMounts};
use proxy_loop::LoopSearch;
use report::{At, Report};

/// What is known of a path without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Something else.
    Other,
    /// Nothing is there, or it may not be looked at.
    Missing,
}

/// What the rules of a configuration depend on besides the configuration: the caller
/// looks at the machine, so that this crate need not.
pub struct CompileEnv<'w> {
    /// The folder against which relative paths are resolved.
    pub base: PathBuf,
    /// Whether relative paths that stand as they stood are resolved anew too:
    /// the whole configuration was replaced, from another folder.
    pub resolve_anew: bool,
    /// What is listened on from the start.
    pub listener: &'w FirstListener,
    /// Whether Python handlers can be called: without, `module` is a fault.
    pub python: bool,
    /// Looks at a path. Injected, so that this crate touches no disk.
    pub look: &'w dyn Fn(&Path) -> PathKind,
    /// Follows an upstream `host`, `port` to the site that this very process
    /// serves there: the listener and the site in force. `None` where it is
    /// somebody else. For finding proxy loops (C7.4).
    pub local_site: &'w dyn Fn(&str, u16) -> Option<Arc<Site>>,
    /// The processors of the machine: the default number of I/O threads.
    pub processors: usize,
    /// The memory that there is for this process, in bytes, where that is known.
    pub memory: Option<u64>,
}

/// Checks and resolves a configuration.
///
/// With `previous`, what did not change since then is carried over by
/// reference and not checked again: one virtual host edited among 10,000 costs
/// what one costs. The warnings of the new site are what this change found. A
/// relative path that stands as it stood stays what it was resolved to.
///
/// # Errors
/// Every fault at once.
pub fn compile(
    config: &Config,
    routes: &Routes,
    env: &CompileEnv<'_>,
    previous: Option<(&Site, &Routes)>,
) -> Result<Site, Faults> {
    let mut report = Report::default();
    let root = At::root();
    let table = config.root();
    let previous = previous.map(|(site, routes)| Previous { site, routes });

    // Virtual hosts and mounts may be carried over where what they inherit is the same.
    let inherited = previous
        .filter(|_| !env.resolve_anew)
        .filter(|previous| inherits_the_same(table, previous.site.config.root()));

    // The global level and its mounts.
    let (layer, options) = global_options(table, env, previous, &root, &mut report);
    let layers = Layers { own: &layer, mount: None, outer: None };
    let service = service(&layer, table, env, previous, &root, &mut report);
    let tls = global_tls(&layer, table, (env, &service), previous, &mut report);
    let before = previous.map(|previous| mounts_of(previous, inherited.is_some()));
    let written = mounts::written(table, &root, &mut report);
    let around = Around { name: None, layers, options: &options, before, inherited: None };
    let mounts = mounts::compile(&around, written, env, &root.key("mounts"), &mut report);
    let global = global(options, routes, &mounts, tls, previous);

    // The virtual hosts.
    let empty = Table::new();
    let vhosts = vhosts(table, &root, &mut report).unwrap_or(&empty);
    let global_mounts = GlobalMounts::new(env, &global.mounts, before);
    let hosts = Hosts {
        vhosts,
        routes,
        env,
        speaks_tls: service.speaks_tls(),
        layers,
        global: &global,
        mounts: written,
        global_mounts,
        previous,
    };
    let compiled = hosts.compile(inherited.is_some(), &root.key("vhosts"), &mut report);
    let carried = inherited.map(|previous| previous.site);
    let tls = tls::of_site(carried, &global, &compiled, &mut report);

    // Upstreams that lead back here.
    let (global_scope, hosts, listeners) = (&global, &compiled.table, &service.listeners);
    let in_force = previous.map(|previous| previous.site);
    let loops = LoopSearch { global: global_scope, hosts, listeners, env, previous: in_force };
    report_loops(&loops, &compiled, inherited.is_none(), &mounts, table, &mut report);

    // Keys of certificates that files would be sent from.
    let touched = touched(&compiled, &global, &mounts);
    let scopes = acme::Scopes { touched: &touched, global: &global, hosts: &compiled.table };
    acme::apart(&service.acme, table, in_force, scopes, &mut report);

    let warnings = report.finish()?;
    let flags = Flags::of(carried, touched.iter());
    let mut site = Site {
        config: config.clone(),
        rewrites: flags.rewrites,
        shares: flags.shares,
        varies_by_scheme: flags.varies_by_scheme,
        has_applications: flags.has_applications,
        has_access_logs: flags.has_access_logs,
        pins_releases: flags.pins_releases,
        global,
        hosts: compiled.table,
        https_port: service.https_port(env.listener),
        service,
        instance: Arc::clone(&routes.instance),
        tls,
        warnings,
    };
    site.warnings.extend(odd(&site, touched.iter(), previous));
    Ok(site)
}

/// Reports what is forwarded and comes back, of what was touched, or of all hosts.
fn report_loops(
    loops: &LoopSearch<'_>,
    compiled: &hosts::Compiled,
    all: bool,
    mounts: &mounts::Compiled,
    table: &Table,
    report: &mut Report,
) {
    let names = compiled.touched.iter().map(Some).chain(all.then_some(None));
    loops.report(names, mounts.touched.iter().chain(&compiled.mounts), table, report);
}

/// The scopes that were compiled.
fn touched(
    compiled: &hosts::Compiled,
    global: &Arc<Scope>,
    mounts: &mounts::Compiled,
) -> Vec<Arc<Scope>> {
    let hosts = compiled.touched.iter().filter_map(|key| compiled.table.get(key));
    let mounts = mounts.touched.iter().chain(&compiled.mounts);
    hosts.chain([global]).chain(mounts).cloned().collect()
}

/// What is suspicious about a site as a whole, as far as a change touches it.
fn odd<'s>(
    site: &Site,
    touched: impl Iterator<Item = &'s Arc<Scope>> + Clone,
    previous: Option<Previous<'_>>,
) -> Vec<String> {
    let mut warnings = application::exposed(site, touched.clone());
    warnings.extend(answers::unheard_hsts(site, touched, previous.map(|previous| previous.site)));
    warnings
}

/// The mounts of the global level in force.
fn mounts_of(previous: Previous<'_>, inherit_the_same: bool) -> mounts::Before<'_> {
    let Previous { site, .. } = previous;
    let table = mounts::in_force(site.config.root());
    mounts::Before { mounts: &site.global.mounts, table, inherit_the_same }
}

/// What a site knows of all of its scopes together.
struct Flags {
    rewrites: bool,
    shares: bool,
    varies_by_scheme: bool,
    has_applications: bool,
    has_access_logs: bool,
    pins_releases: bool,
}

impl Flags {
    /// Scopes that are carried over from a site need not be looked at again.
    fn of<'s>(carried: Option<&Site>, touched: impl Iterator<Item = &'s Arc<Scope>>) -> Self {
        let was = |flag: fn(&Site) -> bool| carried.is_some_and(flag);
        let mut flags = Self {
            rewrites: was(|site| site.rewrites),
            shares: was(|site| site.shares),
            varies_by_scheme: was(|site| site.varies_by_scheme),
            has_applications: was(|site| site.has_applications),
            has_access_logs: was(|site| site.has_access_logs),
            pins_releases: was(|site| site.pins_releases),
        };
        for scope in touched {
            let options = &scope.options;
            flags.rewrites |= !options.answers.rewrites.is_empty();
            flags.shares |= options.answers.cors.is_some();
            flags.varies_by_scheme |= options.answers.vary_by_scheme();
            flags.has_applications |= options.app.is_some() || scope.routes.has_applications();
            flags.has_access_logs |= options.access_log.is_some();
            flags.pins_releases |= !options.files.pin_releases.is_zero();
        }
        flags
    }
}

/// What the global level says, and its options.
fn global_options(
    table: &Table,
    env: &CompileEnv<'_>,
    previous: Option<Previous<'_>>,
    root: &At<'_>,
    report: &mut Report,
) -> (layer::Layer, Arc<ScopeOptions>) {
    let earlier = previous.map(|Previous { site, .. }| scope::Earlier {
        table: site.config.root(),
        options: &site.global.options,
        is_own: true,
    });
    let layer = scope::read(table, Level::Global, env, earlier, root, report);
    let layers = Layers { own: &layer, mount: None, outer: None };
    let options = scope::options(layers, None, env, earlier, root, report);
    let options = files::same(options, previous.iter().map(|it| &it.site.global.options));
    (layer, options)
}

/// What the global level says of TLS.
fn global_tls(
    layer: &layer::Layer,
    table: &Table,
    (env, service): (&CompileEnv<'_>, &Service),
    previous: Option<Previous<'_>>,
    report: &mut Report,
) -> Arc<OwnTls> {
    let before = previous.map(|it| it.site);
    let before = before.and_then(|site| Some((site.config.root(), site.global.tls.as_ref()?)));
    let around = tls::Around { env, speaks_tls: service.speaks_tls(), table, before };
    tls::of_global(layer, around, &At::root(), report)
}

/// The scope of the global level.
fn global(
    options: Arc<ScopeOptions>,
    routes: &Routes,
    mounts: &mounts::Compiled,
    tls: Arc<OwnTls>,
    previous: Option<Previous<'_>>,
) -> Arc<Scope> {
    hosts::scope(hosts::Parts {
        name: None,
        options,
        routes: routes.shared(None),
        mounts: mounts.mounts.clone(),
        are_mounts_same: mounts.are_same,
        tls: Some(tls),
        before: previous.map(|Previous { site, routes }| hosts::Before {
            scope: &site.global,
            routes: routes.shared(None),
        }),
    })
}

/// The table of virtual hosts, if there is one.
fn vhosts<'t>(table: &'t Table, root: &At<'_>, report: &mut Report) -> Option<&'t Table> {
    match table.get("vhosts")? {
        Value::Null => None,
        Value::Table(vhosts) => Some(vhosts),
        other => {
            let hint = "a host name and its options: `{'example.com': {'web_root': './web'}}`";
            let expected = "a table of virtual hosts";
            report.fault(&root.key("vhosts"), expected, other.described(), hint.to_owned());
            None
        }
    }
}

/// Whether two global levels say the same of every option that virtual hosts and mounts
/// inherit, but for the mounts themselves.
fn inherits_the_same(table: &Table, written: &Table) -> bool {
    options::all()
        .filter(|option| option.stands != Stands::GlobalOnly && option.takes != Shape::Mounts)
        .all(|option| table.get(option.key) == written.get(option.key))
}

/// The site in force and the routes that it was made of.
#[derive(Clone, Copy)]
struct Previous<'p> {
    site: &'p Site,
    routes: &'p Routes,
}

/// The options of the server, by reference where they are as before.
fn service(
    layer: &layer::Layer,
    table: &Table,
    env: &CompileEnv<'_>,
    previous: Option<Previous<'_>>,
    at: &At<'_>,
    report: &mut Report,
) -> Arc<Service> {
    let earlier = previous.map(|Previous { site, .. }| {
        let written = site.config.root();
        let same = |key: &str| table.get(key) == written.get(key);
        service::Earlier { service: &site.service, same_acme: !env.resolve_anew && same("acme") }
    });
    let service = service::service(layer, env, earlier, at, report);
    match earlier {
        Some(service::Earlier { service: earlier, .. }) if **earlier == service => {
            Arc::clone(earlier)
        }
        _ => Arc::new(service),
    }
}
