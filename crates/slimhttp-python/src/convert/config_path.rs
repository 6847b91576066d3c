//! The path of a value in a configuration, as `http.config` names it: the keys from the
//! outermost table inwards.

use std::sync::Arc;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

/// A way through the tables of a configuration.
pub(crate) type Way = Vec<Arc<str>>;

/// A way as Python gives it.
pub(crate) fn read_way(path: Vec<String>) -> Way {
    path.into_iter().map(Into::into).collect()
}

/// `KeyError` of the last key of a way.
pub(crate) fn key_error(way: &[Arc<str>]) -> PyErr {
    PyKeyError::new_err(way.last().map(|key| key.to_string()).unwrap_or_default())
}
