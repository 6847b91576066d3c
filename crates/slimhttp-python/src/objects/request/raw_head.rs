//! The head of a raw response, as programs make it by themselves.

use std::path::PathBuf;

use http::HeaderName;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::HttpRequest;
use super::attributes::Attribute;
use crate::convert::fields;
use crate::convert::values;

/// The status line by `ret_code`, then `response_headers`, then the additional
/// ones, which win, and the blank line.
///
/// # Errors
/// `ValueError` where one of them would break the head.
pub(super) fn build<'py>(
    py: Python<'py>,
    request: &HttpRequest,
    additional_headers: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let additional = match additional_headers {
        Some(headers) => fields::read(headers)?,
        None => Vec::new(),
    };
    let response = match request.touched_response_headers(py) {
        Some(headers) => fields::read(&headers)?,
        None => Vec::new(),
    };
    let is_replaced = |name: &HeaderName| additional.iter().any(|field| field.name == *name);
    let mut head = status_line(py, request)?;
    let response = response.iter().filter(|field| !is_replaced(&field.name));
    for field in response.chain(&additional) {
        head.extend_from_slice(&field.written);
        head.extend_from_slice(b": ");
        head.extend_from_slice(field.value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    Ok(PyBytes::new(py, &head))
}

fn status_line(py: Python<'_>, request: &HttpRequest) -> PyResult<Vec<u8>> {
    let status = request.status(py)?;
    if let Some(mapper) = request.attributes.peek(py, Attribute::RetCodeMapper)
        && let Ok(line) = mapper.bind(py).get_item(status.as_u16())
    {
        let line: Vec<u8> = match line.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes().to_vec(),
            Err(_) => line.str()?.to_cow()?.as_bytes().to_vec(),
        };
        let line = line.trim_ascii_end();
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(PyValueError::new_err(format!(
                "`ret_code_mapper` has no single line for {status}"
            )));
        }
        return Ok([line, b"\r\n"].concat());
    }
    Ok(values::status_line(status).into_bytes())
}

/// The first of `names` (one or a list) that exists under `root`; when none
/// does, the first of them, or `None` unless `return_any`.
///
/// # Errors
/// `TypeError` where a name is none.
pub(super) fn locate<'py>(
    root: &Bound<'py, PyAny>,
    index_files: Bound<'py, PyAny>,
    return_any: bool,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = root.py();
    let names = if index_files.is_instance_of::<PyList>() || index_files.is_instance_of::<PyTuple>()
    {
        index_files.try_iter()?.collect::<PyResult<Vec<_>>>()?
    } else {
        vec![index_files]
    };
    if !root.is_none() {
        let root: PathBuf = root.extract()?;
        for name in &names {
            let path = root.join(name.extract::<PathBuf>()?);
            if py.detach(|| path.is_file()) {
                return Ok(Some(name.clone()));
            }
        }
    }
    Ok(names.into_iter().next().filter(|_| return_any))
}
