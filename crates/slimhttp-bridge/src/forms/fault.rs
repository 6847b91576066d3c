//! Why a form is not taken.

use std::path::PathBuf;

/// Why a content is no form that is taken.
#[derive(Debug)]
pub enum FormFault {
    /// It is not what it says to be.
    Malformed(String),
    /// It goes beyond a limit.
    TooLarge(String),
    /// An upload cannot be written to disk.
    Disk {
        /// The folder for temporary files.
        folder: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}
