//! Files and folders: read within a bound, written whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::failure::Failure;

/// The largest file that is read.
const LARGEST: u64 = 1 << 20;

/// The content of a file; `None`: it is not there.
///
/// # Errors
/// It cannot be read, or is larger than any of ours.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match read_bounded(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::storage(path, &error)),
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("more than {LARGEST} bytes")));
    }
    Ok(content)
}

/// Puts `content` under `path`: on disk, and whole, before it has that name. Whoever reads it gets
/// all of the old content or all of the new one, also after the power has failed.
///
/// The temporary file has a name of its own for each `path`, so that what a kill leaves behind is
/// written over by the next attempt: `path` has one writer at a time.
///
/// # Errors
/// It cannot be written; what was there is still there.
pub(crate) fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    write_whole(path, content, mode).map_err(|error| Failure::storage(path, &error))
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(invalid)?;
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
    // A file that was left there, and the mask of the process, may have others.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_folder_of(path)
}

/// Renames a file within its folder, for good.
///
/// # Errors
/// It cannot be renamed.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    let renamed = std::fs::rename(from, to).and_then(|()| sync_folder_of(to));
    renamed.map_err(|error| Failure::storage(from, &error))
}

/// Takes a file away; it may be gone already.
///
/// # Errors
/// It cannot be taken away.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::storage(path, &error))
        }
        _ => Ok(()),
    }
}

/// A name is on disk once its folder is.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    File::open(folder)?.sync_all()
}

/// Makes a folder, and those above it; one that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub(super) fn make_folder(path: &Path, mode: u32) -> Result<(), Failure> {
    let make = || -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(mode).create(path) {
            // A process beside was quicker.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                std::fs::set_permissions(path, Permissions::from_mode(mode))?;
                sync_folder_of(path)
            }
        }
    };
    make().map_err(|error| Failure::storage(path, &error))
}
