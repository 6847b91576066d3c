//! The path of a value in a configuration, as `http.config` names it: the keys from the
//! outermost table inwards.

use std::sync::Arc;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

/// A path through the tables of a configuration.
pub(crate) type ConfigPath = Vec<Arc<str>>;

/// A path as Python gives it.
pub(crate) fn config_path(path: Vec<String>) -> ConfigPath {
    path.into_iter().map(Into::into).collect()
}

/// `KeyError` of the last key of a path.
pub(crate) fn key_error(path: &[Arc<str>]) -> PyErr {
    PyKeyError::new_err(path.last().map(|key| key.to_string()).unwrap_or_default())
}
