//! What a change edits, before it is compiled and opened: plain data of persistent tables, so
//! that a copy costs the same however long the configuration is. Only [`Live`](super::Live) makes
//! one, on the thread that makes the change.

use std::path::PathBuf;

use slimhttp_site::compile::Routes;
use slimhttp_site::config::Config;

/// What a change edits: the configuration as written and the routes.
///
/// It can be edited within [`Live::update`](super::Live::update) only: what
/// [`Live::draft`](super::Live::draft) gives is shared and stays as it is.
#[derive(Debug)]
#[non_exhaustive]
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

impl Draft {
    /// The first draft of a server.
    pub(crate) fn new(config: Config, base: PathBuf) -> Self {
        Self { config, routes: Routes::default(), base, replaced: false }
    }

    /// A copy for the next change.
    pub(super) fn copy(&self) -> Self {
        let Self { config, routes, base, replaced } = self;
        Self {
            config: config.clone(),
            routes: routes.clone(),
            base: base.clone(),
            replaced: *replaced,
        }
    }
}
