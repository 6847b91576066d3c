//! The applications that the package has started: their objects by number. The package puts them
//! in and takes them out (`slimHTTP._applications`), on the thread that makes a change; calls look
//! them up on a thread in `turn()` (WSGI) or on the event loop's (ASGI).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyDict;
use slimhttp_site::application::ApplicationId;

use crate::run::wsgi::environ::Environs;

/// What a started application speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// ASGI 3.
    Asgi,
    /// WSGI.
    Wsgi,
}

/// An application that has started.
pub(crate) struct Hosted {
    /// What is called.
    pub(crate) callable: Py<PyAny>,
    /// What it speaks.
    pub(crate) protocol: Protocol,
    /// What its lifespan has put into the state, which each of its scopes gets a copy of.
    pub(crate) state: Option<Py<PyDict>>,
    /// What messages call it.
    pub(crate) label: Arc<str>,
    /// What its requests have in common, by WSGI.
    pub(crate) environs: Environs,
}

/// Those of one server.
#[derive(Default)]
pub(crate) struct Applications {
    hosted: Mutex<HashMap<ApplicationId, Arc<Hosted>>>,
}

impl Applications {
    /// Puts an application in.
    pub(crate) fn add(&self, id: ApplicationId, hosted: Hosted) {
        let old = self.hosted.lock().insert(id, Arc::new(hosted));
        drop(old);
    }

    /// Takes an application out.
    pub(crate) fn remove(&self, id: ApplicationId) {
        let old = self.hosted.lock().remove(&id);
        drop(old);
    }

    /// The application of a number.
    pub(crate) fn get(&self, id: ApplicationId) -> Option<Arc<Hosted>> {
        self.hosted.lock().get(&id).cloned()
    }

    /// Takes all of them out.
    pub(crate) fn clear(&self) {
        let hosted = std::mem::take(&mut *self.hosted.lock());
        drop(hosted);
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(hosted) = self.hosted.try_lock() else { return Ok(()) };
        for application in hosted.values() {
            visit.call(&application.callable)?;
            visit.call(&application.state)?;
        }
        Ok(())
    }
}
