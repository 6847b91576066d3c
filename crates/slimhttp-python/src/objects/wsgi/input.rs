//! `wsgi.input`: the content of a request as a file of bytes, one for each request. It reads what
//! has come in and waits for more, with Python released, only where it has to: nothing is read
//! from the client before somebody asks, and no more is held than the chunk that came last. It
//! ends with the content, chunked or not (`wsgi.input_terminated`).

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use slimhttp_server::Content;

use crate::objects::content::next_chunk;

/// The content of a request.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Input(Mutex<State>);

struct State {
    /// What has come and was not read.
    rest: Bytes,
    /// Where more comes from; empty where no more does.
    source: Content,
}

impl Input {
    /// Of this content.
    pub(crate) fn new(content: &Content) -> Self {
        let (rest, source) = match content {
            Content::Whole(bytes) => (bytes.clone(), Bytes::new().into()),
            streamed @ Content::Streamed(_) => (Bytes::new(), streamed.clone()),
        };
        Self(Mutex::new(State { rest, source }))
    }

    /// The next bytes, as many as are there; none at the end.
    fn next(&self, py: Python<'_>) -> PyResult<Bytes> {
        let mut state = self.0.lock();
        if !state.rest.is_empty() {
            return Ok(std::mem::take(&mut state.rest));
        }
        let Content::Streamed(stream) = &state.source else { return Ok(Bytes::new()) };
        let stream = stream.clone();
        // Python is let go while this waits, and so is the lock.
        drop(state);
        Ok(next_chunk(py, &stream)?.unwrap_or_default())
    }

    /// Bytes that are read until `end` says how many of a chunk are the last ones.
    fn read_until<'py>(
        &self,
        py: Python<'py>,
        mut end: impl FnMut(&[u8]) -> Option<usize>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut gathered = BytesMut::new();
        loop {
            let mut chunk = self.next(py)?;
            let count = end(&chunk);
            let is_last = chunk.is_empty() || count.is_some();
            if let Some(count) = count.filter(|count| *count < chunk.len()) {
                self.0.lock().rest = chunk.split_off(count);
            }
            if is_last && gathered.is_empty() {
                return Ok(PyBytes::new(py, &chunk));
            }
            gathered.extend_from_slice(&chunk);
            if is_last {
                return Ok(PyBytes::new(py, &gathered));
            }
        }
    }

    fn read_line<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyBytes>> {
        let mut left = most;
        self.read_until(py, |chunk| {
            let within = &chunk[..chunk.len().min(left)];
            if let Some(newline) = within.iter().position(|byte| *byte == b'\n') {
                return Some(newline + 1);
            }
            left -= within.len();
            (left == 0).then_some(within.len())
        })
    }
}

/// How many bytes a size asks for: all, unless it is a number that is not negative.
fn most(size: Option<i64>) -> usize {
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX)
}

#[pymethods]
impl Input {
    /// So many bytes, fewer only at the end; all that is left without a size.
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        let mut left = most(size);
        if left == 0 {
            return Ok(PyBytes::new(py, b""));
        }
        self.read_until(py, |chunk| {
            let count = chunk.len().min(left);
            left -= count;
            (left == 0).then_some(count)
        })
    }

    /// A line with its end, no more than so many bytes of it; empty at the end.
    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        match most(size) {
            0 => Ok(PyBytes::new(py, b"")),
            most => self.read_line(py, most),
        }
    }

    /// The lines that are left; with a hint no more than make so many bytes.
    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<i64>) -> PyResult<Bound<'py, PyList>> {
        let most = most(hint.filter(|hint| *hint > 0));
        let lines = PyList::empty(py);
        let mut length = 0;
        while length < most {
            let line = self.read_line(py, usize::MAX)?;
            if line.as_bytes().is_empty() {
                break;
            }
            length += line.as_bytes().len();
            lines.append(line)?;
        }
        Ok(lines)
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.read_line(py, usize::MAX)?;
        Ok(Some(line).filter(|line| !line.as_bytes().is_empty()))
    }
}
