//! `wsgi.errors`: text that an application writes becomes lines of the log, at ERROR: as it has
//! written them, the application being an attribute of the record. One serves
//! all requests of an application. A line is kept until it ends, apart for each thread, since
//! several threads write at once; one that is too long is divided.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// How long a line may be, in bytes.
const LONGEST: usize = 8 * 1024;

/// Of how many threads lines are kept that have not ended.
const THREADS: usize = 64;

/// The errors of an application.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Errors {
    /// Which application it is, without more words.
    name: Arc<str>,
    begun: Mutex<Vec<(ThreadId, String)>>,
    has_begun: AtomicBool,
}

impl Errors {
    /// Those of the application that messages call `label`.
    pub(crate) fn new(label: Arc<str>) -> Self {
        let name = label.strip_prefix("application `").and_then(|name| name.strip_suffix('`'));
        let name = name.map(Arc::from).unwrap_or(label);
        Self { name, begun: Mutex::default(), has_begun: AtomicBool::new(false) }
    }

    /// Logs what this thread has begun and not ended; called when a request is answered.
    pub(crate) fn end_line(&self) {
        if self.has_begun.load(Ordering::Relaxed) {
            self.log(&self.take_begun());
        }
    }

    fn take_begun(&self) -> String {
        let this = std::thread::current().id();
        let mut begun = self.begun.lock();
        let known = begun.iter().position(|(thread, _)| *thread == this);
        let line = known.map(|at| begun.swap_remove(at).1).unwrap_or_default();
        self.has_begun.store(!begun.is_empty(), Ordering::Relaxed);
        line
    }

    fn keep(&self, line: String) {
        let mut begun = self.begun.lock();
        let oldest = (begun.len() >= THREADS).then(|| begun.remove(0).1);
        begun.push((std::thread::current().id(), line));
        self.has_begun.store(true, Ordering::Relaxed);
        drop(begun);
        if let Some(oldest) = oldest {
            self.log(&oldest);
        }
    }

    fn log(&self, line: &str) {
        if !line.trim().is_empty() {
            tracing::error!(application = &*self.name, "{}", line.trim_end());
        }
    }

    fn add(&self, text: &str) {
        let mut line = self.take_begun();
        for piece in text.split_inclusive('\n') {
            line.push_str(piece);
            while line.len() > LONGEST {
                let at = (0..=LONGEST).rev().find(|at| line.is_char_boundary(*at));
                let rest = line.split_off(at.expect("0 is one"));
                self.log(&line);
                line = rest;
            }
            if line.ends_with('\n') {
                self.log(&line);
                line.clear();
            }
        }
        if !line.is_empty() {
            self.keep(line);
        }
    }
}

#[pymethods]
impl Errors {
    /// Logs each line that ends within the text.
    fn write(&self, text: &Bound<'_, PyAny>) -> PyResult<usize> {
        let Ok(text) = text.cast::<PyString>() else {
            let found = text.get_type().name()?;
            return Err(PyTypeError::new_err(format!("`wsgi.errors` takes str, not `{found}`")));
        };
        self.add(&text.to_string_lossy());
        text.len()
    }

    /// Writes each of several texts.
    fn writelines(&self, texts: &Bound<'_, PyAny>) -> PyResult<()> {
        for text in texts.try_iter()? {
            self.write(&text?)?;
        }
        Ok(())
    }

    /// Logs a line that has not ended.
    fn flush(&self) {
        self.end_line();
    }
}
