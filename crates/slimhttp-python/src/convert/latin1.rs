//! Bytes of HTTP as WSGI has them: text of which each character is a byte (PEP 3333, "Unicode
//! Issues").

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Bytes as such text.
pub(crate) fn text<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => PyString::new(py, text),
        _ => PyString::new(py, &bytes.iter().map(|byte| char::from(*byte)).collect::<String>()),
    }
}

/// The bytes of such text; `None` where a character is none.
pub(crate) fn bytes<'t>(text: &'t Bound<'_, PyString>) -> Option<Cow<'t, [u8]>> {
    // It fails for a surrogate alone, which is no byte either.
    let text = text.to_cow().ok()?;
    if text.is_ascii() {
        return Some(match text {
            Cow::Borrowed(text) => text.as_bytes().into(),
            Cow::Owned(text) => text.into_bytes().into(),
        });
    }
    text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>().map(Cow::Owned)
}
