//! Bytes of HTTP as WSGI has them: text of which each character is a byte (PEP 3333, "Unicode
//! Issues").

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Bytes as such text.
pub(crate) fn text<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => PyString::new(py, text),
        _ => PyString::new(py, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>()),
    }
}

/// What `read` makes of the bytes of such text; `None` where a character is none.
pub(crate) fn with_bytes<T>(
    text: &Bound<'_, PyString>,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<T> {
    // It fails for a surrogate alone, which is no byte either.
    let encoded = text.encode_utf8().ok()?;
    let bytes = encoded.as_bytes();
    if bytes.is_ascii() {
        return read(bytes);
    }
    let characters = std::str::from_utf8(bytes).ok()?.chars();
    read(&characters.map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>()?)
}
