//! Header fields that Python gives: names `str` or `bytes`; values `str`,
//! `bytes` or `int`, a list of them for a repeated field. Nothing that could
//! end a field early (CR, LF, NUL) passes, nor more than [`MAX_FIELDS`].

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyMapping, PyString, PyTuple};

use crate::convert::header_names;

/// How many fields an answer may have: far more than any client takes, far
/// fewer than a [`HeaderMap`] does, which panics beyond.
pub(crate) const MAX_FIELDS: usize = 1024;

/// One field: its name as given and as HTTP knows it, and its value.
pub(crate) struct Field {
    /// The name in the letters in which it was given.
    pub(crate) written: Vec<u8>,
    /// The name.
    pub(crate) name: HeaderName,
    /// The value.
    pub(crate) value: HeaderValue,
}

/// Every field of `fields`, a mapping or `None`, in its order.
///
/// # Errors
/// `TypeError` and `ValueError` that name the field.
pub(crate) fn read(fields: &Bound<'_, PyAny>) -> PyResult<Vec<Field>> {
    let mut read = Vec::new();
    for_each(fields, |given, name, value| {
        has_room(read.len())?;
        let written = text(given)?.map_or_else(Vec::new, |written| written.as_bytes().to_vec());
        read.push(Field { written, name: name.clone(), value });
        Ok(())
    })?;
    Ok(read)
}

/// Every field of `fields`, of which a name stands once unless a list says
/// otherwise.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_map(fields: &Bound<'_, PyAny>) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::new();
    for_each(fields, |_, name, value| {
        // At most `MAX_FIELDS`, so `append` cannot panic.
        has_room(map.len())?;
        map.append(name.clone(), value);
        Ok(())
    })?;
    Ok(map)
}

/// Gives each field to `take`: its name as given and as HTTP knows it, and its value.
fn for_each<'py>(
    fields: &Bound<'py, PyAny>,
    mut take: impl FnMut(&Bound<'py, PyAny>, &HeaderName, HeaderValue) -> PyResult<()>,
) -> PyResult<()> {
    if fields.is_none() {
        return Ok(());
    }
    if let Ok(dict) = fields.cast::<PyDict>() {
        for (name, value) in dict {
            read_field(&name, &value, &mut take)?;
        }
        return Ok(());
    }
    let Ok(mapping) = fields.cast::<PyMapping>() else {
        let found = fields.get_type().name()?;
        return Err(PyTypeError::new_err(format!("headers are a dict, not `{found}`")));
    };
    for entry in mapping.items()?.try_iter()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = entry?.extract()?;
        read_field(&name, &value, &mut take)?;
    }
    Ok(())
}

/// Adds to `map` the fields of `defaults` whose names it has not, and cookies
/// beside those it has.
///
/// # Errors
/// `ValueError` when both together are more than [`MAX_FIELDS`].
pub(crate) fn add_missing(map: &mut HeaderMap, defaults: HeaderMap) -> PyResult<()> {
    let mut current: Option<(HeaderName, bool)> = None;
    for (name, value) in defaults {
        if let Some(name) = name {
            // Each sets a cookie of its own: RFC 9110 section 5.3.
            let missing = name == SET_COOKIE || !map.contains_key(&name);
            current = Some((name, missing));
        }
        // A repeated field comes without its name after the first time.
        if let Some((name, true)) = &current {
            has_room(map.len())?;
            map.append(name.clone(), value);
        }
    }
    Ok(())
}

/// That there may be one more field beside `count`.
fn has_room(count: usize) -> PyResult<()> {
    if count < MAX_FIELDS {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("an answer has at most {MAX_FIELDS} header fields")))
}

fn read_field<'py>(
    name: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
    take: &mut impl FnMut(&Bound<'py, PyAny>, &HeaderName, HeaderValue) -> PyResult<()>,
) -> PyResult<()> {
    let read = || HeaderName::from_bytes(text(name).ok()??.as_bytes()).ok();
    let Some(known) = header_names::of(name, read) else {
        let Some(written) = text(name)? else {
            let found = name.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "the name of a header is str or bytes, not `{found}`"
            )));
        };
        let shown = String::from_utf8_lossy(written.as_bytes());
        return Err(PyValueError::new_err(format!("{shown:?} is no name of a header")));
    };
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        for item in value.try_iter()? {
            take(name, &known, read_value(&known, &item?)?)?;
        }
        return Ok(());
    }
    take(name, &known, read_value(&known, value)?)
}

fn read_value(name: &HeaderName, value: &Bound<'_, PyAny>) -> PyResult<HeaderValue> {
    let text = match text(value)? {
        Some(text) => text,
        None if value.is_instance_of::<PyInt>() => value.str()?.encode_utf8()?,
        None => {
            let found = value.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "the header `{name}` is str, bytes or int, not `{found}`"
            )));
        }
    };
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        let shown = String::from_utf8_lossy(text.as_bytes());
        PyValueError::new_err(format!(
            "the header `{name}` cannot be {shown:?}: it has a line break or a control character"
        ))
    })
}

/// The bytes of a `str` (as UTF-8) or `bytes`; `None` for anything else.
fn text<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    match object.cast::<PyString>() {
        Ok(text) => text.encode_utf8().map(Some),
        Err(_) => Ok(object.cast::<PyBytes>().ok().cloned()),
    }
}
