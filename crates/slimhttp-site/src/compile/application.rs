//! The options about applications, each read by itself, and what they come to together.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::CompileEnv;
use super::layer::Layers;
use super::plain::{entries, wrong, wrong_type};
use super::read::Checked;
use super::report::{At, Report};
use crate::config::options::Shape;
use crate::config::value::{Table, Value};
use crate::site::application::{
    AppReference, Application, ApplicationSpec, Interface, Lifespan, MountedApplication,
    START_TIMEOUT,
};
use crate::site::{Scope, ScopeOptions, Site};

/// Where an application is: a module (`package.module`, or `./folder/main.py`), which may be
/// followed by `:name` or, where that makes the application, `:name()`; or an object.
pub(super) fn reference(value: &Value, at: &At<'_>, report: &mut Report) -> Option<AppReference> {
    match value {
        Value::String(text) if is_reference(text.trim()) => {
            Some(AppReference::Import(text.trim().into()))
        }
        Value::String(_) => {
            let hint = "such as `shop.wsgi:application`, `./main.py`, or `main:create_app()` for \
                        a factory";
            report.fault(at, Shape::Application.to_string(), value.to_string(), hint.to_owned());
            None
        }
        Value::Object(id, name) => Some(AppReference::Object(*id, Arc::clone(name))),
        _ => wrong_type(Shape::Application, value, at, report),
    }
}

/// Whether a text names a module, and perhaps something in it.
fn is_reference(text: &str) -> bool {
    let dotted = |names: &str| names.split('.').all(is_identifier);
    let is_module = |module: &str| dotted(module) || is_file(module);
    match text.rsplit_once(':') {
        Some((module, name)) if dotted(name.strip_suffix("()").unwrap_or(name)) => {
            is_module(module)
        }
        _ => is_module(text),
    }
}

/// Whether a text is the path of a module's file: each of its folders may be a package.
fn is_file(text: &str) -> bool {
    let name = text.rsplit('/').next().and_then(|name| name.strip_suffix(".py"));
    // `main.py` is the module `py` of the package `main`, unless it says that it is a path.
    text.contains('/') && name.is_some_and(is_identifier) && !text.contains('\0')
}

/// Whether Python takes a text as a name, as far as that can be told without its tables.
fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|c| c == '_' || c.is_alphanumeric())
}

/// Variables of the environment: names and values.
pub(super) type Variables = Arc<[(Arc<str>, Arc<str>)]>;

/// Variables of the environment.
pub(super) fn environment(table: &Table, at: &At<'_>, report: &mut Report) -> Option<Variables> {
    let read = entries(table, at, report, |name, value, at, report| {
        if name.is_empty() || name.contains(['=', '\0']) {
            report.fault(at, "the name of a variable", Value::from(name).to_string(), None);
            return None;
        }
        // It may be a secret, so no fault shows it.
        let Some(value) = value.as_str() else {
            report.fault(at, "a text", None, None);
            return None;
        };
        if value.contains('\0') {
            report.fault(at, "a text without NUL", None, None);
            return None;
        }
        Some((name.into(), value.into()))
    })?;
    Some(read.into())
}

/// A path without a slash at its end.
pub(super) fn root_path(text: &str, at: &At<'_>, report: &mut Report) -> Option<String> {
    let path = text.trim().trim_end_matches('/');
    let is_path = path.is_empty() || path.starts_with('/');
    // What no target has behind it: links that are made of it would lead elsewhere.
    let leads_on = !path.split('/').any(|segment| matches!(segment, "." | ".."));
    if !is_path || !leads_on || path.contains(char::is_control) {
        return wrong(Shape::RootPath, Value::from(text).to_string(), at, report);
    }
    Some(path.to_owned())
}

/// The options beside which those of a scope are put together.
#[derive(Clone, Copy)]
pub(super) struct Known<'k> {
    /// Those of the scope from which it inherits.
    pub(super) outer: Option<&'k ScopeOptions>,
    /// Its own before the change.
    pub(super) before: Option<&'k ScopeOptions>,
}

impl Known<'_> {
    /// The folder from which an application is imported for which no `app_dir` is given: the one
    /// from which it is imported already, even if the base folder is another one by now, for an
    /// application that moves is another one, and started anew. One that is inherited
    /// (`is_own` is not set) is that of the outer scope.
    fn dir(self, reference: &AppReference, is_own: bool, env: &CompileEnv<'_>) -> PathBuf {
        let before = self.before.filter(|_| !env.resolve_anew);
        let known = if is_own { [before, self.outer] } else { [self.outer, before] };
        let dir_of = |options: &ScopeOptions| {
            let spec = &options.app.as_ref()?.application.spec;
            let is_same = options.app_dir.is_none() && spec.reference == *reference;
            is_same.then(|| spec.dir.clone())
        };
        known.into_iter().flatten().find_map(dir_of).unwrap_or_else(|| env.base.clone())
    }
}

/// The application of the layer that may name one (`ways`); what is said about it is
/// inherited on its own.
pub(super) fn mounted(
    ways: Layers<'_>,
    layers: Layers<'_>,
    known: Known<'_>,
    env: &CompileEnv<'_>,
) -> Option<MountedApplication> {
    let Some(Checked::Application(reference)) = ways.get("app") else { return None };
    let spec = ApplicationSpec {
        reference: reference.clone(),
        interface: match layers.word("interface") {
            Some("asgi") => Interface::Asgi,
            Some("wsgi") => Interface::Wsgi,
            _ => Interface::Auto,
        },
        lifespan: match layers.word("lifespan") {
            Some("on") => Lifespan::On,
            Some("off") => Lifespan::Off,
            _ => Lifespan::Auto,
        },
        dir: match layers.path("app_dir") {
            Some(dir) => dir.clone(),
            None => known.dir(reference, layers.own.has("app"), env),
        },
        env: match layers.get("app_env") {
            Some(Checked::Environment(env)) => Arc::clone(env),
            _ => Arc::default(),
        },
        start_timeout: layers.seconds("app_start_timeout").unwrap_or(START_TIMEOUT),
    };
    Some(MountedApplication {
        application: Arc::new(Application::new(spec)),
        prefix: ways.mount.map(|mount| Arc::clone(&mount.prefix)).unwrap_or_default(),
        root_path: layers.word("root_path").unwrap_or_default().into(),
    })
}

/// Says that without Python no application answers.
pub(super) fn needs_python(
    own: Layers<'_>,
    env: &CompileEnv<'_>,
    at: &At<'_>,
    report: &mut Report,
) {
    let Some(Checked::Application(reference)) = own.get("app") else { return };
    if !env.python {
        report.fault(
            &at.key("app"),
            "no `app`: this program runs without Python",
            format!("`{reference}`"),
            "run it with `python -m slimHTTP run FILE`".to_owned(),
        );
    }
}

/// Says where the code of an application lies among the files that are sent before it is
/// asked. A scope that names none of these has what it inherits, which was looked at there.
pub(super) fn code_apart(
    own: Layers<'_>,
    options: &ScopeOptions,
    at: &At<'_>,
    report: &mut Report,
) {
    const KEYS: [&str; 3] = ["web_root", "app_dir", "app"];
    let Some(key) = KEYS.into_iter().find(|key| own.own.has(key)) else { return };
    let (Some(app), Some(public)) = (&options.app, &options.web_root) else { return };
    let dir = &app.application.spec.dir;
    if options.files_before_app && dir.starts_with(public) {
        let expected = "a `web_root` that does not contain `app_dir`";
        let found = format!("`{}` below `{}`", dir.display(), public.display());
        let hint = "whatever lies below `web_root` is reached by a URL".to_owned();
        report.fault(&at.key(key), expected, found, hint);
    }
}

/// Says where another scope hands out the folder from which an application is imported, which
/// may be meant. Each such folder is told once, and only by a change that touches either scope.
pub(super) fn exposed<'s>(
    site: &Site,
    touched: impl Iterator<Item = &'s Arc<Scope>> + Clone,
) -> Vec<String> {
    let mut report = Report::default();
    if !site.has_applications {
        return report.warnings;
    }
    let mut public = HashMap::<&Path, &Arc<Scope>>::new();
    for scope in site.scopes().filter(|scope| sends_files(scope)) {
        if let Some(root) = &scope.options.web_root {
            public.entry(root).or_insert(scope);
        }
    }
    let is_new = |scope| touched.clone().any(|new| Arc::ptr_eq(new, scope));
    let mut told = HashSet::new();
    for (scope, app) in site.applications() {
        let AppReference::Import(reference) = &app.spec.reference else { continue };
        for root in app.spec.dir.ancestors() {
            let Some(sender) = public.get(root) else { continue };
            if (is_new(scope) || is_new(sender)) && told.insert((root, &app.spec.dir)) {
                let what = format!(
                    "what lies in `{}` is reached by a URL, and `{reference}` is imported from `{}`",
                    root.display(),
                    app.spec.dir.display()
                );
                at_web_root(sender, |at| report.warn(at, what));
            }
        }
    }
    report.warnings
}

/// Whether files of the `web_root` of a scope may answer. Those beside an application are looked
/// at by [`code_apart`].
fn sends_files(scope: &Scope) -> bool {
    let hidden = scope.mounts.get("").is_some();
    !hidden && scope.options.app.is_none() && scope.options.proxy.is_none()
}

/// Calls `tell` with the place at which a scope may have its `web_root`.
fn at_web_root(scope: &Scope, tell: impl FnOnce(&At<'_>)) {
    let root = At::root();
    let hosts = root.key("vhosts");
    let host = scope.name.as_deref().map(|name| hosts.key(name));
    let host = host.unwrap_or(root);
    let mounts = host.key("mounts");
    let mount = scope.mount.as_ref().map(|mount| mounts.key(&mount.key));
    tell(&mount.unwrap_or(host).key("web_root"));
}

#[cfg(test)]
mod tests;
