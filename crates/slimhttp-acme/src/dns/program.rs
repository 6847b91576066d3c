//! Records that a program of the administrator sets.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, copy, sink};
use tokio::process::Command;

use super::{DnsFuture, DnsProvider};
use crate::failure::told;

/// How much of what it says is kept.
const MOST_SAID: u64 = 4096;

/// Called as `PROGRAM present NAME VALUE` and `PROGRAM cleanup NAME VALUE`. It succeeds by ending
/// with 0; what it writes to standard error says why it does not.
pub(super) struct Program {
    path: PathBuf,
}

impl Program {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    async fn run(&self, verb: &str, name: &str, value: &str) -> Result<(), String> {
        let path = self.path.display();
        let mut command = Command::new(&self.path);
        command.args([verb, name, value]).stdin(Stdio::null()).stdout(Stdio::null());
        // Nobody waits for one that is late: it is killed.
        command.stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("`{path}`: {error}"))?;
        let mut said = Vec::new();
        if let Some(mut stderr) = child.stderr.take() {
            let read = (&mut stderr).take(MOST_SAID).read_to_end(&mut said).await;
            read.map_err(|error| format!("`{path}`: {error}"))?;
            copy(&mut stderr, &mut sink()).await.map_err(|error| format!("`{path}`: {error}"))?;
        }
        let status = child.wait().await.map_err(|error| format!("`{path}`: {error}"))?;
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let last = last.map(|line| format!(": {}", told(line))).unwrap_or_default();
        Err(format!("`{path} {verb}` ended with {status}{last}"))
    }
}

impl DnsProvider for Program {
    fn present<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        Box::pin(self.run("present", name, value))
    }

    fn cleanup<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        Box::pin(self.run("cleanup", name, value))
    }
}
