//! How a command ends that starts no server: what is written, and the status of the program. All of
//! it on the main thread.

use std::io::{self, Write as _};

/// The status of a program that was called wrongly.
pub(crate) const USAGE: i32 = 2;
/// The status of a program that could not do what its arguments ask for.
pub(crate) const FAILURE: i32 = 1;

/// Why arguments start nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The status to exit with.
    pub status: i32,
    /// What is yet to be written to standard error, with its line ends.
    pub message: String,
}

impl Ended {
    /// Everything that is to be read is written.
    pub(crate) fn with(status: i32) -> Self {
        Self { status, message: String::new() }
    }

    /// Writes what is to be read; gives the status to exit with.
    pub(crate) fn tell(self) -> i32 {
        write_stderr(&self.message);
        self.status
    }
}

/// Writes the result of a command to standard output. A reader that has closed it has enough.
pub(crate) fn write_stdout(bytes: &[u8]) -> i32 {
    let _ = io::stdout().lock().write_all(bytes);
    0
}

/// Writes to standard error. That it is gone is no reason to fail.
pub(crate) fn write_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

pub(crate) fn fail(text: &str) -> Ended {
    Ended { status: FAILURE, message: text.to_owned() }
}

pub(crate) fn usage_error(text: &str) -> Ended {
    Ended { status: USAGE, message: text.to_owned() }
}
