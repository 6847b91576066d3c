//! Static files: the rules of a scope, which files may answer a path, and what is sent for
//! one. Nothing here opens a file; the server crate passes what it knows of one.

pub mod candidates;
pub mod content_type;
pub mod file_reply;
pub mod file_rules;
pub mod glob;
pub mod listing;
