//! The route table that one run of a module fills, matched by the rules of the site's routes.
//! Used on the thread that runs the module.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use parking_lot::{Mutex, MutexGuard};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyTuple;
use slimhttp_site::methods::Methods;
use slimhttp_site::route::{HandlerId, Route, RouteKind, RouteMatch, RouteTable};

use crate::convert::values::params_dict;

/// The methods that Python names; `None` is every method.
///
/// # Errors
/// `ValueError` for an empty list and for what is no method.
pub(crate) fn read_methods(methods: Option<Vec<String>>) -> PyResult<Methods> {
    let Some(names) = methods else { return Ok(Methods::Any) };
    if names.is_empty() {
        return Err(PyValueError::new_err("`methods` is empty: a route that answers nothing"));
    }
    let methods = names.iter().map(|name| {
        Method::from_bytes(name.to_ascii_uppercase().as_bytes())
            .map_err(|_| PyValueError::new_err(format!("`methods`: {name:?} is no method")))
    });
    Ok(Methods::Only(methods.collect::<PyResult<Vec<_>>>()?.into()))
}

/// The kind of a route as the Python side names it.
///
/// # Errors
/// `ValueError` for another name.
pub(crate) fn read_kind(kind: &str) -> PyResult<RouteKind> {
    match kind {
        "whole" => Ok(RouteKind::Whole),
        "streamed" => Ok(RouteKind::Streamed),
        _ => Err(PyValueError::new_err(format!("{kind:?} is no kind of a route"))),
    }
}

/// The message for a pattern that the table refused.
fn bad_pattern(pattern: &str, expected: &str) -> PyErr {
    PyValueError::new_err(format!("route {pattern:?}: expected {expected}"))
}

/// A route table for the routes that a module registers while it runs.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
#[derive(Default)]
pub(crate) struct Routes {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    table: RouteTable,
    callables: HashMap<HandlerId, Py<PyAny>>,
    count: u64,
}

impl Routes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[pymethods]
impl Routes {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Registers a handler; one of the same path is replaced. ValueError for a
    /// bad pattern or method.
    fn add(
        &self,
        path: &str,
        methods: Option<Vec<String>>,
        prefix: bool,
        handler: Py<PyAny>,
    ) -> PyResult<()> {
        let methods = read_methods(methods)?;
        let mut state = self.lock();
        let id = HandlerId(state.count);
        let route = {
            // What a module's own routes are asked has been read for the module already.
            let kind = RouteKind::Whole;
            Route { pattern: Arc::from(path), methods, prefix, kind, handler: id }
        };
        let replaced =
            state.table.insert(route).map_err(|expected| bad_pattern(path, &expected))?;
        state.count += 1;
        let gone: Vec<_> = replaced.iter().map(|id| state.callables.remove(id)).collect();
        state.callables.insert(id, handler);
        drop(state);
        drop(gone);
        Ok(())
    }

    /// `(callable, params)`; `('methods', allow)` where the path is known but
    /// not for this method; None where no route has it.
    fn find<'py>(
        &self,
        py: Python<'py>,
        path: &str,
        method: &str,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| PyValueError::new_err(format!("{method:?} is no method")))?;
        let state = self.lock();
        let found = state.table.find(path.as_bytes(), &method);
        let callable = match &found {
            RouteMatch::Handler(id, ..) => state.callables.get(id).map(|found| found.clone_ref(py)),
            RouteMatch::OtherMethods(_) | RouteMatch::Nothing => None,
        };
        drop(state);
        Ok(match found {
            RouteMatch::Nothing => None,
            RouteMatch::OtherMethods(methods) => {
                Some((intern!(py, "methods"), methods.to_string()).into_pyobject(py)?)
            }
            RouteMatch::Handler(.., params) => match callable {
                Some(callable) => Some((callable, params_dict(py, &params)?).into_pyobject(py)?),
                None => None,
            },
        })
    }

    fn __len__(&self) -> usize {
        self.lock().table.iter().count()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.state.try_lock() else { return Ok(()) };
        for callable in state.callables.values() {
            visit.call(callable)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        let state = std::mem::take(&mut *self.lock());
        drop(state);
    }
}

/// What the pattern takes from the path, or None where it does not fit. By the
/// rules of routes. ValueError for a bad pattern.
#[pyfunction]
pub(crate) fn match_route<'py>(
    py: Python<'py>,
    pattern: &str,
    path: &str,
) -> PyResult<Option<Bound<'py, pyo3::types::PyDict>>> {
    let mut table = RouteTable::default();
    let handler = HandlerId(0);
    let (methods, kind) = (Methods::Any, RouteKind::Whole);
    let route = Route { pattern: Arc::from(pattern), methods, prefix: false, kind, handler };
    table.insert(route).map_err(|expected| bad_pattern(pattern, &expected))?;
    match table.find(path.as_bytes(), &Method::GET) {
        RouteMatch::Handler(.., params) => params_dict(py, &params).map(Some),
        RouteMatch::OtherMethods(_) | RouteMatch::Nothing => Ok(None),
    }
}
