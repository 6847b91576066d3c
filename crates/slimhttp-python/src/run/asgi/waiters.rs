//! The futures on which an application waits, in `receive` or `send`. Whatever changes, all of
//! them are resolved, and each that waited looks whether it was meant. On the loop's thread.

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

use crate::convert::asyncio::running_loop;

/// Beyond so many, those that nobody awaits any more are dropped as another one is added.
const FEW: usize = 4;

/// Those of one exchange.
#[derive(Default)]
pub(super) struct Waiters(Mutex<Vec<Py<PyAny>>>);

impl Waiters {
    /// One more.
    ///
    /// # Errors
    /// `RuntimeError` where no event loop runs.
    pub(super) fn add<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let future = running_loop(py)?.call_method0(intern!(py, "create_future"))?;
        let mut futures = std::mem::take(&mut *self.0.lock());
        if futures.len() >= FEW {
            futures.retain(|future| !is_done(future.bind(py)));
        }
        futures.push(future.clone().unbind());
        self.0.lock().append(&mut futures);
        Ok(future)
    }

    /// Lets all of them go on.
    ///
    /// # Errors
    /// What keeps the event loop from going on.
    pub(super) fn wake(&self, py: Python<'_>) -> PyResult<()> {
        let futures = std::mem::take(&mut *self.0.lock());
        for future in futures {
            let future = future.bind(py);
            if !is_done(future) {
                future.call_method1(intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(())
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(futures) = self.0.try_lock() else { return Ok(()) };
        futures.iter().try_for_each(|future| visit.call(future))
    }
}

/// Whether it is resolved, or cancelled.
fn is_done(future: &Bound<'_, PyAny>) -> bool {
    let done = future.call_method0(intern!(future.py(), "done"));
    done.and_then(|done| done.is_truthy()).unwrap_or(true)
}
