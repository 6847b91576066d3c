//! Addresses as text. The one that was asked for last is mostly asked for again.

use std::net::IpAddr;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// An IP address as text.
pub(crate) fn ip_text(py: Python<'_>, ip: IpAddr) -> Bound<'_, PyString> {
    static LAST: Mutex<Option<(IpAddr, Py<PyString>)>> = Mutex::new(None);
    if let Some((known, text)) = &*LAST.lock()
        && *known == ip
    {
        return text.bind(py).clone();
    }
    let text = PyString::new(py, &ip.to_string());
    let before = LAST.lock().replace((ip, text.clone().unbind()));
    drop(before);
    text
}
