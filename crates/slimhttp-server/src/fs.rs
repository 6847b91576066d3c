//! The file system: opening beneath a root and nowhere else, and what distinguishes a file
//! from every other. Reading blocks; who may block calls it.

pub(crate) mod file_id;
pub(crate) mod read;
pub(crate) mod root;
pub(crate) mod root_cache;
pub(crate) mod watcher;
