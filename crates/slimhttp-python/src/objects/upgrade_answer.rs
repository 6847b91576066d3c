//! The result of `on_upgrade` as it passes through Python: taken once, when the call is answered.

use parking_lot::Mutex;
use pyo3::prelude::*;
use slimhttp_server::Answer;

/// The result of `on_upgrade` where the connection is the program's now.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct UpgradeAnswer(Mutex<Option<Answer>>);

impl UpgradeAnswer {
    /// That of an answer.
    pub(crate) fn new(answer: Answer) -> Self {
        Self(Mutex::new(Some(answer)))
    }

    /// The answer, once.
    pub(crate) fn take(&self) -> Option<Answer> {
        self.0.lock().take()
    }
}
