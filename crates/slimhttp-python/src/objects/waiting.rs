//! Objects that wait until something has come for them, and then go on on the event loop's thread:
//! readers of contents. An I/O thread knows one by its number; the loop's thread takes it back by
//! that. No Python runs under the lock.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_bridge::bridge::Bridge;
use slimhttp_bridge::job_id::JobId;

/// Those of one server.
pub(crate) struct WaitingObjects {
    /// Where a job is queued when something has come.
    pub(crate) bridge: Arc<Bridge>,
    objects: Mutex<HashMap<JobId, Py<PyAny>>>,
}

impl WaitingObjects {
    /// None yet.
    pub(crate) fn new(bridge: Arc<Bridge>) -> Self {
        Self { bridge, objects: Mutex::default() }
    }

    /// Keeps an object until it is taken back.
    pub(crate) fn keep(&self, id: JobId, object: Py<PyAny>) {
        let old = self.lock().insert(id, object);
        drop(old);
    }

    /// Takes back an object.
    pub(crate) fn take(&self, id: JobId) -> Option<Py<PyAny>> {
        self.lock().remove(&id)
    }

    /// Takes back all of them.
    pub(crate) fn take_all(&self) -> HashMap<JobId, Py<PyAny>> {
        std::mem::take(&mut *self.lock())
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(objects) = self.objects.try_lock() else { return Ok(()) };
        objects.values().try_for_each(|object| visit.call(object))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Py<PyAny>>> {
        self.objects.lock()
    }
}
