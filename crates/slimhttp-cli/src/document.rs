//! A configuration file → [`Config`] and where each of its values stands, so
//! that a fault found later is shown at its line. What the values mean is
//! [`slimhttp_site::compile`]'s; here is only how TOML and JSON write them.
//! Read on the main thread, before a server is bound.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use slimhttp_site::config::Config;
use slimhttp_site::fault::{Fault, Faults, Place, Step};

use crate::text::{Position, Text};

mod json;
#[cfg(test)]
mod tests;
mod toml;
mod write;

pub(crate) use self::write::to_toml;

/// The languages of configuration files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// TOML 1.1.
    Toml,
    /// JSON as RFC 8259 has it: no comments, no trailing commas.
    Json,
}

impl Syntax {
    /// By the extension, else by the first character: no TOML begins with `{`,
    /// and a JSON configuration begins with nothing else.
    fn of(path: &Path, text: &str) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(name) if name.eq_ignore_ascii_case("toml") => Self::Toml,
            Some(name) if name.eq_ignore_ascii_case("json") => Self::Json,
            _ if text.trim_start().starts_with('{') => Self::Json,
            _ => Self::Toml,
        }
    }
}

/// A configuration file that was read.
#[derive(Debug)]
pub(crate) struct Document {
    /// The file as the user named it.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) config: Config,
    text: Text,
    offsets: OffsetTable,
}

impl Document {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) fn read(path: &Path) -> Result<Self, ReadError> {
        let fail = |kind| Err(ReadError { path: path.to_owned(), kind });
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::IsADirectory => {
                return fail(ReadErrorKind::Folder);
            }
            Err(cause) => return fail(ReadErrorKind::Io(cause)),
        };
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(path, text),
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let byte = error.as_bytes()[offset];
                let valid = Text::new(String::from_utf8_lossy(&error.as_bytes()[..offset]).into());
                fail(ReadErrorKind::NotUtf8 { position: valid.position(usize::MAX), byte })
            }
        }
    }

    /// Reads `text`, the content of the file at `path`.
    ///
    /// # Errors
    /// [`ReadError`] with the first offence against the grammar, or else with
    /// every value that no configuration can have.
    pub(crate) fn parse(path: &Path, text: String) -> Result<Self, ReadError> {
        let text = Text::new(text);
        let mut reading = Reading::default();
        let root = match Syntax::of(path, text.as_str()) {
            Syntax::Toml => toml::read(&text, &mut reading),
            Syntax::Json => json::read(&text, &mut reading),
        };
        match root {
            Some(root) if reading.mistakes.is_empty() => {
                let config = Config::new(root);
                Ok(Self { path: path.to_owned(), config, text, offsets: reading.offsets })
            }
            _ => {
                let kind = ReadErrorKind::Mistakes { text, mistakes: reading.mistakes };
                Err(ReadError { path: path.to_owned(), kind })
            }
        }
    }

    /// The folder of the file, absolute: relative paths in it start there.
    ///
    /// # Errors
    /// There is no working directory.
    pub(crate) fn folder(&self) -> io::Result<PathBuf> {
        let file = std::path::absolute(&self.path)?;
        Ok(file.parent().map(Path::to_owned).unwrap_or(file))
    }

    /// `FILE:line:column: place: expected …, found …` for each fault, in the
    /// order of the file, with a line end each.
    pub(crate) fn show(&self, faults: &Faults) -> String {
        let mut placed: Vec<_> =
            faults.0.iter().map(|fault| (self.position(fault), fault)).collect();
        placed.sort_by_key(|&(position, _)| position);
        let mut shown = String::new();
        for (Position { line, column }, fault) in placed {
            let _ = writeln!(shown, "{}:{line}:{column}: {fault}", self.path.display());
        }
        shown
    }

    /// Where `fault` is shown: at the value that is wrong; at the key where the
    /// key is wrong or nothing was found; at the nearest table around a place
    /// that is not in the file.
    pub(crate) fn position(&self, fault: &Fault) -> Position {
        let offset = match self.offsets.get(&fault.place) {
            Some(offsets) if concerns_value(fault) => offsets.value,
            Some(offsets) => offsets.key,
            None => self.nearest(&fault.place),
        };
        self.text.position(offset)
    }

    fn nearest(&self, place: &Place) -> usize {
        let mut steps = place.0.as_slice();
        while let Some((_, around)) = steps.split_last() {
            if let Some(offsets) = self.offsets.get(&Place(around.to_vec())) {
                return offsets.key;
            }
            steps = around;
        }
        0
    }
}

/// Whether a fault is about the value at its place rather than about its key.
fn concerns_value(fault: &Fault) -> bool {
    match (&fault.found, fault.place.0.last()) {
        (None, _) => false,
        (Some(found), Some(Step::Key(key))) => *found != format!("`{key}`"),
        (Some(_), _) => true,
    }
}

/// Where the key and the value of one place begin, as byte offsets. In a list
/// both are the item's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offsets {
    key: usize,
    value: usize,
}

type OffsetTable = HashMap<Place, Offsets>;

/// What reading a file gathers besides its values.
#[derive(Debug, Default)]
struct Reading {
    offsets: OffsetTable,
    mistakes: Vec<Mistake>,
}

impl Reading {
    fn locate(&mut self, place: &Place, key: usize, value: usize) {
        self.offsets.insert(place.clone(), Offsets { key, value });
    }

    fn mistake(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.mistakes.push(Mistake { span, message: message.into() });
    }
}

/// Something that cannot be read as a configuration.
#[derive(Debug)]
struct Mistake {
    span: Range<usize>,
    message: String,
}

/// Why a file gave no configuration.
#[derive(Debug)]
pub(crate) struct ReadError {
    path: PathBuf,
    kind: ReadErrorKind,
}

#[derive(Debug)]
enum ReadErrorKind {
    Io(io::Error),
    Folder,
    NotUtf8 { position: Position, byte: u8 },
    Mistakes { text: Text, mistakes: Vec<Mistake> },
}

/// What the user reads, each line with its end.
impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            ReadErrorKind::Io(cause) => writeln!(f, "{path}: cannot be read: {cause}"),
            ReadErrorKind::Folder => writeln!(
                f,
                "{path}: expected a configuration file (TOML or JSON), found a folder\n  \
                 hint: `serve {path}` serves a folder"
            ),
            ReadErrorKind::NotUtf8 { position: Position { line, column }, byte } => {
                writeln!(f, "{path}:{line}:{column}: expected UTF-8, found the byte 0x{byte:02x}")
            }
            ReadErrorKind::Mistakes { text, mistakes } => {
                for Mistake { span, message } in mistakes {
                    let Position { line, column } = text.position(span.start);
                    writeln!(f, "{path}:{line}:{column}: {message}")?;
                    f.write_str(&text.excerpt(span))?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ReadError {}
