//! Bytes and text of Python, copied: what the server sends belongs to no interpreter.

use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};

/// The bytes that an object of bytes or text holds; `None` for another type.
/// They are copied: what a response holds must not be Python's.
///
/// # Errors
/// For text that is no UTF-8.
pub(crate) fn read_bytes(object: &Bound<'_, PyAny>) -> PyResult<Option<Bytes>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Some(Bytes::copy_from_slice(bytes.as_bytes())));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Some(Bytes::copy_from_slice(text.to_cow()?.as_bytes())));
    }
    if let Ok(bytes) = object.cast::<PyByteArray>() {
        return Ok(Some(bytes.to_vec().into()));
    }
    if let Ok(view) = object.cast::<PyMemoryView>() {
        let bytes = view.call_method0(intern!(object.py(), "tobytes"))?;
        return Ok(Some(Bytes::copy_from_slice(bytes.cast::<PyBytes>()?.as_bytes())));
    }
    Ok(None)
}
