//! WSGI (PEP 3333): a call of an application is answered on a thread in `turn()`.

use std::sync::Arc;

use pyo3::prelude::*;
use slimhttp_bridge::job::Call;
use slimhttp_site::application::MountedApplication;

use crate::run::applications::Hosted;
use crate::run::dispatcher::Dispatcher;

/// Answers a call by a WSGI application.
///
/// # Errors
/// `KeyboardInterrupt`, and nothing else that an application raises.
pub(crate) fn answer(
    _dispatcher: &Dispatcher,
    _py: Python<'_>,
    _call: Call,
    _hosted: &Arc<Hosted>,
    _place: &Arc<MountedApplication>,
) -> PyResult<()> {
    todo!()
}
