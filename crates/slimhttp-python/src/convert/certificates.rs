//! What is known of certificates, as dicts for `certificates()`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use slimhttp_server::{CertificateSource, CertificateStatus};

/// A dict for each certificate.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn list<'py>(
    py: Python<'py>,
    all: &[CertificateStatus],
) -> PyResult<Bound<'py, PyList>> {
    let dicts: Vec<_> = all.iter().map(|status| dict(py, status)).collect::<PyResult<_>>()?;
    PyList::new(py, dicts)
}

fn dict<'py>(py: Python<'py>, status: &CertificateStatus) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let (source, certificate, key) = match &status.source {
        CertificateSource::Files { certificate, key } => {
            ("files", Some(certificate.as_os_str()), Some(key.as_os_str()))
        }
        CertificateSource::Automatic => ("automatic", None, None),
    };
    dict.set_item("names", &status.names)?;
    dict.set_item("state", status.state.name())?;
    dict.set_item("vhosts", &status.presented_by)?;
    dict.set_item("source", source)?;
    dict.set_item("cert", certificate)?;
    dict.set_item("key", key)?;
    let facts = status.facts.as_ref();
    dict.set_item("issuer", facts.map(|facts| &*facts.issuer))?;
    dict.set_item("serial", facts.map(|facts| &*facts.serial))?;
    dict.set_item("not_before", facts.map(|facts| facts.not_before))?;
    dict.set_item("not_after", facts.map(|facts| facts.not_after))?;
    dict.set_item("key_type", facts.map(|facts| &*facts.key))?;
    dict.set_item("fingerprint", facts.map(|facts| &*facts.fingerprint))?;
    dict.set_item("fault", &status.fault)?;
    dict.set_item("attempts", status.attempts)?;
    dict.set_item("next_attempt", status.next_attempt)?;
    Ok(dict)
}
