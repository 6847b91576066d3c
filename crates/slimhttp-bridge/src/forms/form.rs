//! A form as it was read, and how much of one is taken.

use std::fs::File;

use super::fault::FormFault;
use super::spool::UploadData;

/// What a form may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of memory, for the texts and for the content of uploads each.
    pub memory: u64,
    /// Fields and uploads together.
    pub parts: u64,
}

/// A form.
#[derive(Debug, Default)]
pub struct Form {
    /// Names and values in the order in which they came.
    pub fields: Vec<(String, String)>,
    /// The uploads in the order in which they came.
    pub uploads: Vec<Upload>,
    /// Where those are that lie on disk; it has no name there.
    pub file: Option<File>,
}

/// An upload.
#[derive(Debug)]
pub struct Upload {
    /// The name of its field.
    pub name: String,
    /// The name of the file, as the client says it; it may be empty.
    pub filename: String,
    /// The header fields of its part.
    pub headers: Vec<(String, String)>,
    /// Its bytes.
    pub data: UploadData,
}

pub(super) fn within_memory(bytes: u64, limits: Limits) -> Result<(), FormFault> {
    if bytes <= limits.memory {
        return Ok(());
    }
    let most = limits.memory;
    Err(FormFault::TooLarge(format!(
        "the names and fields of the form are longer than `form_memory`, {most} bytes"
    )))
}

pub(super) fn within_count(parts: u64, limits: Limits) -> Result<(), FormFault> {
    if parts <= limits.parts {
        return Ok(());
    }
    let most = limits.parts;
    Err(FormFault::TooLarge(format!("the form has more parts than `form_parts`, {most}")))
}
