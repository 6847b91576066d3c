//! The result of `on_upgrade`, on its way from the program to the answer.

use parking_lot::Mutex;
use pyo3::prelude::*;
use slimhttp_server::handler::Answer;

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
