//! The secrets of connections for whoever debugs them (`SSLKEYLOGFILE`): with them a recorded
//! connection can be read. Written only while `debug` is on at the global level, and the log says
//! so. Locked by an I/O thread for each line that it writes; the file is local as a rule.

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::{KeyLog, KeyLogFile};

/// Says where to write them.
const VARIABLE: &str = "SSLKEYLOGFILE";

/// The file, while it is to be written to.
#[derive(Debug)]
pub(super) struct SwitchedKeyLog {
    path: Option<OsString>,
    file: OnceLock<KeyLogFile>,
    is_on: AtomicBool,
}

impl Default for SwitchedKeyLog {
    /// What the environment names, switched off.
    fn default() -> Self {
        let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
        Self { path, file: OnceLock::new(), is_on: AtomicBool::new(false) }
    }
}

impl SwitchedKeyLog {
    /// Begins or ends to write, as `debug` of the configuration in force says.
    pub(super) fn switch(&self, debug: bool) {
        let Some(path) = &self.path else { return };
        if !debug {
            self.is_on.store(false, Ordering::Relaxed);
            return;
        }
        self.file.get_or_init(KeyLogFile::new);
        if !self.is_on.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "{VARIABLE}: the secrets of TLS are written to {}, for `debug` is on: whoever has \
                 them can read what is recorded",
                path.display()
            );
        }
    }
}

impl KeyLog for SwitchedKeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if self.will_log(label)
            && let Some(file) = self.file.get()
        {
            file.log(label, client_random, secret);
        }
    }

    fn will_log(&self, _label: &str) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }
}

/// The log of a policy.
impl SwitchedKeyLog {
    pub(super) fn shared(self: &Arc<Self>) -> Arc<dyn KeyLog> {
        self.clone()
    }
}

#[cfg(test)]
mod tests;
