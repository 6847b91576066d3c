//! Opening a file below a root, and what a failure to do so says.

use std::fs::File;
use std::path::Path;

use rustix::io::Errno;
use slimhttp_site::path::SafePath;
use slimhttp_site::refusal::Refusal;

use crate::jail;
use crate::respond::Refused;

pub(super) fn open(root: &Path, path: &SafePath) -> Result<(File, std::fs::Metadata), Refused> {
    let opened = jail::open(root, path).and_then(|file| file.metadata().map(|facts| (file, facts)));
    opened.map_err(|error| {
        let refusal = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::ACCESS | Errno::PERM) => Refusal::Forbidden,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
                tracing::error!(
                    "{} cannot be opened: {error}",
                    root.join(path.as_path()).display()
                );
                Refusal::Unavailable
            }
            Some(Errno::IO) => {
                tracing::error!("{} cannot be read: {error}", root.join(path.as_path()).display());
                Refusal::Internal
            }
            _ => Refusal::NotFound,
        };
        Refused::because(refusal, format!("{}: {error}", root.join(path.as_path()).display()))
    })
}
