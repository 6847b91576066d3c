//! The flags of `--reload`, which `app` and `run` have, and what is to be watched by them.

use std::path::{Path, PathBuf};

use clap::Args;
use slimhttp_site::value::{Table, Value};

use super::app::existing_folder;

/// What `--reload` looks at unless `--reload-include` says more.
const INCLUDED: &str = "*.py";

#[derive(Debug, Default, Args)]
pub(crate) struct ReloadFlags {
    /// Start anew after an edit, for development: what worked last answers until the new one is
    /// ready, or has been mended. Needs Python. Error pages show everything.
    #[arg(long)]
    pub(crate) reload: bool,

    /// With --reload: a folder to watch, in place of the application's; may be given again.
    #[arg(long, value_name = "DIR", requires = "reload")]
    pub(crate) reload_dir: Vec<PathBuf>,

    /// With --reload: a glob of names in these folders that are watched besides `*.py`; may be
    /// given again.
    #[arg(long, value_name = "GLOB", requires = "reload")]
    pub(crate) reload_include: Vec<String>,

    /// With --reload: a glob of names of files and folders that are not watched; may be given
    /// again.
    #[arg(long, value_name = "GLOB", requires = "reload")]
    pub(crate) reload_exclude: Vec<String>,
}

/// What is watched by a supervisor that starts a server anew after edits. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// The folders, with all below them.
    pub folders: Vec<PathBuf>,
    /// Globs of the files in them.
    pub includes: Vec<String>,
    /// Globs of files and folders in them that are left out.
    pub excludes: Vec<String>,
    /// Single files: the configuration, that of `--env-file`.
    pub files: Vec<PathBuf>,
}

impl ReloadFlags {
    /// What is watched, if anything: `folders` unless flags name others, and `files`. Relative
    /// paths start at `here`.
    ///
    /// # Errors
    /// A folder that a flag names is not there, as a sentence.
    pub(crate) fn read(
        &self,
        here: &Path,
        folders: Vec<PathBuf>,
        files: Vec<PathBuf>,
    ) -> Result<Option<Reload>, String> {
        if !self.reload {
            return Ok(None);
        }
        let named = |folder| existing_folder("--reload-dir", &here.join(folder));
        let folders = match self.reload_dir.is_empty() {
            true => folders,
            false => self.reload_dir.iter().map(named).collect::<Result<_, _>>()?,
        };
        let mut includes = vec![INCLUDED.to_owned()];
        includes.extend(self.reload_include.iter().cloned());
        let excludes = self.reload_exclude.clone();
        Ok(Some(Reload { folders, includes, excludes, files }))
    }
}

/// Adds the folders from which the applications in `table` are imported, in it and in the tables
/// below: its own `app_dir`, else the one that it inherits, else `base`.
pub(crate) fn application_folders(
    table: &Table,
    base: &Path,
    inherited: Option<&str>,
    folders: &mut Vec<PathBuf>,
) {
    let own = table.get("app_dir").and_then(Value::as_str).or(inherited);
    if matches!(table.get("app"), Some(Value::String(_))) {
        let folder = own.map_or_else(|| base.to_owned(), |own| base.join(own));
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    for scopes in ["vhosts", "mounts"].into_iter().filter_map(|key| table.get(key)?.as_table()) {
        for scope in scopes.iter().filter_map(|(_, scope)| scope.as_table()) {
            application_folders(scope, base, own, folders);
        }
    }
}

#[cfg(test)]
mod tests;
