//! Python objects → JSON text, for objects of the plain types: what is written
//! here is byte for byte what Python's encoder writes (see `_json.py` for how
//! it is set). Everything else (subclasses, keys that are no text, numbers
//! that JSON has not, texts that are no UTF-8, what is nested deeply or contains
//! itself) is left to that encoder, which also knows the errors.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// How deep lists and dicts are followed.
const DEPTH: usize = 64;

/// The JSON text of `object`; `None` where Python's encoder has to be asked.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn text(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    let mut out = Vec::with_capacity(128);
    Ok(write(object, &mut out, DEPTH)?.then_some(out))
}

/// Writes `object` at the end of `out`; whether it is all of plain types.
fn write(object: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> PyResult<bool> {
    if depth == 0 {
        return Ok(false);
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        return Ok(write_text(text, out));
    }
    if let Ok(dict) = object.cast_exact::<PyDict>() {
        return write_dict(dict, out, depth - 1);
    }
    if let Ok(list) = object.cast_exact::<PyList>() {
        return write_items(list.iter(), out, depth - 1);
    }
    if let Ok(number) = object.cast_exact::<PyInt>() {
        return match number.extract::<i64>() {
            Ok(number) => Ok(serde_json::to_writer(out, &number).is_ok()),
            Err(_) => Ok(false),
        };
    }
    if object.is_none() {
        out.extend_from_slice(b"null");
    } else if let Ok(truth) = object.cast_exact::<PyBool>() {
        out.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
    } else if let Ok(number) = object.cast_exact::<PyFloat>() {
        if !number.value().is_finite() {
            return Ok(false);
        }
        // Where an exponent begins, Python and Rust do not agree.
        out.extend_from_slice(number.repr()?.to_cow()?.as_bytes());
    } else if let Ok(tuple) = object.cast_exact::<PyTuple>() {
        return write_items(tuple.iter(), out, depth - 1);
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn write_dict(dict: &Bound<'_, PyDict>, out: &mut Vec<u8>, depth: usize) -> PyResult<bool> {
    out.push(b'{');
    for (position, (key, value)) in dict.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        let Ok(key) = key.cast_exact::<PyString>() else { return Ok(false) };
        if !write_text(key, out) {
            return Ok(false);
        }
        out.push(b':');
        if !write(&value, out, depth)? {
            return Ok(false);
        }
    }
    out.push(b'}');
    Ok(true)
}

fn write_items<'py>(
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    out: &mut Vec<u8>,
    depth: usize,
) -> PyResult<bool> {
    out.push(b'[');
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        if !write(&item, out, depth)? {
            return Ok(false);
        }
    }
    out.push(b']');
    Ok(true)
}

/// A text with lone surrogates is none that UTF-8 has.
fn write_text(text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> bool {
    text.to_cow().is_ok_and(|text| serde_json::to_writer(out, &*text).is_ok())
}
