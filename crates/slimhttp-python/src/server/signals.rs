//! `Signals`: what `run()` says of the signals that it handles (see `pending_signals` in the
//! bridge), and what some of them ask for. Called on the main thread.

use pyo3::prelude::*;
use slimhttp_bridge::pending_signals::PendingSignals;

use crate::server::state::Server;

/// How many of the requests are named that the end of a server waits for.
const NAMED: usize = 3;

/// The signals of one server, while `run()` serves.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Signals(pub(crate) Py<Server>);

impl Signals {
    fn pending(&self) -> &PendingSignals {
        &self.0.get().dispatcher.bridge.pending_signals
    }
}

#[pymethods]
impl Signals {
    /// Begins to see to it that signals are handled.
    fn begin_serving(&self) {
        self.pending().begin_serving();
    }

    /// Ends that.
    fn end_serving(&self) {
        self.pending().end_serving();
    }

    /// Python has reacted to the signals that came; whether one of them may have
    /// been sent once more by the server.
    fn handled(&self) -> bool {
        self.pending().handled()
    }

    /// Python is about to send a signal itself.
    fn expect(&self) {
        self.pending().expect();
    }

    /// Opens the files of the access logs anew.
    fn reopen_logs(&self, py: Python<'_>) {
        py.detach(|| self.0.get().core.reopen_access_logs());
    }

    /// What the end of the server waits for, in a few words, or None; with it what
    /// Python works at now, some of it.
    fn waits_for(&self, py: Python<'_>) -> Option<String> {
        let server = self.0.get();
        py.detach(|| {
            let what = server.core.describe_in_flight()?;
            let mut running = server.dispatcher.bridge.queue.subjects();
            running.sort();
            running.dedup();
            let more = if running.len() > NAMED { " and others" } else { "" };
            running.truncate(NAMED);
            match running.join(", ") {
                none if none.is_empty() => Some(what),
                running => Some(format!("{what} ({running}{more})")),
            }
        })
    }
}
