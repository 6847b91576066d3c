//! Files as answers: what a scope says of them, which of them may answer a path,
//! and what is sent for one. Nothing here opens a file; facts about it are arguments.

pub mod candidates;
pub mod content_type;
pub mod file_reply;
pub mod file_rules;
pub mod glob;
pub mod listing;
