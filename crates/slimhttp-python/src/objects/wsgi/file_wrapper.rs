//! `wsgi.file_wrapper`: a file that an application answers with. One that is a file of the system
//! is sent by the server (`run::wsgi::open_file`); any other is read in blocks, as an iterable.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;

/// How many bytes are read at a time, at least, of what is in memory: nothing is waited for
/// there, and each block is a job.
const IN_MEMORY: usize = 64 * 1024;

/// A file to be sent.
#[pyclass(frozen, name = "FileWrapper", module = "slimHTTP._slimhttp")]
pub(crate) struct FileWrapper {
    /// What has the bytes.
    #[pyo3(get)]
    pub(crate) filelike: Py<PyAny>,
    /// How many are read at a time.
    #[pyo3(get)]
    blksize: usize,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, blksize=8192))]
    fn new(filelike: Py<PyAny>, blksize: usize) -> Self {
        Self { filelike, blksize }
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        static BYTES_IO: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let file = self.filelike.bind(py);
        let size = match file.is_instance(BYTES_IO.import(py, "io", "BytesIO")?)? {
            true => self.blksize.max(IN_MEMORY),
            false => self.blksize,
        };
        let block = file.call_method1(intern!(py, "read"), (size,))?;
        Ok(if block.is_truthy()? { Some(block) } else { None })
    }

    /// Closes the file, if it can be closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.filelike.bind(py).getattr_opt(intern!(py, "close"))? {
            Some(close) => close.call0().map(drop),
            None => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.filelike)
    }
}
