//! One interpreter of a process has slimHTTP, the first that imports it. Types,
//! handlers and the log are the process's own here, and an object that reaches
//! another interpreter through them would break both.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

/// Where the module `sys` of that interpreter stands: each has its own, for as
/// long as it lives.
static OWNER: AtomicUsize = AtomicUsize::new(0);

/// Makes the current interpreter the one.
///
/// # Errors
/// ImportError in every other one.
pub(crate) fn claim(py: Python<'_>) -> PyResult<()> {
    let this = py.import("sys")?.as_ptr() as usize;
    match OWNER.compare_exchange(0, this, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(()),
        Err(owner) if owner == this => Ok(()),
        Err(_) => Err(PyImportError::new_err(
            "slimHTTP works in one interpreter of a process, and another one has imported it: \
             use threads, or processes, in place of subinterpreters",
        )),
    }
}
