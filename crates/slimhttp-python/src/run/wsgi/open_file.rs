//! The file of the system behind a file object, which the server then sends by itself: from the
//! position at which the object stands. Whatever has bytes of its own (`io.BytesIO`), makes them
//! (`gzip.GzipFile`) or is no regular file (a pipe) is none, and is read as any iterable.

use std::fs::{self, File};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use crate::objects::contexts::Contexts;

/// A regular file, and where in it the bytes to be sent are.
pub(super) struct OpenFile {
    /// Opened anew, so that it is read beside the object of the program.
    pub(super) file: File,
    /// Where they begin.
    pub(super) offset: u64,
    /// How many there are.
    pub(super) length: u64,
}

impl OpenFile {
    /// The file behind `object`, asked within `context`; `None` where there is none that can be
    /// sent so, whatever the reason: reading the object tells it then.
    pub(super) fn behind(
        contexts: &Contexts,
        context: &Bound<'_, PyAny>,
        object: &Bound<'_, PyAny>,
    ) -> Option<Self> {
        let py = object.py();
        if !is_plain(object).ok()? {
            return None;
        }
        let ask = |name| contexts.run(py, (context, object.getattr(name).ok()?)).ok();
        let descriptor: u32 = ask(intern!(py, "fileno"))?.extract().ok()?;
        let offset: u64 = ask(intern!(py, "tell"))?.extract().ok()?;
        let path = format!("/dev/fd/{descriptor}");
        // First of all, for to open a pipe would wait.
        if !fs::metadata(&path).ok()?.is_file() {
            return None;
        }
        let file = File::open(path).ok()?;
        let size = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        Some(Self { file, offset, length: size.saturating_sub(offset) })
    }
}

/// Whether the bytes of a file object are those of its descriptor. What is no object of `io` says
/// so by its `fileno` (PEP 3333, "Optional Platform-Specific File Handling"), such as files of
/// `tempfile` and of Django.
fn is_plain(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static BASE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static RAW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static BUFFERED: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    let py = object.py();
    let raw = RAW.import(py, "io", "FileIO")?;
    if !object.is_instance(BASE.import(py, "io", "IOBase")?)? || object.is_instance(raw)? {
        return Ok(true);
    }
    let buffered = BUFFERED.get_or_try_init(py, || -> PyResult<_> {
        let io = py.import(intern!(py, "io"))?;
        let classes = ["BufferedReader", "BufferedRandom"].map(|name| io.getattr(name));
        let [reader, random] = classes;
        Ok(PyTuple::new(py, [reader?, random?])?.unbind())
    })?;
    if !object.is_instance(buffered.bind(py))? {
        return Ok(false);
    }
    object.getattr(intern!(py, "raw"))?.is_instance(raw)
}
