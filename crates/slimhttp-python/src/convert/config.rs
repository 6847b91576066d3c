//! Python object ↔ [`Value`]: one conversion each way. It knows nothing of
//! options; what no configuration can hold is a fault with its place, and all
//! of them are reported together.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple, PyType};
use slimhttp_site::config::Config;
use slimhttp_site::fault::{Fault, Faults, Place, Step};
use slimhttp_site::value::{Table, Value};

use crate::convert::config_path::ConfigPath;
use crate::convert::errors;
use crate::convert::objects;

/// Levels of nesting that a configuration may have. A dict that holds itself
/// has more.
const MAX_DEPTH: usize = 32;

/// The configuration that a Python dict is.
///
/// # Errors
/// `ConfError` with every fault; whatever a value's own code raises.
pub(crate) fn read_config(object: &Bound<'_, PyAny>) -> PyResult<Config> {
    match read_value(object, &Place::default())? {
        Value::Table(root) => Ok(Config::new(root)),
        _ => Err(PyTypeError::new_err(format!(
            "a configuration is a dict, not `{}`",
            object.get_type().name()?
        ))),
    }
}

/// The value that a Python object is, which is to stand at `place`.
///
/// # Errors
/// As [`read_config`].
pub(crate) fn read_value(object: &Bound<'_, PyAny>, place: &Place) -> PyResult<Value> {
    let mut faults = Vec::new();
    let value = read(object, place, &mut faults)?;
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(errors::conf_error(object.py(), &Faults(faults)))
    }
}

fn read(object: &Bound<'_, PyAny>, place: &Place, faults: &mut Vec<Fault>) -> PyResult<Value> {
    if place.0.len() > MAX_DEPTH {
        faults.push(Fault {
            place: place.clone(),
            expected: format!("at most {MAX_DEPTH} levels of nesting"),
            found: None,
            hint: Some("does a dict or a list hold itself?".to_owned()),
        });
        return Ok(Value::Null);
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(read_text(text, place, faults));
    }
    // Before dicts, for an application may be one too.
    let names_application = matches!(place.0.last(), Some(Step::Key(key)) if &**key == "app");
    if names_application && object.is_callable() {
        return objects::keep(object).map(|(number, name)| Value::Object(number, name));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        let mut table = Table::new();
        for (key, value) in dict {
            read_entry(&key, &value, place, &mut table, faults)?;
        }
        return Ok(Value::Table(table));
    }
    // Before `int`, of which `bool` is a subclass.
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Value::Bool(value.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return Ok(match object.extract::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => refuse(object, place, "a number of 64 bits", faults)?,
        });
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(Value::Float(number.value()));
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let mut items = Vec::new();
        for (index, item) in object.try_iter()?.enumerate() {
            items.push(read(&item?, &place.index(index), faults)?);
        }
        return Ok(Value::List(items.into()));
    }
    if is_path_like(object)? {
        let text = object.py().import(intern!(object.py(), "os"))?;
        let text = text.call_method1(intern!(object.py(), "fsdecode"), (object,))?;
        return Ok(read_text(text.cast::<PyString>()?, place, faults));
    }
    if let Ok(mapping) = object.cast::<PyMapping>() {
        let mut table = Table::new();
        for entry in mapping.items()?.try_iter()? {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = entry?.extract()?;
            read_entry(&key, &value, place, &mut table, faults)?;
        }
        return Ok(Value::Table(table));
    }
    let expected = "a string, a number, a bool, a list or a dict";
    refuse(object, place, expected, faults)
}

fn read_entry(
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    place: &Place,
    table: &mut Table,
    faults: &mut Vec<Fault>,
) -> PyResult<()> {
    let text = key.cast::<PyString>().ok().and_then(|key| key.to_cow().ok());
    let Some(text) = text.or_else(|| status(key).map(|status| status.to_string().into())) else {
        let place = place.key(&key.str()?.to_string_lossy());
        refuse(key, &place, "a string as key", faults)?;
        return Ok(());
    };
    let value = read(value, &place.key(&text), faults)?;
    table.insert(Arc::from(&*text), value);
    Ok(())
}

/// The status that a key is: in Python `{404: …}` is written without quotes.
fn status(key: &Bound<'_, PyAny>) -> Option<u16> {
    let number = key.is_instance_of::<PyInt>() && !key.is_instance_of::<PyBool>();
    let status = if number { key.extract::<u16>().ok()? } else { return None };
    (100..600).contains(&status).then_some(status)
}

fn read_text(text: &Bound<'_, PyString>, place: &Place, faults: &mut Vec<Fault>) -> Value {
    match text.to_cow() {
        Ok(text) => Value::from(&*text),
        // Half a surrogate pair: what Python makes of a file name that is not UTF-8.
        Err(_) => {
            faults.push(Fault {
                place: place.clone(),
                expected: "text that UTF-8 can hold".to_owned(),
                found: Some(format!("`{}`", text.to_string_lossy())),
                hint: None,
            });
            Value::Null
        }
    }
}

fn refuse(
    object: &Bound<'_, PyAny>,
    place: &Place,
    expected: &str,
    faults: &mut Vec<Fault>,
) -> PyResult<Value> {
    faults.push(Fault {
        place: place.clone(),
        expected: expected.to_owned(),
        found: Some(format!("`{}`", object.get_type().name()?)),
        hint: None,
    });
    Ok(Value::Null)
}

/// Whether `object` is an `os.PathLike`.
///
/// # Errors
/// Whatever `isinstance` raises.
pub(crate) fn is_path_like(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static PATH_LIKE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    object.is_instance(PATH_LIKE.import(object.py(), "os", "PathLike")?)
}

/// The Python object that a value is: plain and new.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn write_value<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Integer(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => PyFloat::new(py, *number).into_any(),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items.iter() {
                list.append(write_value(py, item)?)?;
            }
            list.into_any()
        }
        Value::Table(table) => write_table(py, table)?.into_any(),
        Value::Object(number, _) => match objects::of_number(py, *number) {
            Some(object) => object.into_bound(py),
            None => py.None().into_bound(py),
        },
    })
}

/// The dict that a table is.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn write_table<'py>(py: Python<'py>, table: &Table) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in table {
        dict.set_item(&**key, write_value(py, value)?)?;
    }
    Ok(dict)
}

/// The keys of the table at `path`; the empty path is the whole configuration.
pub(crate) fn keys(config: &Config, path: &ConfigPath) -> Option<Vec<String>> {
    let table = if path.is_empty() {
        Some(config.root())
    } else {
        config.get(path).and_then(Value::as_table)
    };
    Some(table?.keys().map(|key| key.to_string()).collect())
}

/// Whether a table or another value stands at `path`, or nothing.
pub(crate) fn kind(config: &Config, path: &ConfigPath) -> Option<&'static str> {
    match config.get(path) {
        _ if path.is_empty() => Some("table"),
        Some(Value::Table(_)) => Some("table"),
        Some(_) => Some("value"),
        None => None,
    }
}
