//! `Upgrade`: that another process takes over from this one, as `slimHTTP._upgrade` goes about it.
//! Called on threads of Python that serve nobody, with Python released.

use pyo3::prelude::*;
use slimhttp_cli::handover;

use crate::run::turn;
use crate::server::state::Server;

/// The upgrades of this process.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Upgrade(handover::Upgrade);

impl Upgrade {
    pub(super) fn new(upgrade: handover::Upgrade) -> Self {
        Self(upgrade)
    }
}

#[pymethods]
impl Upgrade {
    /// Starts a process that is to take over from `server`, if that is possible now. Gives what is
    /// to be done, see `look`.
    fn begin(&self, py: Python<'_>, server: &Bound<'_, Server>) -> &'static str {
        let server = &server.get().core;
        word(py.detach(|| self.0.begin(server)))
    }

    /// Waits up to `timeout` seconds for what that process says, and gives what is to be done:
    /// `serve`; `look again`; `retire`, for that process serves; `make room`, for it serves when
    /// this one has ended.
    fn look(&self, py: Python<'_>, server: &Bound<'_, Server>, timeout: f64) -> &'static str {
        let (server, timeout) = (&server.get().core, turn::seconds(timeout));
        word(py.detach(|| self.0.look(server, timeout)))
    }

    /// Lets the process go on that waits for the end of this one, if one does.
    fn let_go(&self, py: Python<'_>) {
        py.detach(|| self.0.let_go());
    }

    /// Ends the process that is starting, if one is.
    fn abandon(&self, py: Python<'_>, server: &Bound<'_, Server>) {
        let server = &server.get().core;
        py.detach(|| self.0.abandon(server));
    }
}

fn word(step: handover::Step) -> &'static str {
    match step {
        handover::Step::Serve => "serve",
        handover::Step::LookAgain => "look again",
        handover::Step::Retire => "retire",
        handover::Step::MakeRoom => "make room",
    }
}
