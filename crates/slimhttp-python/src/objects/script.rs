//! A script is read from the descriptor that was opened below its root, never by its path
//! again: what is run is what was checked.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Device, inode, size, and the times of the last change of the content and of
/// the inode in nanoseconds: the same file with the same content.
type Identity = (u64, u64, u64, i128, i128);

/// A script, opened; read only by who does not know it already.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Script {
    file: Arc<File>,
}

impl Script {
    pub(crate) fn new(file: Arc<File>) -> Self {
        Self { file }
    }
}

#[pymethods]
impl Script {
    /// Device, inode, size, and the times of the last writing and the last
    /// change of the inode in nanoseconds, as they are now. OSError.
    fn identity(&self) -> io::Result<Identity> {
        let facts = self.file.metadata()?;
        let nanoseconds =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Ok((
            facts.dev(),
            facts.ino(),
            facts.size(),
            nanoseconds(facts.mtime(), facts.mtime_nsec()),
            nanoseconds(facts.ctime(), facts.ctime_nsec()),
        ))
    }

    /// The source, whole. OSError.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &read_whole(&self.file)?))
    }
}

/// Several threads may read the same descriptor, so it is read by position.
fn read_whole(file: &File) -> io::Result<Vec<u8>> {
    let mut source = vec![0; usize::try_from(file.metadata()?.size()).unwrap_or(0) + 1];
    let mut filled = 0;
    loop {
        match file.read_at(&mut source[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        // It has grown since it was looked at.
        if filled == source.len() {
            source.resize(source.len() * 2, 0);
        }
    }
    source.truncate(filled);
    Ok(source)
}
