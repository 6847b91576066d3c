//! A change of the site as Python asks for it: the edits, what a new
//! configuration keeps of the old one, and why a change is refused.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use slimhttp_server::Draft;
use slimhttp_site::config::Config;
use slimhttp_site::fault::{Fault, Faults, Place};
use slimhttp_site::host::HostKey;
use slimhttp_site::value::{Table, Value};

use crate::convert::config;
use crate::convert::config_path::{ConfigPath, config_path, key_error};
use crate::convert::errors;

/// What a new configuration keeps of the old one when it does not name it.
const FIXED_AT_START: [&str; 10] = [
    "addr",
    "port",
    "listen",
    "io_threads",
    "python_threads",
    "event_loop",
    "persist",
    "user",
    "group",
    "log",
];

/// The option that names an application.
const APPLICATION: &str = "app";

/// Which applications are tried anew behind a change, of those that have failed to start.
#[derive(Debug)]
pub(crate) enum Retry {
    /// All of them: it is a whole configuration.
    All,
    /// Those that are called so.
    Named(Vec<Arc<str>>),
}

/// Why a change is not made.
pub(crate) enum ChangeError {
    /// The configuration that it makes is wrong.
    Faults(Faults),
    /// There is no path to the value that it edits.
    NoSuchPath(ConfigPath),
    /// No route has such a pattern or virtual host.
    Route(Fault),
}

impl From<Faults> for ChangeError {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

/// One step of a change.
pub(crate) enum Edit {
    /// Puts a value.
    Set(ConfigPath, Value),
    /// Takes one away.
    Remove(ConfigPath),
    /// Puts an empty table where there is nothing yet.
    Table(ConfigPath),
}

impl ChangeError {
    /// The exception that says so.
    pub(crate) fn raised(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Faults(faults) => errors::conf_error(py, &faults),
            Self::NoSuchPath(path) => key_error(&path),
            Self::Route(fault) => PyValueError::new_err(fault.to_string()),
        }
    }
}

/// Which applications are named anew by `edits`, by how they are called there: one that has failed
/// to start is tried again, also where the configuration stays the same.
pub(crate) fn retry(edits: &[Edit]) -> Retry {
    let mut named = Vec::new();
    for edit in edits {
        if let Edit::Set(path, value) = edit {
            let is_application = path.last().is_some_and(|key| &**key == APPLICATION);
            collect_applications(is_application, value, &mut named);
        }
    }
    Retry::Named(named)
}

/// Collects how `value` calls applications: one where that is what it is, or those of a scope or
/// of a table of scopes.
fn collect_applications(is_application: bool, value: &Value, named: &mut Vec<Arc<str>>) {
    match value {
        Value::String(text) if is_application => named.push(text.trim().into()),
        Value::Object(_, name) if is_application => named.push(name.clone()),
        Value::Table(table) => {
            for key in table.keys() {
                if let Some(value) = table.get(key) {
                    collect_applications(&**key == APPLICATION, value, named);
                }
            }
        }
        _ => {}
    }
}

/// Makes every edit, or none that counts.
///
/// # Errors
/// The first whose path does not exist.
pub(crate) fn apply(edits: Vec<Edit>, draft: &mut Draft) -> Result<(), ChangeError> {
    for edit in edits {
        let (found, path) = match edit {
            Edit::Set(path, value) => (draft.config.set(&path, value), path),
            Edit::Remove(path) => (draft.config.remove(&path).is_some(), path),
            Edit::Table(path) => match draft.config.get(&path) {
                None | Some(Value::Null) => (draft.config.set(&path, Table::new().into()), path),
                Some(_) => (true, path),
            },
        };
        if !found {
            return Err(ChangeError::NoSuchPath(path));
        }
    }
    Ok(())
}

/// Makes the folder at `web_root` the `web_root` of a virtual host, or of the global
/// level. What is written is absolute, so that the same path given again is
/// resolved again.
///
/// # Errors
/// Where there is no such host, or no such folder: a configuration may name one
/// that is still to come, but to swap for nothing is a mistake.
pub(crate) fn swap_root(
    vhost: Option<&str>,
    web_root: &Value,
    draft: &mut Draft,
) -> Result<(), ChangeError> {
    let mut path: ConfigPath = Vec::new();
    if let Some(vhost) = vhost {
        let vhosts: Arc<str> = "vhosts".into();
        let place = Place::default().key(&vhosts).key(vhost);
        let table = draft.config.root().get(&vhosts).and_then(Value::as_table);
        let key = table.and_then(|table| written_as(vhost, table));
        let key = key.ok_or_else(|| fault(place, "a virtual host of the configuration", None))?;
        path.extend([vhosts, key]);
    }
    path.push("web_root".into());
    let place = path.iter().fold(Place::default(), |place, key| place.key(key));
    let expected = "the path of a folder that is there";
    let found = |value: &Value| Some(value.described());
    let Some(text) = web_root.as_str() else {
        return Err(fault(place, expected, found(web_root)));
    };
    let folder = draft.base.join(text);
    if text.is_empty() || !folder.is_dir() {
        return Err(fault(place, expected, Some(format!("`{}`", folder.display()))));
    }
    let Some(folder) = folder.to_str() else {
        return Err(fault(place, expected, found(web_root)));
    };
    if draft.config.set(&path, folder.into()) { Ok(()) } else { Err(ChangeError::NoSuchPath(path)) }
}

/// The key of `table` that names the virtual host `vhost`: this very text, or
/// another spelling of the same name.
fn written_as(vhost: &str, table: &Table) -> Option<Arc<str>> {
    let is_host = |key: &Arc<str>| matches!(table.get(key), Some(Value::Table(_)));
    let exact: Arc<str> = vhost.into();
    if is_host(&exact) {
        return Some(exact);
    }
    let wanted = HostKey::parse(vhost).ok()?;
    table.keys().find(|key| is_host(key) && HostKey::parse(key).as_ref() == Ok(&wanted)).cloned()
}

fn fault(place: Place, expected: &str, found: Option<String>) -> ChangeError {
    ChangeError::Faults(Faults(vec![Fault { place, expected: expected.into(), found, hint: None }]))
}

/// The configuration that follows `before` when `wanted` is asked for.
pub(crate) fn successor(before: &Config, wanted: &Config) -> Config {
    let mut root = wanted.root().clone();
    for key in FIXED_AT_START {
        if let Some(value) = before.root().get(key)
            && !root.contains_key(key)
        {
            root.insert(key.into(), value.clone());
        }
    }
    Config::new(root)
}

/// An edit as Python gives it: `('set', path, value)`, `('remove', path)`,
/// `('table', path)`.
///
/// # Errors
/// `ValueError` when it is neither; `ConfError` for a value that no configuration holds.
pub(crate) fn read_edit(edit: &Bound<'_, PyTuple>) -> PyResult<Edit> {
    let action: String = edit.get_item(0)?.extract()?;
    let path = config_path(edit.get_item(1)?.extract()?);
    match (action.as_str(), edit.len()) {
        ("set", 3) => {
            let place = path.iter().fold(Place::default(), |place, key| place.key(key));
            Ok(Edit::Set(path, config::read_value(&edit.get_item(2)?, &place)?))
        }
        ("remove", 2) => Ok(Edit::Remove(path)),
        ("table", 2) => Ok(Edit::Table(path)),
        _ => Err(PyValueError::new_err(
            "an edit is ('set', path, value), ('remove', path) or ('table', path)",
        )),
    }
}
