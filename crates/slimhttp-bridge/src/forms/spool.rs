//! Where the bytes of uploads are: in memory up to a bound that all uploads of a
//! form share, beyond it in one temporary file without a name, which the system
//! removes when nobody holds it any more.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::fault::FormFault;

/// The bytes of one upload.
#[derive(Debug, PartialEq, Eq)]
pub enum UploadData {
    /// In memory.
    Memory(Vec<u8>),
    /// In the form's file.
    File {
        /// Where they begin.
        start: u64,
        /// How many they are.
        length: u64,
    },
}

impl Default for UploadData {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

/// The store of a form's uploads, which are written one after the other.
#[derive(Debug)]
pub(super) struct Spool {
    memory_left: u64,
    folder: PathBuf,
    file: Option<File>,
    written: u64,
}

impl Spool {
    /// One that may hold so many bytes in memory. The others lie in the system's
    /// folder for temporary files (`TMPDIR`).
    pub(super) fn new(memory: u64) -> Self {
        Self::within(std::env::temp_dir(), memory)
    }

    /// The same with a folder of its own.
    pub(super) fn within(folder: PathBuf, memory: u64) -> Self {
        Self { memory_left: memory, folder, file: None, written: 0 }
    }

    /// Adds `bytes` to the upload at `data`, the last one.
    ///
    /// # Errors
    /// The disk's, with the folder.
    pub(super) fn write(&mut self, data: &mut UploadData, bytes: &[u8]) -> Result<(), FormFault> {
        let more = bytes.len() as u64;
        match data {
            UploadData::Memory(held) if more <= self.memory_left => {
                held.extend_from_slice(bytes);
                self.memory_left -= more;
            }
            UploadData::Memory(held) => {
                let held = std::mem::take(held);
                let (start, length) = (self.written, held.len() as u64);
                self.append(&held)?;
                self.memory_left += length;
                self.append(bytes)?;
                *data = UploadData::File { start, length: length + more };
            }
            UploadData::File { length, .. } => {
                self.append(bytes)?;
                *length += more;
            }
        }
        Ok(())
    }

    /// The file, if any upload is in it.
    pub(super) fn into_file(self) -> Option<File> {
        self.file
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), FormFault> {
        self.try_append(bytes)
            .map_err(|error| FormFault::Disk { folder: self.folder.clone(), error })
    }

    fn try_append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.folder)?),
        };
        file.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
