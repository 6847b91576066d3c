//! How a process was started, so that its program can be started once more in the same way: noted
//! before anything changes the folder or the environment.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::service_manager;

/// A program with its arguments, the folder and the environment in which it was started.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) folder: PathBuf,
    pub(super) environment: Vec<(OsString, OsString)>,
}

impl Invocation {
    /// That of this process, as it is now.
    pub fn of_this_process() -> Self {
        let here = folder();
        let mut arguments = std::env::args_os();
        let called = arguments.next().unwrap_or_default();
        let own = std::env::current_exe().unwrap_or_default();
        let program = program(&called, &here, std::env::var_os("PATH").as_deref(), own);
        let is_ours = |(name, _): &(OsString, OsString)| {
            // Of the service manager, what is about one process by its number.
            let about_one = service_manager::ABOUT_ONE_PROCESS.iter();
            !about_one.map(OsStr::new).any(|about_one| name == about_one)
        };
        let environment = std::env::vars_os().filter(is_ours).collect();
        Self { program, arguments: arguments.collect(), folder: here, environment }
    }

    /// The same with another command, of which the first part is the program.
    #[must_use]
    pub fn with_command(mut self, command: impl IntoIterator<Item = OsString>) -> Self {
        let mut command = command.into_iter();
        if let Some(program) = command.next() {
            self.program = self.folder.join(program);
        }
        self.arguments = command.collect();
        self
    }
}

/// The program, for a sentence.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.program.display(), self.folder.display())
    }
}

/// The file of the program, by the name under which it was called: if that leads to another file
/// later, that is the one to be started. `own` is where it lies, for a name that leads nowhere, or
/// to another program.
fn program(called: &OsStr, here: &Path, path: Option<&OsStr>, own: PathBuf) -> PathBuf {
    let candidates: Vec<_> = match Path::new(called).components().count() {
        0 => Vec::new(),
        1 if !called.as_encoded_bytes().contains(&b'/') => {
            let folders = path.map(std::env::split_paths).into_iter().flatten();
            folders.map(|folder| here.join(folder).join(called)).collect()
        }
        _ => vec![here.join(called)],
    };
    candidates.into_iter().find(|candidate| is_same_file(candidate, &own)).unwrap_or(own)
}

/// The working directory, by the name that the shell has for it where that leads there: a link may
/// lead elsewhere later.
fn folder() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let by_shell = std::env::var_os("PWD").map(PathBuf::from);
    by_shell.filter(|path| path.is_absolute() && is_same_file(path, &here)).unwrap_or(here)
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
    let found = identity(one);
    found.is_some() && found == identity(other)
}

#[cfg(test)]
mod tests;
