//! Fields of responses.
use crate::file_rules::{AnswerRules, FileRules};
use crate::path::SafePath;
use http::{HeaderMap, StatusCode};
/// Fields of files.
pub fn file_fields(_: &FileRules, _: &SafePath, _: &mut HeaderMap, _: StatusCode) {}
/// Fields of answers.
pub fn answer_fields(_: &AnswerRules, _: &mut HeaderMap, _tls: bool) {}
