//! `request.form` and `request.files`: read together, from the content that is
//! there or as it comes in.

use std::os::fd::IntoRawFd;
use std::path::PathBuf;

use bytes::Bytes;
use pyo3::exceptions::{PyException, PyOSError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple};
use slimhttp_bridge::forms::{Form, FormFault, Kind, Limits, Parser, Upload, UploadData};
use slimhttp_server::Content;

use super::HttpRequest;
use super::attributes::Attribute;
use crate::convert::errors::ContentError;
use crate::objects::content::{content_type, next_chunk};

/// The pair of fields and uploads; both are empty where the content is no form.
///
/// # Errors
/// `MalformedContent` and `ContentTooLarge`, what keeps the content from coming,
/// and `OSError` from the disk.
pub(super) fn read<'py>(py: Python<'py>, request: &HttpRequest) -> PyResult<Bound<'py, PyAny>> {
    let attributes = &request.attributes;
    let comes_once = matches!(request.source().body, Content::Streamed(_))
        && attributes.peek(py, Attribute::Payload).is_none();
    if !comes_once {
        return read_now(py, request);
    }
    // What was read of it is gone. Who asks again after a fault is told the same,
    // and never that the rest were the form.
    if let Some(fault) = attributes.peek(py, Attribute::FormFault) {
        let (class, arguments): (Bound<'py, PyAny>, Bound<'py, PyTuple>) = fault.extract(py)?;
        return Err(PyErr::from_value(class.call1(arguments)?));
    }
    read_now(py, request).inspect_err(|error| {
        // How it is made, and not itself: it holds the frames that hold the request.
        let made = error.value(py).call_method0(intern!(py, "__reduce__"));
        let made = made.and_then(|made| made.cast_into::<PyTuple>().map_err(PyErr::from));
        if let Ok(made) = made
            && error.is_instance_of::<PyException>(py)
        {
            attributes.set(Attribute::FormFault, made.get_slice(0, 2).into_any());
        }
    })
}

fn read_now<'py>(py: Python<'py>, request: &HttpRequest) -> PyResult<Bound<'py, PyAny>> {
    let raised = |fault| raised(py, fault);
    let source = request.source();
    let kind = content_type(&source).map_or(Ok(None), Kind::of).map_err(raised)?;
    let Some(kind) = kind else { return build(py, Form::default()) };
    let options = &source.scope.options;
    let limits = Limits { memory: options.form_memory, parts: options.form_parts };
    let mut parser = Parser::new(kind, limits);
    // Feeding copies and writes: nobody shall wait for that.
    let mut feed = |piece: Bytes| py.detach(|| parser.feed(piece)).map_err(raised);
    match (request.attributes.peek(py, Attribute::Payload), &source.body) {
        (Some(payload), _) => {
            let payload = payload.bind(py).cast::<PyBytes>()?;
            feed(Bytes::copy_from_slice(payload.as_bytes()))?;
        }
        (None, Content::Whole(whole)) => feed(whole.clone())?,
        (None, Content::Streamed(stream)) => {
            while let Some(chunk) = next_chunk(py, stream)? {
                feed(chunk)?;
            }
        }
    }
    build(py, py.detach(|| parser.finish()).map_err(raised)?)
}

fn raised(py: Python<'_>, fault: FormFault) -> PyErr {
    match fault {
        FormFault::Malformed(why) => ContentError::Malformed.raised(py, why),
        FormFault::TooLarge(why) => ContentError::TooLarge.raised(py, why),
        FormFault::Disk { folder, error } => on_disk(folder, &error),
    }
}

/// `OSError` as Python's own functions raise it, of the folder.
fn on_disk(folder: PathBuf, error: &std::io::Error) -> PyErr {
    // The number goes into an argument of its own.
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or(&text);
    let message = format!("an upload cannot be kept in the folder for temporary files: {reason}");
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, message, folder.into_os_string())),
        None => PyOSError::new_err(format!("{message} ({})", folder.display())),
    }
}

/// A form as Python has it.
fn build(py: Python<'_>, form: Form) -> PyResult<Bound<'_, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let upload = |upload: Upload| {
        let Upload { name, filename, headers, data } = upload;
        let (bytes, start, length) = match &data {
            UploadData::Memory(held) => (PyBytes::new(py, held), 0, held.len() as u64),
            UploadData::File { start, length } => (PyBytes::new(py, b""), *start, *length),
        };
        let in_file = matches!(data, UploadData::File { .. });
        (name, filename, headers, bytes, in_file, start, length).into_pyobject(py)
    };
    let uploads = form.uploads.into_iter().map(upload);
    let uploads = uploads.collect::<PyResult<Vec<Bound<'_, PyTuple>>>>()?;
    let make = MAKE.import(py, "slimHTTP._message._forms", "read_form")?;
    let descriptor = form.file.map(IntoRawFd::into_raw_fd);
    make.call1((form.fields, uploads, descriptor))
}
