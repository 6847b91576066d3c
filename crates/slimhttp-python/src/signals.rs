//! `Signals`: what `run()` tells of signals, see `unheeded`.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::desk::Desk;

/// The signals of one server, while `run()` serves.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Signals(pub(crate) Arc<Desk>);

#[pymethods]
impl Signals {
    /// Begins to see to it that signals are heeded.
    fn guard(&self) {
        self.0.unheeded.guard();
    }

    /// Ends that.
    fn release(&self) {
        self.0.unheeded.release();
    }

    /// Python has reacted to the signals that came; whether one of them may have
    /// been sent once more by the server.
    fn heed(&self) -> bool {
        self.0.unheeded.heed()
    }

    /// Python is about to send a signal itself.
    fn expect(&self) {
        self.0.unheeded.expect();
    }
}
