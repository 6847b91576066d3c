//! A change of the site as Python asks for it: the edits, what a new
//! configuration keeps of the old one, and why a change is refused.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use slimhttp_server::live::Draft;
use slimhttp_site::config::Config;
use slimhttp_site::fault::{Fault, Faults, Place};
use slimhttp_site::host::HostKey;
use slimhttp_site::value::{Table, Value};

use crate::convert::config;
use crate::convert::config_path::{Way, key_error, read_way};
use crate::convert::errors;

/// What a new configuration keeps of the old one when it does not name it.
const FIXED_AT_START: [&str; 8] =
    ["addr", "port", "io_threads", "python_threads", "persist", "user", "group", "log"];

/// Why a change is not made.
pub(crate) enum Refused {
    /// The configuration that it makes is wrong.
    Faults(Faults),
    /// There is no way to the value that it edits.
    NoWay(Way),
    /// No route has such a pattern or virtual host.
    Route(Fault),
}

impl From<Faults> for Refused {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

/// One step of a change.
pub(crate) enum Edit {
    /// Puts a value.
    Set(Way, Value),
    /// Takes one away.
    Remove(Way),
    /// Puts an empty table where there is nothing yet.
    Table(Way),
}

impl Refused {
    /// The exception that says so.
    pub(crate) fn raised(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Faults(faults) => errors::conf_error(py, &faults),
            Self::NoWay(way) => key_error(&way),
            Self::Route(fault) => PyValueError::new_err(fault.to_string()),
        }
    }
}

/// Makes every edit, or none that counts.
///
/// # Errors
/// The first whose way does not exist.
pub(crate) fn apply(edits: Vec<Edit>, draft: &mut Draft) -> Result<(), Refused> {
    for edit in edits {
        let (found, way) = match edit {
            Edit::Set(way, value) => (draft.config.set(&way, value), way),
            Edit::Remove(way) => (draft.config.remove(&way).is_some(), way),
            Edit::Table(way) => match draft.config.get(&way) {
                None | Some(Value::Null) => (draft.config.set(&way, Table::new().into()), way),
                Some(_) => (true, way),
            },
        };
        if !found {
            return Err(Refused::NoWay(way));
        }
    }
    Ok(())
}

/// Makes the folder at `path` the `web_root` of a virtual host, or of the global
/// level. What is written is absolute, so that the same path given again is
/// resolved again.
///
/// # Errors
/// Where there is no such host, or no such folder: a configuration may name one
/// that is still to come, but an exchange for nothing is a slip.
pub(crate) fn swap_root(
    vhost: Option<&str>,
    path: &Value,
    draft: &mut Draft,
) -> Result<(), Refused> {
    let mut way: Way = Vec::new();
    if let Some(vhost) = vhost {
        let vhosts: Arc<str> = "vhosts".into();
        let place = Place::default().key(&vhosts).key(vhost);
        let table = draft.config.root().get(&vhosts).and_then(Value::as_table);
        let key = table.and_then(|table| written_as(vhost, table));
        let key = key.ok_or_else(|| fault(place, "a virtual host of the configuration", None))?;
        way.extend([vhosts, key]);
    }
    way.push("web_root".into());
    let place = way.iter().fold(Place::default(), |place, key| place.key(key));
    let expected = "the path of a folder that is there";
    let found = |path: &Value| Some(path.described());
    let Some(text) = path.as_str() else {
        return Err(fault(place, expected, found(path)));
    };
    let folder = draft.base.join(text);
    if text.is_empty() || !folder.is_dir() {
        return Err(fault(place, expected, Some(format!("`{}`", folder.display()))));
    }
    let Some(folder) = folder.to_str() else {
        return Err(fault(place, expected, found(path)));
    };
    if draft.config.set(&way, folder.into()) { Ok(()) } else { Err(Refused::NoWay(way)) }
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

fn fault(place: Place, expected: &str, found: Option<String>) -> Refused {
    Refused::Faults(Faults(vec![Fault { place, expected: expected.into(), found, hint: None }]))
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
    let way = read_way(edit.get_item(1)?.extract()?);
    match (action.as_str(), edit.len()) {
        ("set", 3) => {
            let place = way.iter().fold(Place::default(), |place, key| place.key(key));
            Ok(Edit::Set(way, config::read_value(&edit.get_item(2)?, &place)?))
        }
        ("remove", 2) => Ok(Edit::Remove(way)),
        ("table", 2) => Ok(Edit::Table(way)),
        _ => Err(PyValueError::new_err(
            "an edit is ('set', path, value), ('remove', path) or ('table', path)",
        )),
    }
}
