//! What a change edits, before it is compiled and opened.

use std::path::PathBuf;

use slimhttp_site::compile::Routes;
use slimhttp_site::config::Config;

/// What a change edits: the configuration as written and the routes.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The configuration.
    pub config: Config,
    /// The routes of every scope.
    pub routes: Routes,
    /// The folder against which relative paths of this change are resolved.
    pub base: PathBuf,
    /// Set by a change that replaces the configuration as a whole: what stands
    /// in it as before is resolved anew too, where `base` is another one.
    pub replaced: bool,
}
