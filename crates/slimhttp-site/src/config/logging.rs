//! The value of the option `log` and of `SLIMHTTP_LOG`: levels, directives and the
//! format of a line, `debug`, `json`, `slimhttp_server::proxy=trace,hyper=debug,json`.
//! It is read strictly: an unknown word would otherwise be the target of a directive
//! that no event has, and nothing at all would be logged.

use std::fmt;

use crate::config::spelling::nearest;

/// The levels, from nothing to everything.
pub const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// The formats of a line: for people, or one JSON object.
const FORMATS: &[&str] = &["text", "json"];

/// What is logged, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// Whether each line is a JSON object.
    pub json: bool,
    /// Which events.
    pub filter: LogFilter,
}

/// Which events are logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogFilter {
    /// Those of the default level.
    #[default]
    Default,
    /// Our own events from one of [`LEVELS`] on.
    Level(&'static str),
    /// By directives, each a target, a level, or `target=level`.
    Directives(String),
}

/// A word that says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The word.
    pub found: String,
    /// One that was probably meant.
    pub meant: Option<&'static str>,
}

impl Unknown {
    /// What should have been there.
    pub const EXPECTED: &str = "`error`, `warn`, `info`, `debug`, `trace`, `off`, `json`, or \
                                directives such as `slimhttp_server=debug`";
}

/// A sentence of what was expected and found, and a hint on a line of its own.
impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found `{}`", Self::EXPECTED, self.found)?;
        self.meant.map_or(Ok(()), |meant| write!(f, "\n  hint: did you mean `{meant}`?"))
    }
}

/// The words of the option, as it may be written.
impl fmt::Display for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match &self.filter {
            LogFilter::Default => "",
            LogFilter::Level(level) => level,
            LogFilter::Directives(directives) => directives,
        };
        match (words, self.json) {
            ("", true) => f.write_str("json"),
            ("", false) => f.write_str("info"),
            (words, true) => write!(f, "{words},json"),
            (words, false) => f.write_str(words),
        }
    }
}

impl Logging {
    /// Reads words with commas between them.
    ///
    /// # Errors
    /// The first word that is no level, no format and no directive.
    pub fn parse(text: &str) -> Result<Self, Unknown> {
        let mut logging = Self::default();
        let (mut level, mut directives) = (None, Vec::new());
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if FORMATS.iter().any(|format| word.eq_ignore_ascii_case(format)) {
                logging.json = word.eq_ignore_ascii_case("json");
            } else if let Some(known) = level_of(word) {
                level = Some(known);
            } else {
                directives.push(directive(word)?);
            }
        }
        logging.filter = match level {
            None if directives.is_empty() => LogFilter::Default,
            Some(level) if directives.is_empty() => LogFilter::Level(level),
            level => {
                directives.extend(level.map(str::to_owned));
                LogFilter::Directives(directives.join(","))
            }
        };
        Ok(logging)
    }
}

/// A level by its name, or by the one that Python has for it.
fn level_of(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let word = match word.as_str() {
        "warning" => "warn",
        "critical" | "fatal" => "error",
        word => word,
    };
    LEVELS.iter().find(|level| **level == word).copied()
}

/// `target=level`; of our own parts, and where it is a path, `target` alone.
fn directive(word: &str) -> Result<String, Unknown> {
    let (target, level) = match word.rsplit_once('=') {
        Some((target, level)) => (target.trim(), Some(level.trim())),
        None => (word, None),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:.".contains(&byte);
    let is_target = !target.is_empty() && target.bytes().all(plain);
    let is_own = target.trim_start_matches('_').starts_with("slimhttp");
    let named = match level {
        Some(level) => level_of(level).filter(|_| is_target).ok_or(level),
        None if is_target && (is_own || target.contains("::")) => Ok("trace"),
        None => Err(word),
    };
    match named {
        Ok(level) => Ok(format!("{target}={level}")),
        Err(unknown) => Err(Unknown {
            found: word.to_owned(),
            // Where the level is right, the target is not.
            meant: nearest(unknown, LEVELS.iter().chain(FORMATS).copied())
                .filter(|_| level_of(unknown).is_none()),
        }),
    }
}

#[cfg(test)]
mod tests;
