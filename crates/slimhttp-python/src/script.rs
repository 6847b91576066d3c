//! A script is read from the descriptor that the jail opened, never by its path
//! again: what is run is what was checked.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Device, inode, size, and the times of the last change of the content and of
/// the inode in nanoseconds: the same file with the same content.
pub(crate) type Identity = (u64, u64, u64, i128, i128);

/// The source and the identity of a script.
///
/// # Errors
/// `OSError`.
pub(crate) fn read<'py>(py: Python<'py>, file: &File) -> PyResult<(Bound<'py, PyBytes>, Identity)> {
    let (source, identity) = read_whole(file)?;
    Ok((PyBytes::new(py, &source), identity))
}

/// Several threads may read the same descriptor, so it is read by position.
fn read_whole(file: &File) -> io::Result<(Vec<u8>, Identity)> {
    let facts = file.metadata()?;
    let mut source = vec![0; usize::try_from(facts.size()).unwrap_or(0) + 1];
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
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let identity = (
        facts.dev(),
        facts.ino(),
        facts.size(),
        nanoseconds(facts.mtime(), facts.mtime_nsec()),
        nanoseconds(facts.ctime(), facts.ctime_nsec()),
    );
    Ok((source, identity))
}
