//! Variables of the environment: `NAME=value` on the command line, and files of such lines (`.env`)
//! in the form that python-dotenv reads: comments, `export`, quotes. Nothing is substituted in them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How large a file may be.
const MAX_SIZE: u64 = 1024 * 1024;

/// `NAME=value`.
///
/// # Errors
/// What was expected.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected `NAME=value`".into()),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '\0')
}

/// The variables of a file.
///
/// # Errors
/// It cannot be read, or a line of it; as a sentence with file and line.
pub(super) fn read(file: &Path) -> Result<BTreeMap<String, String>, String> {
    let text =
        read_bounded(file).map_err(|cause| format!("--env-file: {}: {cause}", file.display()))?;
    parse(&text).map_err(|(line, why)| format!("{}:{line}: {why}", file.display()))
}

/// The text of a regular file: a pipe may never have any, and a device may never end.
fn read_bounded(file: &Path) -> io::Result<String> {
    let metadata = std::fs::metadata(file)?;
    // A folder is told by reading it.
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    File::open(file)?.take(MAX_SIZE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(io::Error::other(format!("more than {MAX_SIZE} bytes")));
    }
    Ok(text)
}

/// The variables of a text; a later line wins. The failure is a line and a reason.
fn parse(text: &str) -> Result<BTreeMap<String, String>, (usize, &'static str)> {
    let mut variables = BTreeMap::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let stripped = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = stripped.split_once('=') else {
            return Err((index + 1, "expected `NAME=value`"));
        };
        let name = name.trim();
        if !is_name(name) {
            return Err((index + 1, "expected a name without spaces in front of `=`"));
        }
        let value = value_of(value.trim()).ok_or((index + 1, "expected a closing quote"))?;
        variables.insert(name.to_owned(), value);
    }
    Ok(variables)
}

/// A value without its quotes or, where it has none, without the comment behind it. Escapes count
/// between double quotes.
fn value_of(text: &str) -> Option<String> {
    let mut characters = text.chars();
    match characters.next() {
        Some('\'') => characters.as_str().split_once('\'').map(|(value, _)| value.to_owned()),
        Some('"') => {
            let mut value = String::new();
            loop {
                match characters.next()? {
                    '"' => return Some(value),
                    '\\' => match characters.next()? {
                        'n' => value.push('\n'),
                        't' => value.push('\t'),
                        'r' => value.push('\r'),
                        other => value.push(other),
                    },
                    other => value.push(other),
                }
            }
        }
        _ => {
            let end = text.find(" #").unwrap_or(text.len());
            Some(text[..end].trim_end().to_owned())
        }
    }
}

#[cfg(test)]
mod tests;
