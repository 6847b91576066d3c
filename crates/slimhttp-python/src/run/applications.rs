//! The applications that the package has started: their objects by number. The package puts them
//! in and takes them out (`slimHTTP._applications`), on the thread that makes a change or the event
//! loop's; calls look them up on a thread in `turn()` (WSGI) or on the event loop's (ASGI).
//!
//! Whether requests of one are in flight nobody counts: each holds the scope that planned it, and
//! the scope the application as it is written. So there are none once that is gone.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyDict;
use slimhttp_site::application::{Application, ApplicationId};

use crate::run::wsgi::environ::Environs;

/// An application that has started.
pub(crate) struct Hosted {
    /// What is called.
    pub(crate) callable: Py<PyAny>,
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
    /// Each of them as the sites have named it that are, or were, in force.
    named: Mutex<HashMap<ApplicationId, Vec<Weak<Application>>>>,
}

impl Applications {
    /// Puts an application in.
    pub(crate) fn add(&self, id: ApplicationId, hosted: Hosted) {
        let old = self.hosted.lock().insert(id, Arc::new(hosted));
        drop(old);
    }

    /// Takes an application out.
    pub(crate) fn remove(&self, id: ApplicationId) {
        self.named.lock().remove(&id);
        let old = self.hosted.lock().remove(&id);
        drop(old);
    }

    /// Records that the site in force names `application`.
    pub(crate) fn record(&self, application: &Arc<Application>) {
        let mut named = self.named.lock();
        let known = named.entry(application.id).or_default();
        known.retain(|earlier| earlier.strong_count() > 0);
        if !known.iter().any(|earlier| std::ptr::eq(earlier.as_ptr(), Arc::as_ptr(application))) {
            known.push(Arc::downgrade(application));
        }
    }

    /// Whether a site names an application, or a request is in flight that one has planned for it.
    pub(crate) fn is_in_use(&self, id: ApplicationId) -> bool {
        let named = self.named.lock();
        named.get(&id).is_some_and(|known| known.iter().any(|it| it.strong_count() > 0))
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
